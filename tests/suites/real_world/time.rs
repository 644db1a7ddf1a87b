//! Tests wrong clocks and dates.

use std::fs;
use std::path::Path;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::Project;
use rustix::process::Signal;
use serde_json::Value;

use crate::daemon::Service;

/// Returns the library with which faketime changes the clock. `None` if this machine has none: the
/// test then ends at once.
fn faketime() -> Option<&'static str> {
    const PLACES: [&str; 3] = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/faketime/libfaketimeMT.so.1",
    ];
    let found = PLACES.into_iter().find(|place| Path::new(place).exists());
    if found.is_none() {
        eprintln!("skipped: faketime is not installed");
    }
    found
}

/// Returns the program with a clock that is wrong by this offset: `+16y`. Files keep the dates that
/// the system gives them.
fn with_clock(program: OdooBackup, library: &str, offset: &str) -> OdooBackup {
    let program = program.env("LD_PRELOAD", library).env("FAKETIME", offset);
    program.env("NO_FAKE_STAT", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

fn id(now: &Value) -> String {
    now["backups"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn backup_from_future_counts_for_nothing() {
    let Some(library) = faketime() else { return };
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    let first = id(&program.run(["now", "--json"]).await.success().json());
    let ahead = with_clock(odoo_backup!(project.config()), library, "+16y");
    let wrong = id(&ahead.run(["now", "--json"]).await.expect_code(3).json());
    assert!(wrong[..4] > first[..4], "{wrong}");

    let status = program.run(["status", "--nagios"]).await.expect_code(2).stdout;
    assert!(status.contains("CRITICAL") && status.contains(&wrong), "{status}");
    let check = program.run(["check"]).await.expect_code(1).stdout;
    assert!(check.contains("FUTURE") && check.contains(&wrong), "{check}");
    let doctor = program.run(["doctor"]).await.expect_code(1).stdout;
    assert!(doctor.contains(&wrong) && doctor.contains("dated in the future"), "{doctor}");
    let list = program.run(["list"]).await.success();
    assert!(list.stdout.contains("FUTURE") && list.stderr.contains(&wrong), "{list:?}");

    let show = program.run(["show", "latest"]).await.success();
    assert!(show.stdout.contains(&first) && show.stderr.contains(&format!("skipped production/{wrong}")), "{show:?}");
    let restored = program.run(["restore", "--to", "staging"]).await.expect_code(3);
    assert!(restored.stdout.contains(&first) && restored.stderr.contains("skipped"), "{restored:?}");
    program.run(["show", &wrong]).await.success();

    let next = id(&program.run(["now", "--json"]).await.success().json());
    assert_eq!(program.run(["show", "latest", "--json"]).await.success().json()["id"], next.as_str());
}

#[tokio::test]
async fn backup_from_future_serves_no_slot() {
    let Some(library) = faketime() else { return };
    let service = Service::with("schedule = \"0 2 * * *\"", "").await;
    let ahead = with_clock(odoo_backup!(service.project.config()), library, "+16y");
    ahead.run(["now"]).await.expect_code(3);
    service.pretend_absence();
    let mut daemon = service.start();
    let outcomes = service.ended(&mut daemon, 1).await;
    assert_eq!(outcomes[0]["result"], "done", "{outcomes:?}");
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
    assert_eq!(service.backups().await.len(), 2);
}

#[tokio::test]
async fn future_slot_is_ignored_after_restart() {
    let service = Service::with("schedule = \"* * * * *\"", "").await;
    fs::create_dir_all(service.state()).unwrap();
    let line = r#"{"event":"slot","instance":"production","job":"backup","slot":"2090-01-01T00:00:00Z"}"#;
    fs::write(service.state().join("journal.jsonl"), format!("{line}\n")).unwrap();
    let mut daemon = service.start();
    let outcomes = service.ended(&mut daemon, 1).await;
    assert_eq!(outcomes[0]["result"], "done", "{outcomes:?}");
}

#[tokio::test]
async fn clock_behind_dates_backup_by_repository() {
    let Some(library) = faketime() else { return };
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    let first = id(&program.run(["now", "--json"]).await.success().json());
    let behind = with_clock(odoo_backup!(project.config()), library, "-2h");
    let second = behind.run(["now", "--json"]).await.expect_code(3).json();
    assert!(id(&second) > first, "{second}");
    assert!(
        second["backups"][0]["warnings"][0].as_str().unwrap().contains("behind that of the repository"),
        "{second}"
    );
    // By its own clock the newest backup is younger than possible, and nothing would be reported
    // for two hours.
    let status = behind.run(["status", "--nagios"]).await.expect_code(2).stdout;
    assert!(status.contains("the clock of this machine is 2h"), "{status}");
}

#[tokio::test]
#[ignore = "takes minutes: each step waits for the next minute of a schedule"]
async fn daemon_survives_clock_set_back() {
    let Some(library) = faketime() else { return };
    let service = Service::with("schedule = \"* * * * *\"", "").await;
    let offset = service.project.path("offset");
    fs::write(&offset, "+0").unwrap();
    let program = odoo_backup!(service.project.config());
    let program = program.env("LD_PRELOAD", library).env("NO_FAKE_STAT", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let program = program.env("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap()).env("FAKETIME_NO_CACHE", "1");
    let mut daemon = program.spawn(["daemon"]);
    service.ended(&mut daemon, 1).await;
    fs::write(&offset, "-2h").unwrap();
    let outcomes = service.ended(&mut daemon, 3).await;
    assert!(outcomes.iter().all(|outcome| outcome["result"] == "done"), "{outcomes:?}");
    assert!(service.backups().await.len() >= 3);
    let status = program.run(["status", "--nagios"]).await.expect_code(2).stdout;
    assert!(status.contains("behind that of the repository"), "{status}");
}
