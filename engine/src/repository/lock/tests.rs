use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use harness::seaweed::SeaweedFs;

use super::*;
use crate::progress::{Observer, Progress, Task};
use crate::store::faulty::{Fault, FaultyStore};
use crate::store::{Action, LocalStore, Store, StoreErrorKind, seaweed};

/// No claim expires, and waits are short.
const QUICK: Times = Times { poll: Duration::from_millis(10), ..Times::DEFAULT };
/// Three seconds, because S3 reports whole seconds.
const SHORT: Times = Times {
    lease: SignedDuration::from_secs(3),
    renew: Duration::from_millis(300),
    retry: Duration::from_millis(50),
    ..QUICK
};

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn began(&self, _: &Task) {}
    fn ended(&self, _: &Task) {}
    fn warned(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

fn listening() -> (Run, Arc<Heard>) {
    let heard = Arc::<Heard>::default();
    (Run { progress: Progress::new(heard.clone()), ..Run::default() }, heard)
}

async fn in_folder() -> (Repository, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalStore::open(folder.path().to_owned(), false).await.unwrap());
    (Repository::init(store, Timestamp::now()).await.unwrap(), folder)
}

async fn on_s3() -> (Repository, SeaweedFs) {
    let server = tokio::task::spawn_blocking(SeaweedFs::start).await.unwrap();
    let store = seaweed::open(&server, "deep/er").await;
    (Repository::init(store, Timestamp::now()).await.unwrap(), server)
}

async fn claims(repository: &Repository) -> usize {
    repository.claims(None).await.unwrap().len()
}

fn is_held(error: &RepositoryError) -> bool {
    matches!(error, RepositoryError::Lock(LockError::Held { .. }))
}

/// Leaves the lock as a machine that crashed would leave it.
async fn die_elsewhere(repository: &Repository, lock: Lock) {
    let Lock { own, stop, .. } = &lock;
    stop.cancel();
    let mut stored = repository.claims(Some("production")).await.unwrap();
    stored.retain(|claim| claim.object.key == own.key);
    let mut claim = stored.remove(0).claim.unwrap();
    claim.owner.place = "another machine".into();
    // The owner's clock was wrong by a year. Nothing reads that time.
    claim.since = "2027-01-01T00:00:00Z".parse().unwrap();
    let bytes = serde_json::to_vec(&claim).unwrap();
    repository.store().put(&own.key, body_of(bytes), Mode::Replace).await.unwrap();
}

async fn one_backup_of_many_at_once(repository: Repository) {
    for _ in 0..3 {
        let racers = (0..6).map(|_| {
            let repository = repository.clone();
            tokio::spawn(
                async move { repository.lock_with("production", Purpose::Backup, QUICK, &Run::default()).await },
            )
        });
        let mut won = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                Ok(lock) => won.push(lock),
                Err(error) => assert!(is_held(&error), "{error}"),
            }
        }
        assert_eq!((won.len(), claims(&repository).await), (1, 1));
        let other = repository.lock_with("shop", Purpose::Backup, QUICK, &Run::default()).await.unwrap();
        other.finish(Ok::<_, RepositoryError>(())).await.unwrap();
        won.remove(0).finish(Ok::<_, RepositoryError>(())).await.unwrap();
        assert_eq!(claims(&repository).await, 0);
    }
}

async fn prunes_wait_for_each_other(repository: Repository) {
    let inside = Arc::new(AtomicUsize::new(0));
    let racers = (0..5).map(|_| {
        let (repository, inside) = (repository.clone(), inside.clone());
        tokio::spawn(async move {
            let lock = repository.lock_with("production", Purpose::Prune, QUICK, &Run::default()).await.unwrap();
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            lock.confirm().await.unwrap();
            assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
            lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    assert_eq!(claims(&repository).await, 0);
}

async fn a_lock_is_taken_over_once_it_lapsed(repository: Repository) {
    let (run, heard) = listening();
    let dead = repository.lock_with("production", Purpose::Backup, SHORT, &Run::default()).await.unwrap();
    die_elsewhere(&repository, dead).await;
    let error = repository.lock_with("production", Purpose::Backup, SHORT, &run).await.unwrap_err();
    assert!(is_held(&error), "not before its lease is over: {error}");
    // An operation that may wait does.
    let lock = repository.lock_with("production", Purpose::Prune, SHORT, &run).await;
    let lock = match lock {
        Err(error) if is_held(&error) => loop {
            match repository.lock_with("production", Purpose::Prune, SHORT, &run).await {
                Err(error) if is_held(&error) => tokio::time::sleep(Duration::from_millis(100)).await,
                lock => break lock.unwrap(),
            }
        },
        lock => lock.unwrap(),
    };
    let heard = heard.0.lock().unwrap().join("\n");
    assert!(heard.contains("took over a lock whose owner is gone: production is being backed up by "), "{heard}");
    assert!(heard.contains("it was not renewed for "), "{heard}");
    assert_eq!(claims(&repository).await, 1);
    lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn future_dated_lock_expires_unless_renewed() {
    let (repository, folder) = in_folder().await;
    let dead = repository.lock_with("production", Purpose::Backup, SHORT, &Run::default()).await.unwrap();
    let path = folder.path().join(dead.own.key.as_str());
    die_elsewhere(&repository, dead).await;
    let in_ten_years = std::time::SystemTime::now() + Duration::from_hours(10 * 365 * 24);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(in_ten_years).unwrap();
    let (run, heard) = listening();
    let lock = repository.lock_with("production", Purpose::Backup, SHORT, &run).await.unwrap();
    let heard = heard.0.lock().unwrap().join("\n");
    assert!(heard.contains("it is dated in the future, and was not renewed"), "{heard}");
    lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
}

macro_rules! on_both {
    ($($case:ident),*) => {
        mod folder {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (repository, _folder) = super::in_folder().await;
                super::$case(repository).await;
            })*
        }
        mod s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (repository, _server) = super::on_s3().await;
                super::$case(repository).await;
            })*
        }
    };
}

