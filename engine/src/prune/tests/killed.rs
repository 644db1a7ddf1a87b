//! Kills every writer at each of its requests in turn. No backup is lost, all are intact, and the
//! next run finishes.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::StoreErrorKind;
use crate::store::faulty::{Fault, FaultyStore};

/// Returns the repository in `folder`. Its store answers `requests` requests and then no more, as
/// if the process was killed.
pub(crate) async fn mortal(folder: &Path, requests: usize) -> Repository {
    let inner = LocalStore::open(folder.to_owned(), false).await.unwrap();
    // Opening the repository is not counted.
    let left = AtomicUsize::new(requests + 1);
    let fault = move |_, _: &Key| {
        let alive = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        (!alive).then(|| Fault::Refused(StoreErrorKind::Unavailable("killed".into())))
    };
    Repository::open(Arc::new(FaultyStore { inner, fault })).await.unwrap()
}

/// Runs `write` on copies of `pristine`, each of which dies after another number of requests, then
/// once more on a live store. The end must always be the same, and `kept` must never be missing.
async fn killed_at_each_request(
    pristine: &Path,
    kept: &[BackupId],
    write: impl AsyncFn(&Repository) -> Result<(), Error>,
) -> usize {
    let mut end = None;
    for requests in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("repository");
        assert!(Command::new("cp").arg("-a").arg(pristine).arg(&copy).status().unwrap().success());
        let survived = write(&mortal(&copy, requests).await).await.is_ok();
        let repository = at(&copy).await;
        let there = ids(&repository).await;
        assert!(kept.iter().all(|id| there.contains(id)), "after {requests} requests: {there:?}");
        assert_sound(&repository).await;
        // The dead process is gone, but looks alive because it is this test's.
        for claim in repository.claims(None).await.unwrap() {
            repository.remove_claim(&claim).await.unwrap();
        }
        forget_lost(&repository).await;
        let again = write(&repository).await;
        assert!(again.is_ok(), "after {requests} requests: {again:?}");
        assert_sound(&repository).await;
        let left = keys(&repository).await;
        assert_eq!(*end.get_or_insert(left.clone()), left, "after {requests} requests");
        if survived {
            return requests;
        }
    }
    unreachable!()
}

/// Removes what is left of a backup whose writer was killed between its checksums and its manifest.
/// Only the operator can tell that nothing is lost with it.
async fn forget_lost(repository: &Repository) {
    for lost in repository.list(None).await.unwrap().damaged {
        super::forget(repository, &lost.backup, true, Duration::ZERO, &Run::default()).await.unwrap();
    }
}

#[tokio::test]
async fn killed_prune_is_finished_by_next() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 6]).await;
    age(folder.path());
    let kept: Vec<_> = all[3..].iter().map(|manifest| manifest.id.clone()).collect();
    let requests = killed_at_each_request(folder.path(), &kept, async |repository| {
        super::prune(repository, &three(), PruneOptions::default(), &Run::default()).await.map(drop)
    });
    assert!(requests.await > 30);
}

#[tokio::test]
async fn killed_forget_is_finished_by_next() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 4]).await;
    age(folder.path());
    let kept: Vec<_> = all[1..].iter().map(|manifest| manifest.id.clone()).collect();
    let (grace, gone) = (Duration::from_hours(24), &all[0].backup());
    killed_at_each_request(folder.path(), &kept, async |repository| {
        super::forget(repository, gone, false, grace, &Run::default()).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn killed_pin_is_finished_by_next() {
    let folder = tempfile::tempdir().unwrap();
    let all = days(&at(folder.path()).await, &[USUAL; 2]).await;
    let kept: Vec<_> = all.iter().map(|manifest| manifest.id.clone()).collect();
    killed_at_each_request(folder.path(), &kept, async |repository| {
        Ok(repository.pin(&all[0].backup(), None, &Run::default()).await.map(drop)?)
    })
    .await;
}

#[tokio::test]
async fn killed_backup_is_finished_by_next() {
    let folder = tempfile::tempdir().unwrap();
    let all = days(&at(folder.path()).await, &[USUAL; 3]).await;
    age(folder.path());
    let kept: Vec<_> = all.iter().map(|manifest| manifest.id.clone()).collect();
    let next = AtomicUsize::new(0);
    let many = instance("keep_last = 10");
    let requests = 0..;
    for requests in requests {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("repository");
        assert!(Command::new("cp").arg("-a").arg(folder.path()).arg(&path).status().unwrap().success());
        let number = i64::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap();
        let created_at = Timestamp::now().checked_add(number.seconds()).unwrap();
        let mortal = mortal(&path, requests).await;
        let survived = at_once::back_up(&mortal, created_at, &Run::default()).await.is_ok();
        let repository = at(&path).await;
        for claim in repository.claims(None).await.unwrap() {
            repository.remove_claim(&claim).await.unwrap();
        }
        age(&path);
        forget_lost(&repository).await;
        pruned(&repository, &many, PruneOptions::default()).await;
        assert!(ids(&repository).await.starts_with(&kept));
        assert_sound(&repository).await;
        let folders: std::collections::BTreeSet<_> =
            keys(&repository).await.iter().filter_map(|key| key.split('/').nth(1).map(str::to_owned)).collect();
        assert_eq!(folders.len(), ids(&repository).await.len(), "what it left was pruned: {folders:?}");
        if survived {
            return;
        }
    }
}
