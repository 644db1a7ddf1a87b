//! Tests the life of the daemon from start to end.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::daemon::Service;

#[tokio::test]
async fn missed_backup_runs_and_sigterm_ends() {
    let service = Service::with("schedule = \"0 2 * * *\"", "").await;
    service.pretend_absence();
    let mut daemon = service.start();
    let ready = service.until_reported("READY=1").await;
    assert!(ready.contains("STATUS="), "{ready}");
    let outcomes = service.ended(&mut daemon, 1).await;
    assert_eq!(outcomes[0]["result"], "done", "{outcomes:?}");
    assert!(outcomes[0]["figures"]["stored_bytes"].as_u64().unwrap() > 0, "{outcomes:?}");
    let backups = service.backups().await;
    assert_eq!(backups.len(), 1);
    assert_eq!(backups[0]["id"], outcomes[0]["backup"]);

    // Only one daemon can use a state folder.
    let second = service.program.run(["daemon"]).await.expect_code(1);
    assert!(second.stderr.contains("in use by another process") && second.stderr.contains("state_dir"), "{second:?}");

    daemon.signal(Signal::TERM);
    service.until_reported("STOPPING=1").await;
    let run = daemon.wait().await.success();
    assert!(run.stderr.contains("daemon stopped"), "{}", run.stderr);
    // The slot counts as served, so nothing is left to catch up.
    let slots: Vec<_> = service.journal().into_iter().filter(|event| event["event"] == "slot").collect();
    assert_eq!(slots.len(), 2, "{slots:?}");
    assert!(slots[1]["slot"].as_str() > slots[0]["slot"].as_str(), "{slots:?}");
}

#[tokio::test]
async fn invalid_configuration_is_usage_error() {
    let service = Service::with("", "").await;
    service.configure("schedule = \"0 25 * * *\"\nretries = -1\nstall_timeout = \"0s\"", "max_concurrent = 0\n");
    let run = service.program.run(["daemon"]).await.expect_code(2);
    for expected in ["`schedule`: unable to read", "`retries`: expected", "`stall_timeout`", "`max_concurrent`"] {
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
}

#[tokio::test]
async fn reload_takes_only_valid_configuration() {
    let service = Service::with("", "").await;
    service.pretend_absence();
    let mut daemon = service.start();
    service.until_reported("READY=1").await;
    service.configure("schedul = \"0 2 * * *\"", "");
    daemon.signal(Signal::HUP);
    service.until_reported("RELOADING=1").await;
    service.until_reported("READY=1").await;
    service.configure("schedule = \"0 2 * * *\"", "");
    daemon.signal(Signal::HUP);
    service.until_reported("RELOADING=1").await;
    // It has a schedule now, and catches up on the backup it missed while it was away.
    let outcomes = service.ended(&mut daemon, 1).await;
    assert_eq!(outcomes[0]["result"], "done", "{outcomes:?}");
    daemon.signal(Signal::TERM);
    let run = daemon.wait().await.success();
    assert!(
        run.stderr.contains("the previous one stays in use") && run.stderr.contains("did you mean `schedule`"),
        "{}",
        run.stderr
    );
}

/// A read-only file system over a folder; unmounted when dropped.
struct ReadOnly(PathBuf);

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn unwritable_target_is_logged_at_start() {
    let service = Service::with("", "").await;
    let folder = service.project.data_dir();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "ro", "tmpfs"]).arg(&folder).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user may not mount");
        return;
    }
    let _mounted = ReadOnly(folder.clone());
    let daemon = service.start();
    service.until_reported("READY=1").await;
    daemon.signal(Signal::TERM);
    let run = daemon.wait().await.success();
    let said = format!("target staging: unable to write in {}", folder.display());
    assert!(run.stderr.contains(&said) && run.stderr.contains("ReadWritePaths="), "{}", run.stderr);
}
