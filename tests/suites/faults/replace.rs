//! Tests a restore over an existing target with a failure at each of its steps: afterwards the
//! target is unchanged, row by row and file by file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::cli::{OdooBackup, Running};
use harness::compare::{assert_same_database, assert_same_tree, file_paths};
use harness::postgres::SUPERUSER;
use harness::project::Project;
use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::Client;

use crate::faults::full_disk::SmallDisk;
use crate::faults::{assert_failed, assert_locked, children, initialised, replace_tool, until};

/// A project with a backup, and with a target that differs from it and has a copy.
struct Existing {
    project: Project,
    program: OdooBackup,
}

const COPY: &str = "copy";
/// The file that makes the target's folder one of Odoo's.
const FILE: &str = "ab/abcdef0123456789abcdef0123456789abcdef01";

impl Existing {
    async fn start() -> Self {
        let project = Project::start().await;
        let program = initialised(&project).await;
        program.run(["now"]).await.success();
        let cluster = project.cluster();
        cluster.execute("postgres", "CREATE DATABASE staging TEMPLATE production");
        // A copy that may be replaced. A value of the sequence would change with a crash.
        let neutral =
            "INSERT INTO ir_config_parameter (id, key, value) VALUES (1000, 'database.is_neutralized', 'true')";
        let mine = "CREATE TABLE mine AS SELECT 'only here' AS what; DELETE FROM mail_message";
        cluster.execute("staging", &format!("{mine}; {neutral}"));
        cluster.execute("postgres", &format!("CREATE DATABASE {COPY} TEMPLATE staging"));
        let existing = Self { project, program };
        fs::create_dir_all(existing.project.target_filestore().join("ab")).unwrap();
        fs::write(existing.project.target_filestore().join(FILE), "only here").unwrap();
        copy_folder(&existing.project.target_filestore(), &existing.copied_files());
        existing
    }

    fn copied_files(&self) -> PathBuf {
        self.project.path("copy")
    }

    fn restore(&self, jobs: &str) -> Running {
        self.program.spawn(["restore", "--to", "staging", "--jobs", jobs])
    }

    async fn assert_target_unchanged(&self) {
        let cluster = self.project.cluster();
        assert_same_database(cluster.database(COPY), self.project.target_database()).await;
        assert_same_tree(&self.copied_files(), &self.project.target_filestore(), &[]);
    }

    /// Checks that the target is unchanged and that there are no leftovers.
    async fn assert_untouched(&self) {
        self.assert_target_unchanged().await;
        assert_eq!(self.project.cluster().databases(), [COPY, "production", "staging"]);
        let data = self.project.data_dir();
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&data.join("filestore")), ["production", "staging"]);
        assert_eq!(names(&data), ["filestore"]);
    }

    /// Returns the output of the next run, which removes the leftovers of the killed one and has
    /// nothing to undo.
    async fn clear(&self) -> String {
        let next = self.program.run(["restore", "--undo", "--to", "staging"]).await.expect_code(1);
        assert!(next.stderr.contains("no previous state of staging is kept"), "{}", next.stderr);
        next.stderr
    }

    /// Installs a program in place of pg_restore that waits until it is killed.
    fn hold_pg_restore(&self) -> PathBuf {
        let waiting = self.project.path("waiting");
        replace_tool(&self.project, "pg_restore", &format!("touch '{}'; exec sleep 600", waiting.display()));
        waiting
    }

    /// Starts a transaction that makes the restore wait at a statement of its swap.
    async fn hold(&self, at: &str) -> Client {
        let client = self.project.cluster().connect_as(SUPERUSER, "postgres").await;
        client.batch_execute(&format!("BEGIN; {at}")).await.unwrap();
        client
    }

    async fn until_it_waits(&self) -> i32 {
        let watcher = self.project.cluster().connect_as(SUPERUSER, "postgres").await;
        let query =
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'odoo-backup' AND wait_event_type = 'Lock'
            AND query ~ 'ALTER DATABASE'";
        until("the swap waits", async || watcher.query_opt(query, &[]).await.unwrap().is_some()).await;
        watcher.query_one(query, &[]).await.unwrap().get(0)
    }
}

/// Waits at the first change of the target's database: the connection limit.
const AT_CLOSING: &str = "ALTER DATABASE staging CONNECTION LIMIT 50";
/// Waits at the renaming, after the folders have been swapped.
const AT_RENAMING: &str = "COMMENT ON DATABASE staging IS 'held'";

fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[tokio::test]
async fn interrupted_pg_restore_leaves_target_unchanged() {
    let existing = Existing::start().await;
    let waiting = existing.hold_pg_restore();
    for (signal, jobs) in [(Signal::INT, "1"), (Signal::TERM, "2"), (Signal::KILL, "1"), (Signal::KILL, "2")] {
        let running = existing.restore(jobs);
        until("pg_restore has begun", async || waiting.exists()).await;
        fs::remove_file(&waiting).unwrap();
        let orphans = children(running.pid());
        running.signal(signal);
        let run = running.wait().await;
        if signal == Signal::KILL {
            assert_eq!(run.code, None);
            existing.assert_target_unchanged().await;
            for pid in orphans {
                // It may have ended already.
                let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            }
            let next = existing.clear().await;
            assert!(next.contains("dropped the database \"staging_restoring_"), "{next}");
            assert_eq!(next.matches("removed the folder").count(), 2, "the files and the scratch: {next}");
        } else {
            run.expect_code(130);
        }
        existing.assert_untouched().await;
    }
}

