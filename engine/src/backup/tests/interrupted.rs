//! A backup that is interrupted at each of its requests to the store in turn, followed by a good
//! one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::compare::file_paths;

use super::*;
use crate::check::{CheckOptions, Sample, check};
use crate::filestore::read_list;
use crate::manifest::{CHECKSUMS, MANIFEST};
use crate::repository::BackupRef;
use crate::store::StoreErrorKind;
use crate::store::faulty::Fault;
use crate::stream::Fingerprint;

/// How a request fails.
#[derive(Debug, Clone, Copy)]
enum Interruption {
    /// It fails, and the next ones work: stored objects can be deleted again.
    Refused,
    /// It succeeds, but its answer is lost.
    Unanswered,
    /// It fails with all later ones, as after a killed process or a lost connection.
    Ended,
}

/// Backs up while the request of this number fails. Returns `None` if there were fewer requests.
async fn interrupt(
    project: &Project,
    folder: &Path,
    interruption: Interruption,
    number: usize,
) -> Option<Result<Manifest, Error>> {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    let fault = move |_, _: &Key| {
        let current = counted.fetch_add(1, Ordering::Relaxed);
        let interrupted = || StoreErrorKind::Unavailable("interrupted".into());
        match interruption {
            Interruption::Refused if current == number => Some(Fault::Refused(interrupted())),
            Interruption::Unanswered if current == number => Some(Fault::Unanswered(interrupted())),
            Interruption::Ended if current >= number => Some(Fault::Refused(interrupted())),
            _ => None,
        }
    };
    let inner = LocalStore::open(folder.to_owned(), false).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(FaultyStore { inner, fault });
    let result = match Repository::open(store).await {
        Ok(repository) => back_up(project, &repository).await,
        Err(error) => Err(error.into()),
    };
    (requests.load(Ordering::Relaxed) > number).then_some(result)
}

async fn back_up(project: &Project, repository: &Repository) -> Result<Manifest, Error> {
    backup(repository, &made_up::instance(project), BackupOptions::default(), &Run::default()).await
}

/// Returns what a backup restores, by its volumes' lists; [`check`] compares the volumes with
/// these.
async fn contents(repository: &Repository, manifest: &Manifest) -> BTreeMap<String, (u64, String)> {
    let mut files = BTreeMap::new();
    for volume in &manifest.filestore.volumes {
        let bounds = volume.bounds();
        let listed = repository.read(&volume.list, move |list| read_list(list, bounds).collect::<io::Result<Vec<_>>>());
        files.extend(listed.await.unwrap().into_iter().map(|file| (file.path, (file.size, file.sha256.to_string()))));
    }
    if let Some(removed) = &manifest.filestore.removed {
        let paths = repository.read(removed, |mut paths| {
            let mut text = String::new();
            paths.read_to_string(&mut text).map(|_| text)
        });
        paths.await.unwrap().split_terminator('\0').for_each(|path| drop(files.remove(path)));
    }
    files
}

/// Returns the same of the files on disk.
fn on_disk(root: &Path) -> BTreeMap<String, (u64, String)> {
    let files = file_paths(root).into_iter().filter(|path| !path.starts_with("checklist"));
    let files = files.map(|path| {
        let Fingerprint { size, sha256 } = Fingerprint::of(&fs::read(root.join(&path)).unwrap());
        (path.to_str().unwrap().to_owned(), (size, sha256.to_string()))
    });
    files.collect()
}

async fn assert_good_backup_follows(interruption: Interruption) {
    let project = Project::start().await;
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(folder.path().to_owned(), false).await.unwrap());
    let repository = Repository::init(store, Timestamp::now()).await.unwrap();
    let mut whole = vec![back_up(&project, &repository).await.unwrap().id];
    let mut failed = 0;
    for number in 0.. {
        // Something for each run to store: a new file, one with another content, and one that is
        // gone.
        let path = |name: String| project.filestore().join(name);
        fs::write(path(format!("new-{number}")), number.to_string()).unwrap();
        fs::write(path("odd".to_owned()), "!".repeat(number)).unwrap();
        let _ = fs::remove_file(path(format!("new-{}", number.wrapping_sub(2))));

        let Some(result) = interrupt(&project, folder.path(), interruption, number).await else { break };
        failed += usize::from(result.is_err());
        let names = repository.names(Some(INSTANCE)).await.unwrap().into_iter().map(|backup| backup.id);
        let appeared: Vec<_> = names.filter(|id| !whole.contains(id)).collect();
        match (&result, interruption) {
            (Ok(manifest), _) => assert_eq!(appeared, std::slice::from_ref(&manifest.id)),
            // A manifest whose answer was lost, and that could not be deleted, makes a backup,
            // which the check below finds intact.
            (Err(_), Interruption::Ended) => assert!(appeared.len() < 2, "{number}: {appeared:?}"),
            (Err(_), _) => assert!(appeared.is_empty(), "{number}: {appeared:?}"),
        }
        whole.extend(appeared);

        // What looks like a backup with a lost manifest stays until an operator forgets it. Each
        // would cost the later runs requests, and there would be no last one.
        for entry in fs::read_dir(folder.path().join(INSTANCE)).unwrap() {
            let entry = entry.unwrap().path();
            if entry.join(CHECKSUMS).exists() && !entry.join(MANIFEST).exists() {
                fs::remove_dir_all(entry).unwrap();
            }
        }
        // This process owns a remaining claim and lives, so the next run would wait for it. Other
        // tests cover the expiry of locks.
        let _ = fs::remove_dir_all(folder.path().join("locks"));
        let good = back_up(&project, &repository).await.unwrap();
        assert!(good.warnings.is_empty(), "{number}: {:?}", good.warnings);
        assert!(contents(&repository, &good).await == on_disk(&project.filestore()), "{number}");
        whole.push(good.id);
    }
    assert!(failed > 10, "only {failed} interruptions were of any consequence");
    let names: Vec<_> = whole.into_iter().map(|id| BackupRef::new(INSTANCE, id)).collect();
    let options = CheckOptions { read_data: Some(Sample::ALL), tools: Tools::new(None) };
    for backup in check(&repository, &names, &options, &Run::default()).await.unwrap().backups {
        assert!(backup.damage.is_empty(), "{}: {:?}", backup.backup, backup.damage);
    }
}

#[tokio::test]
async fn backup_with_failing_request_leaves_nothing() {
    assert_good_backup_follows(Interruption::Refused).await;
}

#[tokio::test]
async fn backup_with_lost_answer_is_consistent() {
    assert_good_backup_follows(Interruption::Unanswered).await;
}

#[tokio::test]
async fn killed_backup_leaves_no_damage() {
    assert_good_backup_follows(Interruption::Ended).await;
}
