//! Tests a restore that fails or is stopped in the middle.

use std::fs;

use harness::compare::assert_same_database;
use harness::project::Project;
use rustix::process::Signal;

use crate::faults::{assert_failed, assert_nothing_restored, initialised, replace_tool, until};

#[tokio::test]
async fn failed_pg_restore_leaves_nothing() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    for jobs in ["1", "2"] {
        replace_tool(&project, "pg_restore", "\"$REAL\" \"$@\"; echo 'pg_restore: error: so near' >&2; exit 1");
        assert_failed(program.run(["restore", "--to", "staging", "--jobs", jobs]).await, "pg_restore: error: so near");
        assert_nothing_restored(&project);
    }
    replace_tool(&project, "pg_restore", "head -c 1000 >&2; kill -9 $$");
    assert_failed(program.run(["restore", "--to", "staging", "--jobs", "1"]).await, "signal: 9 (SIGKILL)");
    assert_nothing_restored(&project);
}

#[tokio::test]
async fn unparsable_dump_goes_to_pg_restore() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    // As if a later pg_dump had created it.
    replace_tool(&project, "pg_dump", "exec \"$REAL\" \"$@\" --compress=1");
    program.run(["now"]).await.expect_code(3);
    let run = program.run(["restore", "--to", "staging", "--jobs", "2"]).await.expect_code(3);
    let warning = "restoring with one job, because of the dump: its data is compressed";
    assert!(run.stderr.contains(warning), "{}", run.stderr);
    assert!(run.stdout.contains(" with 1 job"), "{}", run.stdout);
    assert_same_database(project.database(), project.target_database()).await;
}

#[tokio::test]
async fn differing_copy_is_dropped() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let psql = project.cluster().bin("psql");
    // The program runs it several times. The first time there is no table yet.
    let delete = "DELETE FROM public.ir_sequence WHERE id = 1";
    let tamper = format!("\"$REAL\" \"$@\" && {{ '{}' -qc '{delete}' 2>/dev/null || true; }}", psql.display());
    replace_tool(&project, "pg_restore", &tamper);
    let run = program.run(["restore", "--to", "staging"]).await;
    assert!(run.stderr.contains("public.ir_sequence has 2 rows, and 3 were backed up"), "{}", run.stderr);
    assert_failed(run, "the restored copy differs from the backup: rows: ");
    assert_nothing_restored(&project);
    let listed = program.run(["list", "--json"]).await.success().json();
    let backup = &listed["backups"][0];
    assert_eq!((&backup["proven"], &backup["proof"]["outcome"]), (&serde_json::Value::Null, &"failed".into()));
    let shown = program.run(["show", "latest", "--json"]).await.success().json();
    let failed = |check: &serde_json::Value| check["subject"] == "rows" && check["outcome"] == "failed";
    assert!(shown["proof"]["verification"]["checks"].as_array().unwrap().iter().any(failed), "{}", shown["proof"]);
}

#[tokio::test]
async fn stopped_restore_leaves_nothing() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let waiting = project.path("waiting");
    replace_tool(&project, "pg_restore", &format!("touch '{}'; exec sleep 600", waiting.display()));
    for jobs in ["1", "2"] {
        let running = program.spawn(["restore", "--to", "staging", "--jobs", jobs]);
        until("pg_restore has begun", async || waiting.exists()).await;
        running.signal(Signal::INT);
        running.wait().await.expect_code(130);
        fs::remove_file(&waiting).unwrap();
        assert_nothing_restored(&project);
    }
}

#[tokio::test]
async fn target_used_meanwhile_is_kept() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    program.run(["restore", "--to", "staging"]).await.success();
    let other = "UPDATE ir_config_parameter SET value = 'another' WHERE key = 'database.uuid'";
    project.cluster().execute("staging", other);
    let (begun, proceed) = (project.path("begun"), project.path("go_on"));
    let script = format!(
        "touch '{}'; until [ -e '{}' ]; do sleep 0.1; done; exec \"$REAL\" \"$@\"",
        begun.display(),
        proceed.display()
    );
    replace_tool(&project, "pg_restore", &script);
    let running = program.spawn(["restore", "--to", "staging"]);
    until("pg_restore has begun", async || begun.exists()).await;
    let odoo = project.cluster().connect("staging").await;
    odoo.batch_execute("SET application_name = 'odoo-4711'").await.unwrap();
    fs::write(&proceed, "").unwrap();
    let run = running.wait().await;
    assert!(run.stderr.contains("reason: the database \"staging\" is not neutralized, and is in use by odoo-4711"));
    assert_failed(run, "the restore was refused");
    odoo.simple_query("SELECT 1").await.unwrap();
    assert_eq!(project.cluster().databases(), ["production", "staging"]);
    assert_eq!(fs::read_dir(project.data_dir().join("filestore")).unwrap().count(), 2);
}

#[tokio::test]
async fn unprivileged_role_restores_nothing() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    project.cluster().psql_as("postgres", "production", "CREATE EXTENSION dblink");
    program.run(["now"]).await.success();
    let role = project.cluster().user();
    project.cluster().psql_as("postgres", "postgres", &format!("ALTER ROLE {role} NOCREATEDB"));
    let run = program.run(["restore", "--to", "staging"]).await;
    assert!(
        run.stderr.contains("reason: the database has the extension dblink, which on this server only a superuser")
    );
    assert!(run.stderr.contains("run `ALTER ROLE \"odoo\" CREATEDB"), "{}", run.stderr);
    assert_failed(run, "reason: the role \"odoo\" may not create databases");
    assert_nothing_restored(&project);
    let doctor = program.run(["doctor"]).await.expect_code(1);
    assert!(doctor.stdout.contains("FAILED   create databases"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("CREATEDB"), "{}", doctor.stdout);
    project.cluster().psql_as("postgres", "postgres", &format!("ALTER ROLE {role} CREATEDB"));
    let run = program.run(["restore", "--to", "staging", "--json"]).await.expect_code(1).json();
    let obstacles = run["error"]["obstacles"].as_array().unwrap();
    assert!(obstacles.len() == 1 && obstacles[0]["check"] == "extensions", "{run}");
    assert_nothing_restored(&project);
}
