//! `daemon`, and the commands that report on it: `status`, `runs` and `logs`.

use std::fs;
use std::time::Duration;

use harness::http::Client;
use harness::project::INSTANCE;
use rustix::process::Signal;
use serde_json::json;

use super::super::{Walk, next_second};

pub(in super::super) async fn all(walk: &mut Walk) {
    let mut daemon = walk.service.start();
    walk.service.until_reported("READY=1").await;
    let address = fs::read_to_string(walk.service.state().join("address")).unwrap();
    let client = Client::new(address.trim());
    walk.show("Another daemon is running", &["daemon"]).await;
    let path = format!("/api/v1/instances/{INSTANCE}/runs");
    next_second().await;
    client.post(&path, &json!({ "job": "backup" })).await.expect(202);
    walk.service.ended(&mut daemon, 1).await;
    walk.show("No problems", &["status"]).await;
    client.post(&path, &json!({ "job": "check" })).await.expect(202);
    walk.service.ended(&mut daemon, 2).await;
    // A run that waits for a lock of the database, and is cancelled.
    let held = walk.service.hold_pg_dump().await;
    let begun = client.post(&path, &json!({ "job": "backup" })).await.expect(202).json();
    walk.service.until_pg_dump_waits(&mut daemon).await;
    walk.show("A run is under way", &["status"]).await;
    client.post(&format!("/api/v1/runs/{}/cancel", begun["id"]), &json!({})).await.expect(202);
    walk.service.ended(&mut daemon, 3).await;
    drop(held);
    tokio::time::sleep(Duration::from_millis(100)).await;
    walk.show("Usual", &["runs"]).await;
    walk.show("Of an instance that has none", &["runs", "archive"]).await;
    walk.show("A backup", &["logs", "1"]).await;
    walk.show("The latest", &["logs", "latest"]).await;
    walk.show("No such run", &["logs", "99"]).await;
    walk.show("A warning, for Nagios", &["status", "--nagios"]).await;
    daemon.signal(Signal::TERM);
    let run = daemon.wait().await;
    walk.note("daemon", "Two backups and a check, then SIGTERM", &["daemon"], &run);
    walk.show("The daemon does not run", &["status"]).await;
}