#[tokio::test]
async fn killed_swap_is_reverted() {
    let existing = Existing::start().await;
    for at in [AT_CLOSING, AT_RENAMING] {
        let holder = existing.hold(at).await;
        let running = existing.restore("2");
        let session = existing.until_it_waits().await;
        running.signal(Signal::KILL);
        assert_eq!(running.wait().await.code, None);
        // Its last statement, which the server would still execute, is lost as well.
        holder.execute("SELECT pg_terminate_backend($1)", &[&session]).await.unwrap();
        holder.batch_execute("ROLLBACK").await.unwrap();
        let next = existing.clear().await;
        assert!(next.contains("reverted the swap of \"staging\""), "{next}");
        existing.assert_untouched().await;
    }
}

#[tokio::test]
async fn killed_swap_after_rename_is_finished() {
    let existing = Existing::start().await;
    let holder = existing.hold(AT_RENAMING).await;
    let running = existing.restore("2");
    existing.until_it_waits().await;
    running.signal(Signal::KILL);
    running.wait().await;
    // The server executes the statement, and finds only then that the client is gone.
    holder.batch_execute("ROLLBACK").await.unwrap();
    let next = existing.program.run(["restore", "--undo", "--to", "staging"]).await.success();
    assert!(next.stderr.contains("finished the swap of \"staging\""), "{}", next.stderr);
    existing.assert_target_unchanged().await;
    existing.program.run(["restore", "--undo", "--to", "staging"]).await.success();
    assert_same_database(existing.project.database(), existing.project.target_database()).await;
    assert_same_tree(&existing.project.filestore(), &existing.project.target_filestore(), &["checklist"]);
}

#[tokio::test]
async fn stopped_swap_completes() {
    let existing = Existing::start().await;
    let holder = existing.hold(AT_RENAMING).await;
    let running = existing.restore("2");
    existing.until_it_waits().await;
    running.signal(Signal::INT);
    holder.batch_execute("ROLLBACK").await.unwrap();
    let run = running.wait().await.success();
    assert!(run.stdout.contains("-quick-passed.json"), "{}", run.stdout);
    assert_same_database(existing.project.database(), existing.project.target_database()).await;
    existing.program.run(["restore", "--undo", "--to", "staging"]).await.success();
    existing.assert_target_unchanged().await;
}

#[tokio::test]
async fn lost_server_leaves_target_unchanged() {
    let mut existing = Existing::start().await;
    let holder = existing.hold(AT_RENAMING).await;
    let running = existing.restore("2");
    existing.until_it_waits().await;
    existing.project.cluster_mut().kill();
    let run = running.wait().await;
    assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    assert_failed(run, "are only half swapped");
    drop(holder);
    existing.project.cluster_mut().restart();
    assert!(existing.clear().await.contains("reverted the swap"));
    existing.assert_untouched().await;

    let waiting = existing.project.path("waiting");
    let proceed = existing.project.path("go_on");
    replace_tool(
        &existing.project,
        "pg_restore",
        &format!(
            "touch '{}'; while [ ! -e '{}' ]; do sleep 0.05; done; exec \"$REAL\" \"$@\"",
            waiting.display(),
            proceed.display()
        ),
    );
    let running = existing.restore("2");
    until("pg_restore has begun", async || waiting.exists()).await;
    existing.project.cluster_mut().restart();
    fs::write(&proceed, "").unwrap();
    assert_failed(running.wait().await, "connection closed");
    existing.assert_untouched().await;
}

#[tokio::test]
async fn failed_replacement_leaves_target_unchanged() {
    let existing = Existing::start().await;
    for jobs in ["1", "2"] {
        replace_tool(
            &existing.project,
            "pg_restore",
            "\"$REAL\" \"$@\"; echo 'pg_restore: error: so near' >&2; exit 1",
        );
        assert_failed(existing.restore(jobs).wait().await, "pg_restore: error: so near");
        existing.assert_untouched().await;
    }
    replace_tool(&existing.project, "pg_restore", "exec \"$REAL\" \"$@\"");
    let volumes = file_paths(&existing.project.repository());
    let volume = volumes.iter().find(|path| path.to_string_lossy().ends_with(".tar.zst")).unwrap();
    fs::remove_file(existing.project.repository().join(volume)).unwrap();
    assert_failed(existing.restore("2").wait().await, "filestore-0001.tar.zst");
    existing.assert_untouched().await;
}

#[tokio::test]
async fn second_restore_to_target_is_refused() {
    let existing = Existing::start().await;
    let holder = existing.hold(AT_RENAMING).await;
    let first = existing.restore("1");
    existing.until_it_waits().await;
    assert_locked(existing.restore("1").wait().await, "another restore to the database \"staging\" is running");
    holder.batch_execute("ROLLBACK").await.unwrap();
    first.wait().await.success();
    assert_same_database(existing.project.database(), existing.project.target_database()).await;
}

#[tokio::test]
async fn mounted_filestore_is_not_replaced() {
    let existing = Existing::start().await;
    let filestore = existing.project.target_filestore();
    let Some(disk) = SmallDisk::mount(&filestore, "8m") else { return };
    fs::write(filestore.join("mine"), "on the disk").unwrap();
    assert_failed(existing.restore("2").wait().await, "it is a mount point");
    assert_eq!(fs::read_to_string(filestore.join("mine")).unwrap(), "on the disk");
    drop(disk);
    existing.assert_untouched().await;
}
