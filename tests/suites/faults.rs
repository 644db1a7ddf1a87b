//! Tests failures in the middle of an operation: a clear error, nothing visible, no leftovers.

mod backup;
mod drill;
pub(crate) mod full_disk;
mod killed;
mod locks;
mod replace;
mod restore;
mod s3;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use harness::cli::{OdooBackup, Run};
use harness::compare::file_paths;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project};
use tokio_postgres::Client;

/// Returns the program with the project's configuration, and creates the repository.
async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Polls until the condition holds, for actions of another process.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("still not: {what}"));
}

/// Locks a table as only a schema change does: pg_dump, and with it the whole backup, waits until
/// this is dropped.
async fn hold_pg_dump(project: &Project) -> Client {
    let client = project.cluster().connect(INSTANCE).await;
    client.batch_execute("BEGIN; LOCK TABLE mail_message IN ACCESS EXCLUSIVE MODE").await.unwrap();
    client
}

/// Waits until pg_dump waits for the lock.
async fn until_pg_dump_waits(project: &Project) {
    let watcher = project.cluster().connect("postgres").await;
    let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'production' AND wait_event_type = 'Lock'";
    until("pg_dump waits", async || watcher.query_one(query, &[]).await.unwrap().get::<_, i64>(0) > 0).await;
}

/// Returns the process ids of a process's children.
fn children(pid: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect()
}

/// Replaces a program of PostgreSQL with a shell script, in which `$REAL` is the real program.
/// Calls that only ask for the version or a list reach the real one.
fn replace_tool(project: &Project, name: &str, script: &str) {
    let folder = project.path("tools");
    fs::create_dir_all(&folder).unwrap();
    for tool in ["pg_dump", "pg_restore"] {
        let real = project.cluster().bin(tool);
        let script = if tool == name { script } else { "exec \"$REAL\" \"$@\"" };
        let text = format!(
            "#!/bin/sh\nREAL='{}'\ncase $1 in --version|--list) exec \"$REAL\" \"$@\";; esac\n{script}\n",
            real.display()
        );
        fs::write(folder.join(tool), text).unwrap();
        fs::set_permissions(folder.join(tool), PermissionsExt::from_mode(0o700)).unwrap();
    }
    let config = fs::read_to_string(project.config()).unwrap();
    if config.contains("pg_path") {
        return;
    }
    let config = config.replace("odoo_conf =", &format!("pg_path = \"{}\"\nodoo_conf =", folder.display()));
    fs::write(project.config(), config).unwrap();
}

/// Checks that there is only the repository itself: neither objects nor temporary files.
#[track_caller]
fn assert_repository_empty(project: &Project) {
    assert_eq!(file_paths(&project.repository()), [Path::new("RESTORE.txt"), Path::new("repository.json")]);
}

/// Checks that there is neither database nor folder, under any name, and no temporary folder.
#[track_caller]
fn assert_nothing_restored(project: &Project) {
    assert_eq!(project.cluster().databases(), ["production"]);
    let data = project.data_dir();
    for folder in [data.clone(), data.join("filestore")] {
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "something is left in {}", folder.display());
    }
}

/// Checks that the message names the cause, and that the exit code is that of a failure.
#[track_caller]
fn assert_failed(run: Run, cause: &str) {
    assert_ended(run, 1, cause);
}

/// Checks that the message names the cause, and that the exit code says that it is locked.
#[track_caller]
fn assert_locked(run: Run, cause: &str) {
    assert_ended(run, 11, cause);
}

#[track_caller]
fn assert_ended(run: Run, code: i32, cause: &str) {
    let run = run.expect_code(code);
    assert!(run.stderr.contains("error: unable to "), "{}", run.stderr);
    assert!(run.stderr.contains(cause), "{cause:?} is not in:\n{}", run.stderr);
}
