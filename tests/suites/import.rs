//! Tests `import` with files of other programs: it makes backups that restore the same content, or
//! fails and leaves nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use harness::cli::OdooBackup;
use harness::compare::{assert_same_content, assert_same_tree};
use harness::odoo_backup;
use harness::odoo17::Odoo17;
use harness::postgres::SUPERUSER;
use harness::project::{INSTANCE, Project, ProjectOptions, Source};
use rustix::process::Signal;
use serde_json::json;

/// Returns the program, with a new repository and its own folder for temporary files.
async fn initialised(project: &Project) -> OdooBackup {
    fs::create_dir(project.path("tmp")).unwrap();
    let program = odoo_backup!(project.config()).env("TMPDIR", project.path("tmp").to_str().unwrap());
    program.run(["init"]).await.success();
    program
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Writes the instance's zip like `dump_db` in `odoo/service/db.py`: with Python's `zipfile`, and
/// with pg_dump without owners but with privileges. `edit` is Python code that may change the
/// content of the folder `root` before.
fn odoos_zip(project: &Project, edit: &str) -> PathBuf {
    const SCRIPT: &str = r#"
import os, sys, zipfile
root, zip = sys.argv[1:3]
exec(sys.argv[3])
with zipfile.ZipFile(zip, 'w', compression=zipfile.ZIP_DEFLATED, allowZip64=True) as file:
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            file.write(path, os.path.relpath(path, root))
"#;
    let root = project.path("odoos");
    fs::create_dir(&root).unwrap();
    let mut cp = Command::new("cp");
    run(cp.arg("-a").arg(project.filestore()).arg(root.join("filestore")));
    let cluster = project.cluster();
    let mut pg_dump = cluster.command("pg_dump", cluster.user());
    run(pg_dump.args(["--no-owner", "--dbname", INSTANCE, "--file"]).arg(root.join("dump.sql")));
    let manifest = json!({ "odoo_dump": "1", "db_name": "shop", "version": "17.0-20240101", "modules": {} });
    fs::write(root.join("manifest.json"), manifest.to_string()).unwrap();
    let zip = project.path("odoos.zip");
    run(Command::new("python3").args(["-c", SCRIPT]).arg(&root).arg(&zip).arg(edit));
    zip
}

/// Checks that nothing is left on the server and in the temporary folder.
#[track_caller]
fn assert_nothing_left(project: &Project) {
    let databases = project.cluster().databases();
    assert!(!databases.iter().any(|name| name.contains("import")), "{databases:?}");
    assert_eq!(fs::read_dir(project.path("tmp")).unwrap().count(), 0);
}

async fn assert_restores(project: &Project, program: &OdooBackup, backup: &str) {
    // The previous copy carries the identity of the original, so the target is protected.
    let restore = ["restore", backup, "--to", "staging", "--force-production", "staging"];
    program.run(restore).await.success();
    assert_same_content(project.database(), project.target_database()).await;
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
}

#[tokio::test]
async fn exported_zip_is_imported_unchanged() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let made = program.run(["now", "--json"]).await.success().json();
    let zip = project.path("production.zip");
    program.run(["export", "latest", "-o", zip.to_str().unwrap()]).await.success();
    let imported = program.run(["import", zip.to_str().unwrap(), "--as", "archive", "--json"]).await.success().json();
    assert_eq!((&imported["instance"], &imported["imported"]["file"]), (&json!("archive"), &json!("production.zip")));
    assert_eq!(imported["database"]["name"], INSTANCE);
    for figure in ["/database/rows", "/database/tables", "/filestore/files", "/filestore/bytes", "/attachments/rows"] {
        assert_eq!(imported.pointer(figure), made["backups"][0].pointer(figure), "{figure}");
    }
    // The time that the backup shows, with a resolution of seconds.
    let second = |document: &serde_json::Value| document["created_at"].as_str().unwrap()[..19].to_owned();
    assert_eq!(second(&imported), second(&made["backups"][0]));
    assert_nothing_left(&project);
    assert_restores(&project, &program, "archive/latest").await;
    let show = program.run(["show", "archive/latest"]).await.success().stdout;
    assert!(show.contains("  imported      from production.zip, "), "{show}");
    program.run(["check", "--read-data"]).await.success();

    let again = program.run(["import", zip.to_str().unwrap(), "--as", "archive"]).await.expect_code(1);
    assert!(again.stderr.contains(" already exists: it shows the same moment"), "{}", again.stderr);
    // As a backup of the same instance it is older, and references nothing that is newer.
    program.run(["import", zip.to_str().unwrap(), "--as", INSTANCE]).await.success();
    let latest = program.run(["show", "production/latest", "--json"]).await.success().json();
    assert_eq!(latest["id"], made["backups"][0]["id"]);
}

