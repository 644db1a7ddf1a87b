//! Tests a repack that is killed at each of its requests in turn, or gets no answer to it.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::StoreErrorKind;
use crate::store::faulty::{Fault, FaultyStore};

/// What happens to a run after some number of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// No later request is done.
    Killed,
    /// One request is done but not answered. The run continues, and cleans up.
    Unanswered,
}

/// Returns the repository in `folder`, whose store fails after that many requests.
async fn doomed(folder: &Path, requests: usize, fate: Fate) -> Repository {
    let inner = LocalStore::open(folder.to_owned(), false).await.unwrap();
    let seen = AtomicUsize::new(0);
    let fault = move |_, _: &Key| {
        let failed = || StoreErrorKind::Unavailable("killed".into());
        // Opening the repository is not counted.
        let number = seen.fetch_add(1, Ordering::SeqCst).checked_sub(1)?;
        match fate {
            Fate::Killed => (number >= requests).then(|| Fault::Refused(failed())),
            Fate::Unanswered => (number == requests).then(|| Fault::Unanswered(failed())),
        }
    };
    Repository::open(Arc::new(FaultyStore { inner, fault })).await.unwrap()
}

/// Returns the repository as another machine finds it, without the dead run's claims.
async fn without_claims(folder: &Path) -> Repository {
    let repository = at(folder).await;
    for claim in repository.claims(None).await.unwrap() {
        repository.remove_claim(&claim).await.unwrap();
    }
    repository
}

async fn cut_off_at_each_request(fate: Fate) {
    let folder = tempfile::tempdir().unwrap();
    let all = store_days(&at(folder.path()).await, &[0, 3, 4]).await;
    // Only volumes remain to be repacked.
    pruned(&at(folder.path()).await, &two(), PruneOptions::default()).await;
    let kept = ids(&at(folder.path()).await).await;
    let mut unsettled = 0;
    for requests in 0.. {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("repository");
        assert!(Command::new("cp").arg("-a").arg(folder.path()).arg(&path).status().unwrap().success());
        let dying = doomed(&path, requests, fate).await;
        let survived = super::prune(&dying, &two(), REPACK, &Run::default()).await.is_ok();
        let repository = without_claims(&path).await;
        assert_eq!(ids(&repository).await, kept, "after {requests} requests");
        assert_as_before(&repository, &all).await;
        assert_sound(&repository).await;
        for id in &kept {
            unsettled +=
                usize::from(!repository.documents(&BackupRef::new(INSTANCE, id.clone())).await.unwrap().are_settled());
        }

        pruned(&repository, &two(), REPACK).await;
        assert_as_before(&repository, &all).await;
        assert_sound(&repository).await;
        for id in &kept {
            assert!(
                repository.documents(&BackupRef::new(INSTANCE, id.clone())).await.unwrap().are_settled(),
                "after {requests} requests"
            );
            let manifest = manifest(&repository, id).await;
            assert!(manifest.filestore.volumes[0].replaces.is_some(), "after {requests} requests");
        }
        if requests % 20 == 0 || survived {
            age(&path);
            prune_until_clear(&repository).await;
            assert_clear(&repository).await;
            assert_as_before(&repository, &all).await;
        }
        if survived {
            assert!(requests > 30 && unsettled > 1, "{requests}, {unsettled}");
            return;
        }
    }
}

#[tokio::test]
async fn killed_repack_is_finished_by_next() {
    cut_off_at_each_request(Fate::Killed).await;
}

#[tokio::test]
async fn unanswered_requests_lose_nothing() {
    cut_off_at_each_request(Fate::Unanswered).await;
}

#[tokio::test]
async fn full_store_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let all = days_of_files(&at(folder.path()).await, 5).await;
    let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
    let fault = |action, key: &Key| {
        let is_new = action == crate::store::Action::Put && key.name().len() > "filestore-0001.files.zst".len();
        is_new.then(|| Fault::Refused(StoreErrorKind::Full("no room".into())))
    };
    let full = Repository::open(Arc::new(FaultyStore { inner, fault })).await.unwrap();
    let error = super::prune(&full, &two(), REPACK, &Run::default()).await.unwrap_err();
    assert!(format!("{:?}", crate::error::explain(&error)).contains("no room"), "{error:?}");
    assert_as_before(&at(folder.path()).await, &all).await;
    assert_whole(&at(folder.path()).await).await;
}
