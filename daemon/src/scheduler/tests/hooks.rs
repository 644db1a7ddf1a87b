//! Hooks around runs of the daemon. They are programs, for which real time passes.

use super::*;
use crate::journal::RunId;

/// Returns an instance whose hooks note their variables.
fn noting(fixture: &Fixture, keys: &str) -> String {
    let path = fixture.folder.path().join("notes");
    let script = format!("echo $ODOO_BACKUP_HOOK $ODOO_BACKUP_INSTANCE $ODOO_BACKUP_OUTCOME >> {}", path.display());
    let hook = |key: &str| format!("{key} = ['/bin/sh', '-c', '{script}']\n");
    let hooks = ["before", "after", "failed", "finally"].map(hook).concat();
    format!("{}[instance.a.hooks]\n{hooks}", instance("a", keys))
}

fn notes(fixture: &Fixture) -> Vec<String> {
    let notes = std::fs::read_to_string(fixture.folder.path().join("notes")).unwrap_or_default();
    notes.lines().map(str::to_owned).collect()
}

/// Starts a backup, and returns how it ended.
async fn back_up(running: &Running, meanwhile: impl AsyncFnOnce(RunId)) -> RunOutcome {
    let mut events = running.handle.subscribe();
    let id = running.handle.start("a", Order::Backup { reread: false }).await.unwrap();
    meanwhile(id).await;
    loop {
        if let Event::Ended { run } = events.recv().await.unwrap() {
            return run.outcome.unwrap();
        }
    }
}

#[tokio::test]
async fn stalled_backup_runs_failed_hook() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    fixture.worker.plan("a", &[Act::Hang]);
    let running = fixture.start(&noting(&fixture, "retries = 0\nstall_timeout = '1 second'"));
    let outcome = back_up(&running, async |_| ()).await;
    assert!(matches!(outcome, RunOutcome::Failed { .. }), "{outcome:?}");
    assert_eq!(notes(&fixture), ["before a", "failed a failed", "finally a failed"]);
    running.stop().await;
}

#[tokio::test]
async fn cancelled_backup_runs_finally_hook() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    fixture.worker.plan("a", &[Act::Hang]);
    let running = fixture.start(&noting(&fixture, ""));
    let outcome = back_up(&running, async |id| {
        while notes(&fixture).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(running.handle.cancel(id));
    });
    assert_eq!(outcome.await, RunOutcome::Cancelled);
    assert_eq!(notes(&fixture), ["before a", "finally a cancelled"]);
    running.stop().await;
}

#[tokio::test]
async fn failed_attempts_run_own_hooks() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    fixture.worker.plan("a", &[Act::Elsewhere, Act::Fail]);
    let running = fixture.start(&noting(&fixture, "retries = 0"));
    assert_eq!(back_up(&running, async |_| ()).await, RunOutcome::Elsewhere);
    back_up(&running, async |_| ()).await;
    let expected = ["before a", "finally a elsewhere", "before a", "failed a failed", "finally a failed"];
    assert_eq!(notes(&fixture), expected);
    running.stop().await;
}