#[tokio::test]
async fn archive_and_tar_are_imported_unchanged() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let base = project.path("old");
    program.run(["export", "latest", "--format", "dump", "-o", base.to_str().unwrap()]).await.success();
    let dump = project.path("old.dump");
    // The tar next to it is found by its name.
    let imported = program.run(["import", dump.to_str().unwrap(), "--as", "archive", "--json"]).await.success().json();
    assert_eq!(imported["database"]["name"], INSTANCE);
    assert_restores(&project, &program, "archive/latest").await;

    let filestore = project.filestore();
    let folder = ["import", dump.to_str().unwrap(), "--as", "other", "--filestore", filestore.to_str().unwrap()];
    program.run(folder).await.success();
    assert_restores(&project, &program, "other/latest").await;
    assert_nothing_left(&project);
}

#[tokio::test]
async fn real_odoo17_zip_is_imported_unchanged() {
    let Some(odoo17) = Odoo17::find() else { return };
    let options = ProjectOptions { source: Source::Odoo17(odoo17), ..ProjectOptions::default() };
    let project = Project::with(options).await;
    let program = initialised(&project).await;
    // Odoo's dump contains privileges of roles that may not exist elsewhere.
    project.cluster().psql_as(SUPERUSER, SUPERUSER, "CREATE ROLE reader");
    project.cluster().execute(INSTANCE, "GRANT SELECT ON res_partner TO reader");
    let zip = odoos_zip(&project, "");
    project.cluster().execute(INSTANCE, "REVOKE ALL ON res_partner FROM reader");
    project.cluster().psql_as(SUPERUSER, SUPERUSER, "DROP ROLE reader");
    let imported = program.run(["import", zip.to_str().unwrap(), "--as", INSTANCE, "--json"]).await.success().json();
    assert_eq!((&imported["database"]["name"], &imported["odoo_series"]), (&json!("shop"), &json!("17.0")));
    assert_eq!(imported["imported"]["odoo"], "17.0-20240101");
    assert_restores(&project, &program, "latest").await;
}

#[tokio::test]
async fn missing_or_foreign_files_are_warnings() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let edit = "import shutil; shutil.rmtree(root + '/filestore'); os.mkdir(root + '/sessions'); open(root + '/sessions/x', 'w')";
    let zip = odoos_zip(&project, edit);
    let imported = program.run(["import", zip.to_str().unwrap(), "--as", "archive"]).await.expect_code(3);
    for warning in [
        "there is no filestore to import",
        "1 entries of the zip are not part of an Odoo backup",
        "named by an attachment and not on disk",
    ] {
        assert!(imported.stderr.contains(warning), "{warning}: {}", imported.stderr);
    }
    assert_nothing_left(&project);
    program.run(["restore", "archive/latest", "--to", "staging"]).await.success();
    assert_same_content(project.database(), project.target_database()).await;
}

