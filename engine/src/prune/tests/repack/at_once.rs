//! Runs two repacks, a backup and a check at the same time.

use harness::seaweed::SeaweedFs;

use super::*;
use crate::repository::LockError;
use crate::store::seaweed;

fn is_held(error: &Error) -> bool {
    match error {
        Error::Repository(RepositoryError::Lock(LockError::Held { .. })) => true,
        Error::Verb { source, .. } => is_held(source),
        _ => false,
    }
}

/// Returns a backup of these files, made under a lock and referencing the latest one.
async fn back_up(repository: &Repository, files: &Files) -> Manifest {
    let lock = repository.lock(INSTANCE, Purpose::Backup, &Run::default()).await.unwrap();
    let work = async {
        let latest = ids(repository).await.into_iter().max();
        let latest = match latest {
            Some(id) => Some(manifest(repository, &id).await),
            None => None,
        };
        lock.confirm().await?;
        store_files(repository, Timestamp::now(), latest.as_ref(), files).await
    };
    let done = work.await;
    lock.finish(done).await.unwrap()
}

async fn race(repository: Repository) {
    let mut all = days_of_files(&repository, 3).await;
    let repackers: Vec<_> = (0..2)
        .map(|_| {
            let repository = repository.clone();
            tokio::spawn(async move {
                let (mut runs, mut written) = (0, 0);
                while runs < 3 {
                    match super::prune(&repository, &two(), REPACK, &Run::default()).await {
                        Ok(done) => {
                            let repacked = done.repacked.unwrap();
                            assert_eq!((repacked.damage, repacked.unchanged, repacked.left), (vec![], vec![], None));
                            (runs, written) = (runs + 1, written + repacked.volumes.len());
                        }
                        Err(error) => {
                            assert!(is_held(&error), "{:?}", crate::error::explain(&error));
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
                written
            })
        })
        .collect();
    let checker = {
        let repository = repository.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                assert_sound(&repository).await;
            }
        })
    };
    for day in 3..5 {
        all.push((back_up(&repository, &files(day)).await, files(day)));
    }
    let mut written = 0;
    for repacker in repackers {
        written += repacker.await.unwrap();
    }
    checker.await.unwrap();
    assert_as_before(&repository, &all).await;
    written += pruned(&repository, &two(), REPACK).await.repacked.unwrap().volumes.len();
    assert!(written > 0);
    assert_eq!(ids(&repository).await, all[3..].iter().map(|(made, _)| made.id.clone()).collect::<Vec<_>>());
    prune_until_clear(&repository).await;
    assert_as_before(&repository, &all).await;
    assert_whole(&repository).await;
    assert_clear(&repository).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_repacks_in_folder_are_safe() {
    let folder = tempfile::tempdir().unwrap();
    race(at(folder.path()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_repacks_on_s3_are_safe() {
    let server = tokio::task::spawn_blocking(SeaweedFs::start).await.unwrap();
    let store = seaweed::open(&server, "deep").await;
    race(Repository::init(store, Timestamp::now()).await.unwrap()).await;
}
