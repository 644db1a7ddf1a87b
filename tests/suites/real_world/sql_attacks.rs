//! Tests databases whose owner attacks the role that backs them up: nothing of the database's own
//! code runs.

use std::fs;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::postgres::SUPERUSER;
use harness::project::{INSTANCE, Project, TARGET, TARGET_KEYS};

/// A role that may read everything and owns nothing.
const READER: &str = "reader";

/// Returns the project, and the program that connects to the instance as `role`, with a new
/// repository.
async fn connecting_as(role: &str) -> (Project, OdooBackup) {
    let project = Project::start().await;
    let cluster = project.cluster();
    cluster.psql_as(SUPERUSER, SUPERUSER, &format!("CREATE ROLE {READER} LOGIN; GRANT pg_read_all_data TO {READER}"));
    let config = fs::read_to_string(project.config()).unwrap();
    let instance = format!("database = \"{INSTANCE}\"\n");
    fs::write(project.config(), config.replacen(&instance, &format!("{instance}user = \"{role}\"\n"), 1)).unwrap();
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    (project, program)
}

/// What a planted function does when a session of the program calls it.
const EVIL: &str =
    "IF current_setting('application_name') = 'odoo-backup' THEN RAISE 'evil runs as %', current_user; END IF;";

/// Checks the server's log, which shows every function that ran, whatever the program reported.
#[track_caller]
fn nothing_ran(project: &Project, what: &str) {
    let log = project.cluster().log();
    let ran: Vec<_> = log.lines().filter(|line| line.contains("evil runs")).collect();
    assert!(ran.is_empty(), "{what}: {ran:?}\n{log}");
}

/// Returns operators, functions and casts for exact types: they take precedence over those of
/// pg_catalog if their schema is searched.
fn planted(schema: &str) -> String {
    let mut sql = format!("CREATE SCHEMA IF NOT EXISTS {schema};");
    for kind in ["text", "varchar", "name", "int", "bigint", "bool", "oid", "timestamp", "interval"] {
        for (function, operator) in
            [("same", "="), ("other", "<>"), ("less", "<"), ("greater", ">"), ("atmost", "<="), ("like", "~")]
        {
            sql.push_str(&format!(
                "CREATE FUNCTION {schema}.{function}({kind}, {kind}) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
                     $$BEGIN {EVIL} RETURN true; END$$;
                 CREATE OPERATOR {schema}.{operator} (FUNCTION = {schema}.{function}, LEFTARG = {kind}, RIGHTARG = {kind});"
            ));
        }
    }
    let functions = [
        ("lower(text)", "text"),
        ("lower(varchar)", "text"),
        ("to_regclass(text)", "regclass"),
        ("current_setting(text)", "text"),
        ("set_config(text, text, bool)", "text"),
        ("pg_backend_pid()", "int"),
        ("pg_export_snapshot()", "text"),
        ("pg_is_in_recovery()", "bool"),
        ("pg_database_size(name)", "bigint"),
        ("pg_encoding_to_char(int)", "name"),
        ("has_table_privilege(oid, text)", "bool"),
        ("pg_advisory_xact_lock(bigint)", "void"),
        ("now()", "timestamptz"),
        ("max(timestamp)", "timestamp"),
        ("starts_with(text, text)", "bool"),
        ("array_agg(text)", "text"),
        ("unnest(text[])", "text"),
    ];
    for (signature, result) in functions {
        let answer = if result == "void" { "" } else { "RETURN NULL;" };
        sql.push_str(&format!(
            "CREATE FUNCTION {schema}.{signature} RETURNS {result} LANGUAGE plpgsql AS $$BEGIN {EVIL} {answer} END$$;"
        ));
    }
    sql
}

/// Runs every command that reads the database, each with the exit codes that it may have.
async fn read_everything(project: &Project, program: &OdooBackup, what: &str) {
    for arguments in [["doctor"].as_slice(), &["now"], &["restore", "--to", TARGET, "--dry-run"]] {
        let run = program.run(arguments).await;
        assert!(
            !run.stderr.contains("evil runs") && !run.stdout.contains("evil runs"),
            "{what}: {}\n{}",
            run.stdout,
            run.stderr
        );
        nothing_ran(project, &format!("{what}: {arguments:?}"));
    }
}

