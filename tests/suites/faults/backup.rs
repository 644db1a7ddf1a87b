//! Tests a backup that fails or is stopped in the middle.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::project::Project;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::faults::{
    assert_failed, assert_repository_empty, children, hold_pg_dump, initialised, replace_tool, until,
    until_pg_dump_waits,
};

#[tokio::test]
async fn pg_dump_killed_halfway_fails_backup() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    replace_tool(&project, "pg_dump", "\"$REAL\" \"$@\" | head -c 200000; kill -9 $$");
    assert_failed(program.run(["now"]).await, "pg_dump failed (signal: 9 (SIGKILL)) on database \"production\"");
    assert_repository_empty(&project);
    assert!(program.run(["list"]).await.success().stdout.contains("no backups yet"));
}

#[tokio::test]
async fn pg_dump_failing_late_fails_backup() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    replace_tool(&project, "pg_dump", "\"$REAL\" \"$@\"; echo 'pg_dump: error: so near' >&2; exit 1");
    assert_failed(program.run(["now"]).await, "pg_dump: error: so near");
    assert_repository_empty(&project);
}

#[tokio::test]
async fn waiting_pg_dump_killed_fails_backup() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let _lock = hold_pg_dump(&project).await;
    let running = program.spawn(["now"]);
    until_pg_dump_waits(&project).await;
    for pid in children(running.pid()) {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
    assert_failed(running.wait().await, "pg_dump failed (signal: 9 (SIGKILL))");
    assert_repository_empty(&project);
}

#[tokio::test]
async fn dead_postgresql_server_fails_backup() {
    let mut project = Project::start().await;
    let program = initialised(&project).await;
    let lock = hold_pg_dump(&project).await;
    let running = program.spawn(["now"]);
    until_pg_dump_waits(&project).await;
    project.cluster_mut().kill();
    drop(lock);
    let run = running.wait().await.expect_code(1);
    // Either of the two connections may notice it first.
    let said = ["pg_dump failed (exit status: 1)", "because: connection closed"];
    assert!(said.iter().any(|said| run.stderr.contains(said)), "{}", run.stderr);
    assert_repository_empty(&project);
}

#[tokio::test]
async fn stopped_backup_exits_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let project = Project::start().await;
        let program = initialised(&project).await;
        let _lock = hold_pg_dump(&project).await;
        let running = program.spawn(["now"]);
        until_pg_dump_waits(&project).await;
        let pg_dump = Pid::from_raw(children(running.pid())[0]).unwrap();
        running.signal(signal);
        // The lock is still held, so the test does not wait for the end of the backup here.
        let run = running.wait().await.expect_code(130);
        assert!(run.stderr.contains("because: interrupted"), "{}", run.stderr);
        until("pg_dump is gone", async || test_kill_process(pg_dump).is_err()).await;
        assert_repository_empty(&project);
    }
}

#[tokio::test]
async fn killed_backup_leaves_nothing_visible() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let lock = hold_pg_dump(&project).await;
    let running = program.spawn(["now"]);
    until_pg_dump_waits(&project).await;
    running.signal(Signal::KILL);
    running.wait().await;
    assert!(program.run(["list"]).await.success().stdout.contains("no backups yet"));
    drop(lock);
    program.run(["now"]).await.success();
    program.run(["check", "--read-data"]).await.success();
    program.run(["restore", "--to", "staging"]).await.success();
}

#[tokio::test]
async fn changing_file_is_stored_with_warning() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let path = project.filestore().join("growing");
    // Large enough that the writer below appends while the file is read.
    fs::File::create(&path).unwrap().set_len(256 * 1024 * 1024).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, mut file) = (stop.clone(), OpenOptions::new().append(true).open(&path).unwrap());
    let writer = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            file.write_all(b"more").unwrap();
        }
    });
    let run = program.run(["now"]).await;
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    // Stored with a warning: Odoo never changes a file, so the file is not Odoo's and no reason to
    // fail the backup.
    let run = run.expect_code(3);
    assert!(run.stderr.contains("warning: production: 1 file changed while being read"), "{}", run.stderr);
    program.run(["check", "--read-data"]).await.success();
}

#[tokio::test]
async fn accept_missing_backs_up_without_filestore() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    fs::rename(project.filestore(), project.path("aside")).unwrap();
    let run = program.run(["now", "--accept-missing"]).await.expect_code(3);
    assert!(run.stderr.contains("unable to read the filestore: "), "{}", run.stderr);
    assert!(run.stderr.contains(" named by an attachment and not on disk: lost at the source"), "{}", run.stderr);
    fs::create_dir(project.filestore()).unwrap();
    let run = program.run(["now", "--json", "--accept-missing"]).await.expect_code(3).json();
    let findings = &run["backups"][0]["filestore"]["findings"];
    let named = "SELECT count(DISTINCT store_fname) FROM ir_attachment WHERE store_fname LIKE '__/%'";
    let named: usize = project.cluster().execute("production", named).trim().parse().unwrap();
    assert_eq!(findings["missing"].as_array().unwrap().len(), named, "{findings}");
    program.run(["check", "--read-data"]).await.success();
    program.run(["restore", "--to", "staging"]).await.success();
}

#[tokio::test]
async fn uncountable_rows_are_a_warning() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    replace_tool(&project, "pg_dump", "exec \"$REAL\" \"$@\" --compress=1");
    let now = program.run(["now", "--json"]).await.expect_code(3).json();
    let warning = now["backups"][0]["warnings"][0].as_str().unwrap();
    assert!(warning.ends_with("a restore cannot compare them: its data is compressed"), "{warning}");
    assert!(now["backups"][0]["database"]["rows"].is_null());
    let restore = program.run(["restore", "--to", "staging"]).await.expect_code(3);
    assert!(restore.stderr.contains("no proof of the backup is stored"), "{}", restore.stderr);
}
