//! Tests the daemon's state folder: its disk is full, or it is moved while the daemon runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::http::Client;
use harness::project::INSTANCE;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::daemon::Service;
use crate::faults::full_disk::SmallDisk;

fn client(service: &Service) -> Client {
    Client::new(fs::read_to_string(service.state().join("address")).unwrap().trim())
}

async fn begin(client: &Client) -> Value {
    client.post(&format!("/api/v1/instances/{INSTANCE}/runs"), &json!({ "job": "backup" })).await.expect(202).json()
}

async fn until_done(client: &Client, run: &Value) {
    loop {
        let shown = client.get(&format!("/api/v1/runs/{}", run["id"])).await.expect(200).json();
        if !shown["outcome"].is_null() {
            assert_eq!(shown["outcome"]["result"], "done", "{shown:#}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns what `/readyz` reports about the state. `None` if it is ready.
async fn unready(client: &Client) -> Option<String> {
    let answer = client.get("/readyz").await;
    let checks = answer.json()["checks"].as_array().unwrap().clone();
    let state = checks.into_iter().find(|check| check["name"] == "state");
    assert_eq!(answer.status, if state.is_some() { 503 } else { 200 }, "{}", answer.text());
    state.map(|check| check["error"].as_str().unwrap().to_owned())
}

fn fill(folder: &Path) {
    let mut size = 1 << 20;
    let mut number = 0;
    while size > 0 {
        number += 1;
        if fs::write(folder.join(format!("filler-{number}")), vec![0; size]).is_err() {
            size /= 2;
        }
    }
}

fn free(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("filler-") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[tokio::test]
async fn full_state_disk_stops_no_backup() {
    let service = Service::with("", "").await;
    let Some(_disk) = SmallDisk::mount(&service.state(), "4m") else { return };
    let mut daemon = service.start();
    service.until_reported("READY=1").await;
    let client = client(&service);
    assert_eq!(unready(&client).await, None);
    fill(&service.state());
    // The rest of the file's last page can be written even to a full disk.
    let mut runs = 0;
    let why = loop {
        runs += 1;
        let run = begin(&client).await;
        until_done(&client, &run).await;
        if let Some(why) = unready(&client).await {
            break why;
        }
        assert!(runs < 20, "it is written all the same");
    };
    assert!(why.contains("journal.jsonl") && why.contains("No space left"), "{why}");
    let status = client.get("/api/v1/status").await.expect(200).json();
    assert_eq!(status["state_error"]["hint"], "free some space", "{status:#}");
    let status = service.program.run(["status"]).await.stdout;
    assert!(status.contains("warning: the disk of the state folder ") && status.contains(" is full"), "{status}");

    free(&service.state());
    assert_eq!(unready(&client).await, None);
    // What was in memory is on the disk.
    assert_eq!(service.ended(&mut daemon, runs).await.len(), runs);
    daemon.signal(Signal::TERM);
    let log = daemon.wait().await.success().stderr;
    assert!(log.contains("state is kept in memory alone") && log.contains("state is on the disk again"), "{log}");
}

/// Starts a daemon on a full disk, on which not even an empty file can be created.
#[tokio::test]
async fn daemon_starts_on_full_state_disk() {
    let service = Service::with("", "").await;
    let Some(_disk) = SmallDisk::mount(&service.state(), "1m,nr_inodes=8") else { return };
    for number in 0.. {
        if fs::write(service.state().join(format!("filler-{number}")), "").is_err() {
            break;
        }
    }
    let mut daemon = service.start();
    service.until_reported("READY=1").await;
    free(&service.state());
    // It tries again by itself.
    service.until_state_is_written(&mut daemon).await;
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
}

#[tokio::test]
async fn moved_state_folder_is_reported() {
    let service = Service::with("schedule = \"0 2 1 1 *\"", "").await;
    let mut daemon = service.start();
    service.until_reported("READY=1").await;
    let client = client(&service);
    let first = begin(&client).await;
    until_done(&client, &first).await;
    let away = service.project.path("away");
    fs::rename(service.state(), &away).unwrap();
    let why = unready(&client).await.unwrap();
    assert!(why.contains("state/journal.jsonl"), "{why}");
    let runs = service.program.run(["runs"]).await.success().stdout;
    assert!(runs.contains("does not exist") && !runs.contains("no runs yet"), "{runs}");
    let status = service.program.run(["status", "--json"]).await.json();
    let problems = status["problems"].to_string();
    assert!(problems.contains("the state folder") && problems.contains("does not exist"), "{status:#}");
    let second = begin(&client).await;
    until_done(&client, &second).await;

    fs::rename(&away, service.state()).unwrap();
    assert_eq!(unready(&client).await, None);
    assert_eq!(service.ended(&mut daemon, 2).await.len(), 2);
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
}