on_both!(one_backup_of_many_at_once, prunes_wait_for_each_other, a_lock_is_taken_over_once_it_lapsed);

#[tokio::test]
async fn ended_local_owner_loses_lock() {
    let (repository, _folder) = in_folder().await;
    let dead = repository.lock_with("production", Purpose::Backup, QUICK, &Run::default()).await.unwrap();
    let mut stored = repository.claims(None).await.unwrap().remove(0);
    let claim = stored.claim.as_mut().unwrap();
    claim.owner.started -= 1;
    let bytes = serde_json::to_vec(&claim).unwrap();
    repository.store().put(&stored.object.key, body_of(bytes), Mode::Replace).await.unwrap();
    drop(dead);
    let (run, heard) = listening();
    let lock = repository.lock_with("production", Purpose::Backup, QUICK, &run).await.unwrap();
    assert!(heard.0.lock().unwrap()[0].ends_with("that process has ended"));
    lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
}

#[tokio::test]
async fn live_lock_survives_wrong_date() {
    let (repository, folder) = in_folder().await;
    let lock = repository.lock_with("production", Purpose::Prune, SHORT, &Run::default()).await.unwrap();
    // This happens if the store's clock was set forward by an hour, or if its servers disagree.
    let path = folder.path().join(lock.own.key.as_str());
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    let impatient = Times { patience: Duration::from_secs(2), ..SHORT };
    let error = repository.lock_with("production", Purpose::Prune, impatient, &Run::default()).await.unwrap_err();
    assert!(is_held(&error));
    lock.confirm().await.unwrap();
    lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
}

#[tokio::test]
async fn pin_and_read_ignore_running_backup() {
    let (repository, _folder) = in_folder().await;
    let run = Run::default();
    let backup = repository.lock_with("production", Purpose::Backup, QUICK, &run).await.unwrap();
    let pin = repository.lock_with("production", Purpose::Pin, QUICK, &run).await.unwrap();
    let read = repository.lock_with("production", Purpose::Read, QUICK, &run).await.unwrap();
    assert_eq!(claims(&repository).await, 3);
    for lock in [backup, pin, read] {
        lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
    }
}

#[tokio::test]
async fn lost_lock_stops_its_owner() {
    let (repository, _folder) = in_folder().await;
    let lock = repository.lock_with("production", Purpose::Backup, SHORT, &Run::default()).await.unwrap();
    for claim in repository.claims(None).await.unwrap() {
        repository.remove_claim(&claim).await.unwrap();
    }
    let work = lock.run().until_cancelled(std::future::pending::<Result<(), RepositoryError>>());
    let stopped = work.await;
    assert!(lock.confirm().await.is_err());
    let error = lock.finish(stopped).await.unwrap_err();
    assert!(error.to_string().contains("the lock of production was lost: its object is gone"), "{error}");
    assert_eq!(claims(&repository).await, 0, "a renewal does not bring it back");
}

#[tokio::test]
async fn unreachable_store_costs_lock_early() {
    let folder = tempfile::tempdir().unwrap();
    let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
    let gone = Arc::new(AtomicBool::new(false));
    let seen = gone.clone();
    let fault = move |action, _: &Key| {
        let broken = action == Action::Put && seen.load(Ordering::SeqCst);
        broken.then(|| Fault::Refused(StoreErrorKind::Unavailable("gone".into())))
    };
    let store: Arc<dyn Store> = Arc::new(FaultyStore { inner, fault });
    let repository = Repository::init(store, Timestamp::now()).await.unwrap();
    let lock = repository.lock_with("production", Purpose::Backup, SHORT, &Run::default()).await.unwrap();
    let began = std::time::Instant::now();
    gone.store(true, Ordering::SeqCst);
    lock.run().cancel.cancelled().await;
    let claim = repository.claims(None).await.unwrap().remove(0);
    assert!(!claim.is_dead(Timestamp::now()), "it stopped {:?} after the last renewal", began.elapsed());
    let error = lock.finish(Err::<(), RepositoryError>(crate::run::Interrupted.into())).await.unwrap_err();
    assert!(error.to_string().contains("not available: gone"), "{error}");
}

#[tokio::test]
async fn unwritable_repository_is_read_unlocked() {
    let folder = tempfile::tempdir().unwrap();
    let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
    let backup = BackupRef::new("production", "20261121T020003Z-3f9c".parse().unwrap());
    Repository::init(Arc::new(inner.clone()), Timestamp::now()).await.unwrap();
    inner.put(&backup.manifest(), body_of("{}"), Mode::CreateNew).await.unwrap();
    let fault =
        |action, _: &Key| (action == Action::Put).then(|| Fault::Refused(StoreErrorKind::Denied("read-only".into())));
    let repository = Repository::open(Arc::new(FaultyStore { inner, fault })).await.unwrap();
    let (run, heard) = listening();
    assert!(repository.lock_to_read(&backup, &run).await.unwrap().is_none());
    assert!(heard.0.lock().unwrap()[0].starts_with("reading without a lock"));
    let gone = BackupRef::new("production", "20261120T020003Z-3f9c".parse().unwrap());
    let error = repository.lock_to_read(&gone, &run).await.unwrap_err();
    assert!(matches!(error, RepositoryError::NoSuchBackup { .. }), "{error}");
}
