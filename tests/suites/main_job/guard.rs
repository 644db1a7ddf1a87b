//! Tests that a restore refuses what it must not replace before anything is changed, and replaces
//! production only by its name.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use harness::cli::{OdooBackup, Run};
use harness::project::{INSTANCE, Project, TARGET};
use tokio_postgres::Client;

use crate::main_job::initialised;

const UUID: &str = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'";

/// Returns everything that a restore could change: properties of databases, and every name in the
/// data folder.
fn state(project: &Project) -> (String, Vec<PathBuf>) {
    fn visit(folder: PathBuf, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.is_symlink() {
                visit(path.clone(), found);
            }
            found.push(path);
        }
    }
    let databases = "SELECT oid, datname, datallowconn, datistemplate FROM pg_database ORDER BY oid";
    let mut paths = Vec::new();
    visit(project.data_dir(), &mut paths);
    paths.sort();
    (project.cluster().psql_as("postgres", "postgres", databases), paths)
}

/// Checks that the restore is refused for these reasons, and that nothing changed.
async fn refused(project: &Project, program: &OdooBackup, arguments: &[&str], reasons: &[&str]) -> Run {
    let before = state(project);
    let run = program.run(["restore", "--json"].iter().chain(arguments)).await.expect_code(1);
    let document = run.json();
    let obstacles = document.get("obstacles").unwrap_or(&document["error"]["obstacles"]).as_array().unwrap();
    let messages: Vec<_> = obstacles.iter().map(|one| one["message"].as_str().unwrap()).collect();
    for reason in reasons {
        assert!(messages.iter().any(|message| message.contains(reason)), "{reason:?} is not in {messages:?}");
    }
    assert_eq!(state(project), before, "{arguments:?}");
    run
}

/// Opens a session like one of Odoo.
async fn odoo_session(project: &Project, database: &str) -> Client {
    let client = project.cluster().connect(database).await;
    client.batch_execute("SET application_name = 'odoo-4711'").await.unwrap();
    client
}

#[tokio::test]
async fn production_is_recognized_under_any_name() {
    let project = Project::start().await;
    let cluster = project.cluster();
    let (port, user) = (cluster.port(), cluster.user());
    symlink(project.filestore(), project.data_dir().join("filestore/link")).unwrap();
    let socket = cluster.socket_dir().to_str().unwrap();
    let targets = [
        ("by_address", "127.0.0.1", INSTANCE, "elsewhere", "is that of the instance production"),
        ("by_name", "localhost", INSTANCE, "elsewhere", "is that of the instance production"),
        ("by_socket", socket, INSTANCE, "elsewhere", "is that of the instance production"),
        ("filestore", socket, "another", INSTANCE, "is that of the instance production"),
        ("link", socket, "another", "link", "is that of the instance production"),
        ("within", socket, "another", "link/ab", " overlap"),
        ("server", socket, "template1", "elsewhere", "belongs to the server itself"),
    ];
    let sections = targets.map(|(name, host, database, folder, _)| {
        let folder = project.data_dir().join("filestore").join(folder);
        format!("[target.{name}]\nhost = {host:?}\nport = {port}\nuser = {user:?}\ndatabase = {database:?}\nfilestore = {folder:?}\n")
    });
    project.write_config(&format!("url = \"file://{}\"", project.repository().display()), &sections.concat());
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    for (name, _, database, _, reason) in targets {
        let uuid = (database == INSTANCE).then_some("has the source's own database.uuid");
        let reasons: Vec<_> = std::iter::once(reason).chain(uuid).collect();
        refused(&project, &program, &["--to", name], &reasons).await;
        refused(&project, &program, &["--to", name, "--dry-run"], &reasons).await;
    }
    // What can only be a mistake cannot be forced.
    refused(&project, &program, &["--to", "link", "--force-production", "another"], &["is that of the instance"]).await;
    let doctor = program.run(["doctor"]).await.expect_code(1).stdout;
    assert!(doctor.contains("warning  replace: a restore would be refused: the database \"production\""), "{doctor}");
    assert!(doctor.contains("FAILED   replace: a restore would be refused: the filestore "), "{doctor}");
}

