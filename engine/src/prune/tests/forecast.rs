//! Tests what `--dry-run` says without a lock, and that it writes nothing.

use super::*;

/// Returns the plan for a moment this many hours from now, with backups expected at these hours.
async fn at_hours(repository: &Repository, hours: i64, expected: &[i64]) -> Pruned {
    let moment = |hours: i64| Timestamp::now().checked_add(hours.hours()).unwrap();
    let then = Then { at: moment(hours), expected: expected.iter().map(|hours| moment(*hours)).collect() };
    forecast_at(repository, &three(), PruneOptions::default(), &then, &Run::default()).await.unwrap()
}

fn removals(pruned: &Pruned) -> Vec<&str> {
    pruned.plan.removals().map(|decision| decision.id.as_str()).collect()
}

#[tokio::test]
async fn later_plan_assumes_expected_backups() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 4]).await;
    age(folder.path());
    let before = keys(&repository).await;
    let ids: Vec<&str> = all.iter().rev().map(|manifest| manifest.id.as_str()).collect();
    assert_eq!(removals(&at_hours(&repository, 48, &[]).await), ids[3..]);
    let later = at_hours(&repository, 48, &[24, 47, 49]).await;
    // The one at 49 hours is after that moment.
    assert_eq!(removals(&later), ids[1..]);
    assert_eq!(later.plan.decisions.len(), 4, "a backup that does not exist has no decision");
    assert_eq!(later.frees.len(), 3);
    assert_eq!(keys(&repository).await, before);
}

#[tokio::test]
async fn earlier_plan_omits_later_backups() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 5]).await;
    let plan = at_hours(&repository, -13, &[]).await.plan;
    let (oldest, newest) = (all[0].id.as_str(), all[4].id.as_str());
    assert!(plan.decisions.iter().all(|decision| decision.id != newest), "{plan:?}");
    assert_eq!(plan.removals().map(|decision| decision.id.as_str()).collect::<Vec<_>>(), [oldest]);
}

#[tokio::test]
async fn forecast_of_forget_matches_forget() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 3]).await;
    age(folder.path());
    let before = keys(&repository).await;
    let (backup, run) = (all[2].backup(), Run::default());
    let forgotten = forecast_forget(&repository, &backup, false, &run).await.unwrap();
    assert_eq!(keys(&repository).await, before);
    let grace = Duration::from_hours(1);
    let removed = forget(&repository, &backup, false, grace, &run).await.unwrap();
    let freed = removed.bytes + manifest_bytes(&all[2..]);
    assert_eq!(forgotten, Forgotten { in_use: false, frees_bytes: Some(freed) });
    repository.pin(&all[1].backup(), None, &run).await.unwrap();
    assert!(forecast_forget(&repository, &all[1].backup(), true, &run).await.is_err(), "it is pinned");
}
