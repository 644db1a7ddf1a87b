//! Tests a running backup when the daemon ends, and a backup that hangs.

use std::fs;

use harness::http::Client;
use rustix::process::Signal;
use serde_json::json;

use crate::daemon::{Service, wait_for};

/// Returns the objects in the repository, except those of `init` and of locks.
fn stored(service: &Service) -> Vec<String> {
    let folder = service.project.repository().join("production");
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn sigterm_during_backup_leaves_nothing() {
    let service = Service::with("schedule = \"0 2 * * *\"", "shutdown_grace = \"0s\"\n").await;
    service.pretend_absence();
    let held = service.hold_pg_dump().await;
    let mut daemon = service.start();
    service.until_pg_dump_waits(&mut daemon).await;
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
    assert_eq!(service.outcomes()[0]["result"], "cancelled");
    assert!(service.backups().await.is_empty());
    assert_eq!(stored(&service), [""; 0]);
    let locks = service.program.run(["unlock", "--list", "--json"]).await.success();
    assert!(!locks.stdout.contains("production"), "{}", locks.stdout);

    drop(held);
    let mut daemon = service.start();
    let outcomes = service.ended(&mut daemon, 2).await;
    assert_eq!(outcomes[1]["result"], "done", "{outcomes:?}");
    assert_eq!(service.backups().await.len(), 1);
}

#[tokio::test]
async fn killed_daemon_loses_run_and_recovers() {
    let service = Service::with("schedule = \"0 2 * * *\"", "").await;
    service.pretend_absence();
    let held = service.hold_pg_dump().await;
    let mut daemon = service.start();
    service.until_pg_dump_waits(&mut daemon).await;
    daemon.signal(Signal::KILL);
    daemon.wait().await;
    drop(held);
    let status = service.program.run(["status", "--json"]).await.expect_code(1).json();
    assert_eq!(status["daemon"]["running"], false, "{status:#}");
    assert_eq!(status["running"].as_array().unwrap().len(), 0, "{status:#}");
    assert!(service.backups().await.is_empty());

    let mut daemon = service.start();
    let outcomes = service.ended(&mut daemon, 2).await;
    assert_eq!((&outcomes[0]["result"], &outcomes[1]["result"]), (&"lost".into(), &"done".into()), "{outcomes:?}");
    assert_eq!(service.backups().await.len(), 1);
}

#[tokio::test]
async fn hanging_pg_dump_is_stopped() {
    let service = Service::with("schedule = \"0 2 * * *\"\nretries = 0\nstall_timeout = \"2s\"", "").await;
    service.pretend_absence();
    let _held = service.hold_pg_dump().await;
    let mut daemon = service.start();
    let outcomes = service.ended(&mut daemon, 1).await;
    let error = &outcomes[0]["error"];
    assert_eq!(error["message"], "no progress for 2 seconds, so the run was stopped", "{outcomes:?}");
    assert!(error["hint"].as_str().unwrap().contains("stall_timeout"), "{outcomes:?}");
    assert!(service.backups().await.is_empty());
    assert_eq!(stored(&service), [""; 0]);
    let status = service.program.run(["status", "--nagios"]).await.expect_code(2);
    assert!(status.stdout.starts_with("ODOO-BACKUP CRITICAL - "), "{}", status.stdout);
    assert!(status.stdout.contains("no progress for"), "{}", status.stdout);
    assert_eq!(status.stdout.lines().count(), 1);
}

#[tokio::test]
async fn second_signal_ends_at_once() {
    let service = Service::with("schedule = \"0 2 * * *\"", "shutdown_grace = \"1h\"\n").await;
    service.pretend_absence();
    let _held = service.hold_pg_dump().await;
    let mut daemon = service.start();
    service.until_pg_dump_waits(&mut daemon).await;
    daemon.signal(Signal::TERM);
    service.until_reported("STOPPING=1").await;
    assert!(!daemon.has_ended());
    daemon.signal(Signal::TERM);
    daemon.wait().await.expect_code(130);
    assert!(service.backups().await.is_empty());
}

#[tokio::test]
async fn unreading_manager_delays_nothing() {
    let service = Service::with("", "").await;
    let mut daemon = service.start();
    let address = wait_for(&mut daemon, || fs::read_to_string(service.state().join("address")).ok()).await;
    let client = Client::new(address.trim());
    // Each run is reported in two messages, and the socket has room for few.
    let room: usize = fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen").unwrap().trim().parse().unwrap();
    for _ in 0..room.min(600) {
        client.post("/api/v1/reload", &json!({})).await.expect(204);
    }
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
    service.until_reported("READY=1").await;
}