async fn planted_operators_do_not_run(role: &str) {
    let (project, program) = connecting_as(role).await;
    let cluster = project.cluster();
    cluster.execute(INSTANCE, &planted("public"));
    cluster.execute(INSTANCE, &planted("evil"));
    cluster.execute(INSTANCE, &format!("ALTER DATABASE {INSTANCE} SET search_path = evil, pg_catalog, public"));
    read_everything(&project, &program, role).await;
    program.run(["now"]).await.success();
    nothing_ran(&project, "now");
}

#[tokio::test]
async fn superusers_run_no_planted_operators() {
    planted_operators_do_not_run(SUPERUSER).await;
}

#[tokio::test]
async fn readers_run_no_planted_operators() {
    planted_operators_do_not_run(READER).await;
}

#[tokio::test]
async fn copies_run_no_planted_operators() {
    let project = Project::start().await;
    project.cluster().execute(INSTANCE, &planted("public"));
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    assert!(fs::read_to_string(project.config()).unwrap().contains(TARGET_KEYS));
    // The verification, and in the second restore the check of the target, read a copy with all of
    // it.
    program.run(["restore", "--to", TARGET]).await.success();
    program.run(["restore", "--to", TARGET, "--dry-run"]).await;
    nothing_ran(&project, "restore");
}

/// Backs up while a view that calls a function replaces a table, for several tables.
async fn views_are_not_read(role: &str) {
    let (project, program) = connecting_as(role).await;
    let cluster = project.cluster();
    cluster.execute(
        INSTANCE,
        &format!("CREATE FUNCTION evil(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN {EVIL} RETURN $1; END$$"),
    );
    for (table, column) in [("ir_config_parameter", "value"), ("ir_attachment", "name"), ("ir_module_module", "name")] {
        cluster.execute(
            INSTANCE,
            &format!(
                "ALTER TABLE {table} RENAME TO former;
                 CREATE VIEW {table} AS SELECT f.*, evil(f.{column}::text) AS planted FROM former f WHERE evil('x') IS NOT NULL"
            ),
        );
        read_everything(&project, &program, table).await;
        let made = program.run(["now", "--json"]).await;
        assert!(made.code == Some(0) || made.code == Some(3), "{}", made.stderr);
        if table != "ir_config_parameter" {
            made.expect_code(3);
        }
        cluster.execute(INSTANCE, &format!("DROP VIEW {table}; ALTER TABLE former RENAME TO {table}"));
    }
}

#[tokio::test]
async fn views_are_not_read_by_superusers() {
    views_are_not_read(SUPERUSER).await;
}

#[tokio::test]
async fn views_are_not_read_by_readers() {
    views_are_not_read(READER).await;
}

#[tokio::test]
async fn functions_of_indexes_do_not_run() {
    let (project, program) = connecting_as(SUPERUSER).await;
    project.cluster().execute(
        INSTANCE,
        &format!(
            "CREATE FUNCTION evil(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$BEGIN {EVIL} RETURN true; END$$;
             CREATE INDEX ON ir_config_parameter (key) WHERE evil(1);
             CREATE INDEX ON ir_attachment (id) WHERE evil(2);
             CREATE INDEX ON res_users (id) WHERE evil(3)"
        ),
    );
    read_everything(&project, &program, "indexes").await;
    let run = program.run(["now"]).await.expect_code(3);
    assert!(run.stderr.contains("ir_attachment is not read: it depends on the function evil"), "{}", run.stderr);
}

#[tokio::test]
async fn superuser_roles_are_named() {
    let (_project, program) = connecting_as(SUPERUSER).await;
    let run = program.run(["doctor"]).await;
    assert!(run.stdout.contains("superuser"), "{}", run.stdout);
    let run = program.run(["now"]).await.success();
    assert!(run.stderr.contains("superuser"), "{}", run.stderr);
}