#[tokio::test]
async fn unusable_dump_leaves_nothing() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let witness = project.path("witness");
    let cases = [
        ("CREATE MATERIALIZED VIEW public.m AS SELECT 1 / 0;", "division by zero"),
        ("SELECT 1 / 0;", "`SELECT` is not a statement of a dump"),
        ("SELECT pg_catalog.setval('a', 1, true), pg_sleep(1);", "is not a statement of a dump"),
        ("COMMENT ON DATABASE production IS 'x';", "`COMMENT ON DATABASE` is not a statement of a dump"),
        ("COPY (SELECT 1) TO PROGRAM 'sh';", "is not a statement of a dump"),
        (
            "CREATE FUNCTION public.begin() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER DATABASE production RENAME TO x; SELECT 1 END;",
            "`ALTER DATABASE PRODUCTION` is not a statement of a dump",
        ),
        ("CREATE TABLE public.res_users (id integer);", "already exists"),
        (&format!("\\! touch {}", witness.display()), "psql's command \\!"),
        (&format!("SELECT 1 \\g {}", witness.display()), "psql's command \\g"),
        ("DROP DATABASE production;", "`DROP DATABASE PRODUCTION` is not a statement of a dump"),
        ("COPY public.res_users (id) FROM stdin;\nnot a number\n\\.\n", "invalid input syntax for type integer"),
        ("COPY public.res_users (id) FROM stdin;\n1\n", "in the middle of a table's rows"),
    ];
    for (text, reason) in cases {
        let edit = format!("open(root + '/dump.sql', 'a').write({:?})", format!("{text}\n"));
        let zip = odoos_zip(&project, &edit);
        let failed = program.run(["import", zip.to_str().unwrap(), "--as", "archive"]).await.expect_code(1);
        assert!(failed.stderr.contains(reason), "{reason}: {}", failed.stderr);
        assert!(failed.stderr.contains("dump.sql of odoos.zip"), "{}", failed.stderr);
        assert_nothing_left(&project);
        assert!(!witness.exists());
        fs::remove_dir_all(project.path("odoos")).unwrap();
    }
    assert!(program.run(["list"]).await.success().stdout.contains("no backups yet"));
    let unknown = program.run(["import", project.config().to_str().unwrap(), "--as", "archive"]).await.expect_code(1);
    assert!(unknown.stderr.contains("is neither a zip nor a pg_dump archive"), "{}", unknown.stderr);
    let name = program.run(["import", "x.zip", "--as", "../x"]).await.expect_code(2);
    assert!(name.stderr.contains("invalid name of an instance"), "{}", name.stderr);
}

#[tokio::test]
async fn role_running_programs_is_refused() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let zip = odoos_zip(&project, "");
    let user = project.cluster().user();
    project.cluster().psql_as(SUPERUSER, SUPERUSER, &format!("GRANT pg_execute_server_program TO {user}"));
    let refused = program.run(["import", zip.to_str().unwrap(), "--as", "archive"]).await.expect_code(1);
    assert!(refused.stderr.contains("can run programs or read files on its server"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--trusted"), "{}", refused.stderr);
    assert_nothing_left(&project);
    program.run(["import", zip.to_str().unwrap(), "--as", "archive", "--trusted"]).await.success();
}

/// Starts an import that hangs in the middle of its dump, and waits until it is there.
async fn stuck(project: &Project, program: &OdooBackup) -> harness::cli::Running {
    let zip = odoos_zip(
        project,
        "open(root + '/dump.sql', 'a').write('CREATE MATERIALIZED VIEW public.slow AS SELECT pg_sleep(600) IS NULL AS slept;\\n')",
    );
    // The server may not have noticed yet that the killed import is gone.
    let since = project.cluster().execute("postgres", "SELECT clock_timestamp()").trim().to_owned();
    let running = program.spawn(["import", zip.to_str().unwrap(), "--as", "archive"]);
    let watcher = project.cluster().connect("postgres").await;
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'odoo\\_backup\\_import\\_%' AND wait_event = 'PgSleep'
         AND backend_start > '{since}'"
    );
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while watcher.query_one(query.as_str(), &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
    running
}

fn scratch(project: &Project) -> Vec<String> {
    let folders = fs::read_dir(project.path("tmp")).unwrap();
    folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn interrupted_import_leaves_nothing_behind() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let running = stuck(&project, &program).await;
    running.signal(Signal::INT);
    running.wait().await.expect_code(130);
    assert_nothing_left(&project);

    fs::remove_dir_all(project.path("odoos")).unwrap();
    let killed = stuck(&project, &program).await;
    killed.signal(Signal::KILL);
    killed.wait().await;
    assert_eq!((project.cluster().databases().len(), scratch(&project).len()), (2, 1));
    fs::remove_dir_all(project.path("odoos")).unwrap();
    // The database of a running import is left alone, and so is one that only has a similar name.
    let name = "odoo_backup_import_cafe";
    project.cluster().create_database(name);
    fs::create_dir(project.path("tmp").join(".odoo_backup_import_notes")).unwrap();
    let other = stuck(&project, &program).await;
    assert_eq!(
        (project.cluster().databases().len(), scratch(&project).len()),
        (3, 2),
        "only the killed one's are gone"
    );
    other.signal(Signal::TERM);
    let other = other.wait().await.expect_code(130);
    assert!(other.stderr.contains("dropped the database \"odoo_backup_import_"), "{}", other.stderr);
    assert!(other.stderr.contains("removed the folder "), "{}", other.stderr);
    assert_eq!(project.cluster().databases(), [name, INSTANCE]);
    assert_eq!(scratch(&project), [".odoo_backup_import_notes"]);
}