#[tokio::test]
async fn live_target_is_refused_neutralized_replaced() {
    let project = Project::start().await;
    project.write_target_keys("");
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let sql = |statement: &str| project.cluster().execute(TARGET, statement).trim().to_owned();
    program.run(["restore", "--to", TARGET]).await.success();
    let odoo = odoo_session(&project, TARGET).await;
    assert!(program.run(["doctor"]).await.success().stdout.contains("replace: a restore would be accepted"));
    program.run(["restore", "--to", TARGET, "--drop-previous"]).await.success();
    assert!(odoo.simple_query("SELECT 1").await.is_err(), "a session on what was replaced");

    sql("UPDATE ir_config_parameter SET value = 'false' WHERE key = 'database.is_neutralized'");
    let odoo = odoo_session(&project, TARGET).await;
    let run = refused(&project, &program, &["--to", TARGET], &["is not neutralized, and is in use by odoo-4711"]).await;
    assert_eq!(run.json()["error"]["obstacles"][0]["check"], "production");
    odoo.batch_execute("SET application_name = 'psql'").await.unwrap();

    sql("UPDATE res_partner SET write_date = now() AT TIME ZONE 'UTC'");
    refused(&project, &program, &["--to", TARGET], &["was written to 0 minutes ago, in res_partner"]).await;
    let doctor = program.run(["doctor"]).await.success().stdout;
    assert!(doctor.contains("warning  replace: a restore would be refused: ") && doctor.contains("in res_partner"));
    sql("UPDATE res_partner SET write_date = now() AT TIME ZONE 'UTC' - interval '20 minutes'");
    let uuid = project.cluster().execute(INSTANCE, UUID);
    sql(&format!("UPDATE ir_config_parameter SET value = '{}' WHERE key = 'database.uuid'", uuid.trim()));
    refused(&project, &program, &["--to", TARGET], &["has the source's own database.uuid"]).await;
    // Idle, and the copy of another instance: it may be replaced.
    sql("UPDATE ir_config_parameter SET value = 'another' WHERE key = 'database.uuid'");
    let dry = program.run(["restore", "--to", TARGET, "--dry-run"]).await.success();
    assert!(dry.stdout.contains(" to staging would start; nothing was changed"), "{}", dry.stdout);
    program.run(["restore", "--to", TARGET]).await.success();

    let undone = odoo_session(&project, TARGET).await;
    program.run(["restore", "--undo", "--to", TARGET]).await.success();
    drop(undone);
    let _odoo = odoo_session(&project, TARGET).await;
    refused(&project, &program, &["--undo", "--to", TARGET], &["is in use by odoo-4711"]).await;
    program.run(["restore", "--undo", "--to", TARGET, "--force-production", TARGET]).await.success();

    project.cluster().create_database("invoices");
    project.cluster().execute("invoices", "CREATE TABLE invoice ()");
    let config = fs::read_to_string(project.config()).unwrap();
    fs::write(project.config(), config.replace("database = \"staging\"", "database = \"invoices\"")).unwrap();
    refused(&project, &program, &["--to", TARGET], &["is not an Odoo database and has 1 tables"]).await;
}

#[tokio::test]
async fn production_is_restored_by_its_name() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let sql = |statement: &str| project.cluster().execute(INSTANCE, statement).trim().to_owned();
    let live = "SELECT (SELECT count(*) FROM ir_cron WHERE active), (SELECT string_agg(smtp_host, ' ') FROM ir_mail_server WHERE active)";
    let (uuid, before) = (sql(UUID), sql(live));
    project.cluster().psql_as("postgres", "postgres", "DROP DATABASE production");
    fs::remove_dir_all(project.data_dir()).unwrap();

    let unforced = program.run(["restore", "--to", INSTANCE]).await.expect_code(2);
    assert!(unforced.stderr.contains("hint: `production` is an instance"), "{}", unforced.stderr);
    let wrong = program.run(["restore", "--to", INSTANCE, "--force-production", "prod"]).await.expect_code(2);
    assert!(wrong.stderr.contains("its database is \"production\""), "{}", wrong.stderr);
    let forced = ["restore", "--to", INSTANCE, "--force-production", INSTANCE];
    let run = program.run(forced).await.success();
    assert!(run.stderr.contains("NOTHING IS NEUTRALIZED"), "{}", run.stderr);
    assert!(run.stdout.contains("neutralized   NO: this is production"), "{}", run.stdout);
    assert_eq!((sql(UUID), sql(live)), (uuid.clone(), before));
    program.run(["now"]).await.success();

    // It exists, is in use, and has the wrong content.
    sql("DELETE FROM mail_message");
    let _odoo = odoo_session(&project, INSTANCE).await;
    let document = program.run(forced.iter().chain(&["--json"])).await.success().json();
    assert_eq!((&document["identity"], &document["neutralized"]), (&"production".into(), &serde_json::Value::Null));
    assert_ne!(sql("SELECT count(*) FROM mail_message"), "0");
    program.run(["restore", "--undo", "--to", INSTANCE]).await.expect_code(2);
    program.run(["restore", "--undo", "--to", INSTANCE, "--force-production", INSTANCE]).await.success();
    assert_eq!((sql("SELECT count(*) FROM mail_message"), sql(UUID)), ("0".into(), uuid));
}
