//! Tests two daemons on one repository.

use std::fs;

use harness::odoo_backup;

use crate::daemon::{Service, wait_for};

#[tokio::test]
async fn two_daemons_make_one_backup() {
    let service = Service::with("schedule = \"0 2 * * *\"", "").await;
    service.pretend_absence();
    // The other one has its own state, and was away as well.
    let (state, other_state) = (service.state(), service.project.path("other-state"));
    fs::create_dir(&other_state).unwrap();
    fs::copy(state.join("journal.jsonl"), other_state.join("journal.jsonl")).unwrap();
    let config = fs::read_to_string(service.project.config()).unwrap();
    let other_config = service.project.path("other.toml");
    fs::write(&other_config, config.replace(state.to_str().unwrap(), other_state.to_str().unwrap())).unwrap();

    // The first one is in the middle of its backup when the second checks.
    let held = service.hold_pg_dump().await;
    let mut first = service.start();
    service.until_pg_dump_waits(&mut first).await;
    let other_program = odoo_backup!(&other_config);
    let mut second = other_program.spawn(["daemon"]);
    let log = other_state.join("logs/1.jsonl");
    let said = || fs::read_to_string(&log).ok().filter(|said| said.contains("waiting for another process"));
    wait_for(&mut second, said).await;
    drop(held);
    let outcomes = service.ended(&mut first, 1).await;
    assert_eq!(outcomes[0]["result"], "done", "{outcomes:?}");
    let ended = || {
        let journal = fs::read_to_string(other_state.join("journal.jsonl")).ok()?;
        journal.lines().find(|line| line.contains(r#""event":"ended""#)).map(str::to_owned)
    };
    let ended = wait_for(&mut second, ended).await;
    assert!(ended.contains(r#""result":"elsewhere""#), "{ended}");
    assert_eq!(service.backups().await.len(), 1);
}
