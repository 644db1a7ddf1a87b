//! Prunes and backs up one instance at the same time.

use harness::seaweed::SeaweedFs;

use super::*;
use crate::repository::LockError;
use crate::store::seaweed;

/// Returns a backup made as `backup` does: under a lock, and referencing the latest one.
pub(super) async fn back_up(repository: &Repository, created_at: Timestamp, run: &Run) -> Result<Manifest, Error> {
    let lock = repository.lock(INSTANCE, Purpose::Backup, run).await?;
    let work = async {
        let mut names = repository.names(Some(INSTANCE)).await?;
        names.sort();
        let latest = match names.last() {
            Some(latest) => Some(repository.verified_manifest(latest).await?),
            None => None,
        };
        lock.confirm().await?;
        store_backup(repository, created_at, latest.as_ref(), USUAL).await
    };
    let done = work.await;
    lock.finish(done).await
}

fn is_held(error: &Error) -> bool {
    match error {
        Error::Repository(RepositoryError::Lock(LockError::Held { .. })) => true,
        Error::Verb { source, .. } => is_held(source),
        _ => false,
    }
}

/// Runs two prunes and a backup repeatedly. No backup may be damaged.
async fn race(repository: Repository) {
    days(&repository, &[USUAL; 6]).await;
    let two = instance("keep_last = 2\ndaily = 0\nweekly = 0\nmonthly = 0\ngrace = '1 second'");
    let pruners = (0..2).map(|_| {
        let (repository, two) = (repository.clone(), two.clone());
        tokio::spawn(async move {
            let (mut pruned, mut removed) = (0, 0);
            while pruned < 4 {
                match prune(&repository, &two, PruneOptions::default(), &Run::default()).await {
                    Ok(done) => (pruned, removed) = (pruned + 1, removed + done.removed.backups.len()),
                    Err(error) => {
                        assert!(is_held(&error), "{:?}", crate::error::explain(&error));
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
            removed
        })
    });
    let pruners: Vec<_> = pruners.collect();
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(back_up(&repository, Timestamp::now(), &Run::default()).await.unwrap());
    }
    let mut removed = 0;
    for pruner in pruners {
        removed += pruner.await.unwrap();
    }
    assert_sound(&repository).await;
    removed += pruned(&repository, &two, PruneOptions::default()).await.removed.backups.len();
    assert_eq!(removed, 8, "each was removed once");
    assert_eq!(ids(&repository).await, made[2..].iter().map(|manifest| manifest.id.clone()).collect::<Vec<_>>());
    assert_sound(&repository).await;
    assert_eq!(repository.claims(None).await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_prunes_in_folder_are_safe() {
    let folder = tempfile::tempdir().unwrap();
    race(at(folder.path()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_prunes_on_s3_are_safe() {
    let server = tokio::task::spawn_blocking(SeaweedFs::start).await.unwrap();
    let store = seaweed::open(&server, "deep").await;
    race(Repository::init(store, Timestamp::now()).await.unwrap()).await;
}
