//! Tests objects that reach beyond their database, and that not every server and role can restore.

use std::fs;

use harness::cli::OdooBackup;
use harness::compare::assert_same_content;
use harness::odoo_backup;
use harness::postgres::{Cluster, SUPERUSER};
use harness::project::{INSTANCE, Project, TARGET, TARGET_KEYS};

use super::{check, initialised, make_superuser};

/// What an operator's database may contain besides Odoo's tables.
const OBJECTS: &str = "
    CREATE TABLE secret (id int PRIMARY KEY, owner text); INSERT INTO secret SELECT i, 'odoo' FROM generate_series(1, 50) i;
    ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;
    CREATE POLICY of_reader ON secret FOR SELECT TO reader USING (id < 10);
    COMMENT ON POLICY of_reader ON secret IS 'goes with it';
    CREATE POLICY of_all ON secret USING (id < 20);
    CREATE TABLE elsewhere (id int) TABLESPACE fast; INSERT INTO elsewhere VALUES (1);
    CREATE INDEX elsewhere_id ON elsewhere (id) TABLESPACE fast;
    CREATE PUBLICATION everything FOR ALL TABLES; COMMENT ON PUBLICATION everything IS 'goes with it';
    CREATE PUBLICATION one_table FOR TABLE secret;
    CREATE FUNCTION nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION nothing();
    CREATE SUBSCRIPTION follower CONNECTION 'host=nowhere.invalid dbname=x' PUBLICATION p WITH (connect = false)";

const PRESENT: &str = "SELECT string_agg(name, ' ' ORDER BY name) FROM (
    SELECT pubname FROM pg_publication UNION ALL SELECT evtname FROM pg_event_trigger UNION ALL SELECT polname FROM pg_policy
    UNION ALL SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()) f(name)";

/// Returns a project whose database contains them, and a backup of it.
async fn backed_up() -> (Project, OdooBackup) {
    let project = Project::start().await;
    make_superuser(&project);
    let cluster = project.cluster();
    cluster.psql_as(SUPERUSER, SUPERUSER, "CREATE ROLE reader");
    create_tablespace(cluster);
    cluster.execute(INSTANCE, OBJECTS);
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    (project, program)
}

fn create_tablespace(cluster: &Cluster) {
    let mut psql = cluster.command("psql", SUPERUSER);
    psql.env("PGOPTIONS", "-c allow_in_place_tablespaces=on");
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", SUPERUSER]);
    assert!(psql.args(["--command", "CREATE TABLESPACE fast LOCATION ''"]).status().unwrap().success());
}

/// Connects the target to another server, which has neither the roles nor the tablespaces of the
/// instance.
fn use_other_server(project: &Project, target: &Cluster, keys: &str) {
    let config = format!(
        "[repository]\nurl = \"file://{}\"\n[instance.production]\nodoo_conf = \"{}\"\n[target.staging]\ndatabase = \"staging\"\n\
         host = \"{}\"\nport = {}\nuser = \"{}\"\nfilestore = \"{}\"\n{keys}\n",
        project.repository().display(),
        project.odoo_conf(INSTANCE).display(),
        target.host(),
        target.port(),
        target.user(),
        project.target_filestore().display(),
    );
    fs::write(project.config(), config).unwrap();
}

#[tokio::test]
async fn plain_role_restores_all_it_may() {
    let (project, program) = backed_up().await;
    let target = Cluster::start();
    use_other_server(&project, &target, TARGET_KEYS);
    let examined = program.run(["restore", "--to", TARGET, "--dry-run"]).await.success().stdout;
    for said in [
        "the publication everything will be left out: only a superuser may create it",
        "the event trigger watcher will be left out: only a superuser may create it",
        "the subscription follower will be left out: only a superuser may create it",
        "the policy secret of_reader will be left out: the server has no role \"reader\"",
        "the tablespaces \"fast\" are not on the server",
    ] {
        assert!(examined.contains(said), "{said:?}: {examined}");
    }
    let restored = program.run(["restore", "--to", TARGET, "--json"]).await.expect_code(3).json();
    let warnings = restored["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 5, "{warnings:#?}");
    let rows = target.psql_as(SUPERUSER, TARGET, "SELECT count(*) FROM secret");
    assert_eq!(rows.trim(), "50");
    assert_eq!(target.psql_as(SUPERUSER, TARGET, PRESENT).trim(), "of_all one_table");
    // The owner saw all rows during the verification of the copy, and now no longer does.
    assert_eq!(target.execute(TARGET, "SELECT count(*) FROM secret").trim(), "19");
}

#[tokio::test]
async fn superuser_restores_production_objects() {
    let (project, program) = backed_up().await;
    let target = Cluster::start();
    target.psql_as(SUPERUSER, SUPERUSER, "ALTER ROLE odoo SUPERUSER; CREATE ROLE reader");
    create_tablespace(&target);
    use_other_server(&project, &target, &format!("{TARGET_KEYS}\ntrusted = true"));
    let restored = program.run(["restore", "--to", TARGET, "--json"]).await.expect_code(3).json();
    let warnings = restored["warnings"].as_array().unwrap();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("restored disabled"), "{warnings:#?}");
    assert_same_content(project.database(), target.database(TARGET)).await;
    let enabled = target.execute(TARGET, "SELECT subenabled FROM pg_subscription");
    assert_eq!(enabled.trim(), "f");

    // The replaced database has a subscription, so it cannot be dropped. The output does not claim
    // that it was.
    let again = program.run(["restore", "--to", TARGET, "--drop-previous", "--force-production", TARGET]).await;
    let again = again.expect_code(3);
    let said = "is being used by logical replication subscription";
    assert!(again.stderr.contains(said) && again.stderr.contains("SET (slot_name = NONE)"), "{}", again.stderr);
    assert_eq!(target.databases().len(), 2, "{:?}", target.databases());
}

#[tokio::test]
async fn neutralized_copies_lack_external_objects() {
    let (project, program) = backed_up().await;
    let drilled = program.run(["drill", "--json"]).await.success().json();
    assert_eq!((&drilled["removed"], &drilled["warnings"]), (&true.into(), &serde_json::json!([])));
    let known = check(&drilled, "objects")["known"].to_string();
    for name in ["the subscription follower", "the event trigger watcher", "the publication everything"] {
        assert!(known.contains(&format!("{name} was left out: a neutralized copy has none")), "{known}");
    }
    assert_eq!(project.cluster().databases(), [INSTANCE]);
    project.write_target_keys("");
    program.run(["restore", "--to", TARGET]).await.success();
    assert_eq!(project.cluster().execute(TARGET, PRESENT).trim(), "of_all of_reader");
    let shown = program.run(["show", "latest"]).await.success().stdout;
    for line in
        ["2 publications: everything, one_table", "1 tablespace: fast", "2 policies: secret of_all, secret of_reader"]
    {
        assert!(shown.contains(&format!("  also has      {line}\n")), "{shown}");
    }
}

#[tokio::test]
async fn superusers_objects_are_named_before_restore() {
    let project = Project::start().await;
    project.cluster().psql_as(
        SUPERUSER,
        INSTANCE,
        "CREATE OPERATOR CLASS own_ops FOR TYPE int4 USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int4, int4);
         CREATE FUNCTION leaky() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'",
    );
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let examined = program.run(["restore", "--to", TARGET, "--dry-run"]).await.expect_code(1).stdout;
    let said = "only a superuser, not \"odoo\", may create these objects of the database: function public.leaky, operator class public.own_ops";
    assert!(examined.contains(said), "{examined}");
    let refused = program.run(["restore", "--to", TARGET]).await.expect_code(1);
    assert!(refused.stderr.contains("restore as a superuser"), "{}", refused.stderr);
    assert_eq!(project.cluster().databases(), [INSTANCE]);
    make_superuser(&project);
    program.run(["restore", "--to", TARGET]).await.success();
}

#[tokio::test]
async fn undumped_subscription_is_a_warning() {
    let project = Project::start().await;
    let create =
        "CREATE SUBSCRIPTION follower CONNECTION 'host=nowhere.invalid dbname=x' PUBLICATION p WITH (connect = false)";
    project.cluster().psql_as(SUPERUSER, INSTANCE, create);
    let program = initialised(&project).await;
    let made = program.run(["now", "--json"]).await.expect_code(3).json();
    let warnings = made["backups"][0]["warnings"].to_string();
    assert!(warnings.contains("subscriptions are not in the backup") && warnings.contains("follower"), "{warnings}");
}

#[tokio::test]
async fn forced_row_security_is_found_first() {
    let project = Project::start().await;
    project.cluster().execute(
        INSTANCE,
        "CREATE TABLE secret (id int); ALTER TABLE secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    );
    let program = initialised(&project).await;
    let doctor = program.run(["doctor"]).await.expect_code(1).stdout;
    assert!(doctor.contains("row-level security hides rows of public.secret from the role"), "{doctor}");
    let failed = program.run(["now"]).await.expect_code(1);
    assert!(failed.stderr.contains("hint: run ALTER ROLE … BYPASSRLS"), "{}", failed.stderr);
}

#[tokio::test]
async fn unrecorded_backup_skips_same_objects() {
    let (project, _) = backed_up().await;
    super::forget_source(&project);
    let target = Cluster::start();
    use_other_server(&project, &target, TARGET_KEYS);
    let program = odoo_backup!(project.config());
    let restored = program.run(["restore", "--to", TARGET, "--json"]).await.expect_code(3).json();
    assert_eq!(restored["warnings"].as_array().unwrap().len(), 5, "{restored}");
}
