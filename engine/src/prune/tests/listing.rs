//! Tests incomplete listings: nothing is concluded from them.

use super::*;
use crate::check::check_all;
use crate::manifest::SET_ASIDE;
use crate::repository::Flaw;
use crate::store::hiding::HidingStore;

/// Returns the repository in `folder`, whose listings omit these keys.
async fn hiding(folder: &Path, hidden: Vec<Key>) -> Repository {
    let inner = LocalStore::open(folder.to_owned(), false).await.unwrap();
    Repository::open(Arc::new(HidingStore { inner, hides: move |key: &Key| hidden.contains(key) })).await.unwrap()
}

fn document(manifest: &Manifest, name: &str) -> Key {
    manifest.backup().object(name)
}

fn looked() -> CheckOptions {
    CheckOptions { read_data: None, tools: Tools::new(None) }
}

#[tokio::test]
async fn hidden_manifest_stops_prune() {
    let folder = tempfile::tempdir().unwrap();
    let all = days(&at(folder.path()).await, &[USUAL; 3]).await;
    age(folder.path());
    let before = keys(&at(folder.path()).await).await;
    for (hidden, what) in [
        (document(&all[0], MANIFEST), "the oldest, whose volumes others share"),
        (document(&all[2], MANIFEST), "the newest, which references volumes of others"),
    ] {
        let repository = hiding(folder.path(), vec![hidden.clone()]).await;
        let refused = super::prune(&repository, &three(), PruneOptions::default(), &Run::default()).await.unwrap_err();
        let message = format!("{:?}", crate::error::explain(&refused));
        assert!(message.contains(hidden.as_str()) && message.contains("nothing was deleted"), "{what}: {message}");
        let forgotten = forget(&repository, &all[1].backup(), true, Duration::ZERO, &Run::default()).await;
        assert!(forgotten.is_err(), "{what}");
        assert_eq!(keys(&at(folder.path()).await).await, before, "{what}");
        let listing = repository.list(None).await.unwrap();
        assert_eq!((listing.backups.len(), listing.alarms.len()), (3, 1), "{what}");
        let report = check_all(&repository, None, &looked(), &Run::default()).await.unwrap();
        assert_eq!((report.backups.len(), report.alarms.len(), report.is_sound()), (3, 1, true), "{what}");
    }
}

#[tokio::test]
async fn hidden_folder_keeps_referenced_objects() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 4]).await;
    repository.pin(&all[3].backup(), None, &Run::default()).await.unwrap();
    age(folder.path());
    let before = keys(&repository).await;
    // Only the pin shows that the backup exists.
    let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
    let newest = all[3].backup().folder();
    let hides = move |key: &Key| key.is_under(&newest);
    let repository = Repository::open(Arc::new(HidingStore { inner, hides })).await.unwrap();
    assert!(super::prune(&repository, &three(), PruneOptions::default(), &Run::default()).await.is_err());
    assert_eq!(keys(&at(folder.path()).await).await, before);
}

#[tokio::test]
async fn hidden_pin_or_proof_keeps_backup() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 5]).await;
    repository.pin(&all[0].backup(), None, &Run::default()).await.unwrap();
    let proof =
        repository.prepare_proof(&all[1], ProofOccasion::Drill, ProofOutcome::Passed, Depth::Quick).await.unwrap();
    repository.store_proof(&proof).await.unwrap();
    age(folder.path());
    let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
    let listed = std::sync::atomic::AtomicUsize::new(0);
    let proofs = crate::repository::proofs_of(&all[1].backup());
    // The gateway omits objects in one listing, but not in the next.
    let hides = move |key: &Key| {
        let first = key.is_under(&proofs) && listed.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        first || key.segments().nth(1) == Some("pins")
    };
    let repository = Repository::open(Arc::new(HidingStore { inner, hides })).await.unwrap();
    let removed = pruned(&repository, &three(), PruneOptions::default()).await.removed;
    let doubtful: Vec<_> = removed.doubtful.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!((removed.backups.len(), doubtful), (0, vec![all[0].id.clone(), all[1].id.clone()]), "{removed:?}");
    assert_eq!(ids(&at(folder.path()).await).await.len(), 5);
}

#[tokio::test]
async fn hidden_quarantine_stops_prune() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 4]).await;
    repository.quarantine(&all[1].backup()).await.unwrap();
    age(folder.path());
    let before = keys(&repository).await;
    let repository = hiding(folder.path(), vec![document(&all[1], SET_ASIDE)]).await;
    assert!(super::prune(&repository, &three(), PruneOptions::default(), &Run::default()).await.is_err());
    assert_eq!(keys(&at(folder.path()).await).await, before);
}

#[tokio::test]
async fn lost_manifest_is_reported_until_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 4]).await;
    age(folder.path());
    repository.store().delete(&document(&all[3], MANIFEST)).await.unwrap();
    let before = keys(&repository).await;
    let done = pruned(&repository, &three(), PruneOptions::default()).await;
    assert_eq!((done.damaged.len(), &done.damaged[0].backup.id, done.removed.backups.len()), (1, &all[3].id, 0));
    assert_eq!(keys(&repository).await, before);
    assert_eq!(repository.list(None).await.unwrap().damaged.len(), 1);
    let report = check_all(&repository, None, &looked(), &Run::default()).await.unwrap();
    assert_eq!(report.backups.iter().filter(|backup| !backup.damage.is_empty()).count(), 1, "{report:?}");

    // A running backup may be the one without its manifest.
    let lock = repository.lock(INSTANCE, Purpose::Backup, &Run::default()).await.unwrap();
    assert_eq!(repository.list(None).await.unwrap().damaged.len(), 0);
    lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();

    let name = format!("{INSTANCE}/{}", all[3].id);
    let backup = repository.resolve_with_set_aside(&name, None).await.unwrap();
    let grace = Duration::from_hours(24);
    assert!(forget(&repository, &backup, true, grace, &Run::default()).await.unwrap().objects > 0);
    assert!(!keys(&repository).await.iter().any(|key| key.contains(backup.id.as_str())));
    assert_sound(&repository).await;
}

#[tokio::test]
async fn empty_listing_of_instance_is_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    assert_eq!(repository.list(None).await.unwrap().alarms, [], "there never was one");
    let all = days(&repository, &[USUAL; 2]).await;
    repository.pin(&all[0].backup(), None, &Run::default()).await.unwrap();
    fs::remove_dir_all(folder.path().join(all[0].backup().folder().as_str())).unwrap();
    fs::remove_dir_all(folder.path().join(all[1].backup().folder().as_str())).unwrap();
    let listing = repository.list(None).await.unwrap();
    assert_eq!((listing.alarms.len(), &*listing.alarms[0].instance), (1, INSTANCE), "{:?}", listing.alarms);
    let report = check_all(&repository, None, &looked(), &Run::default()).await.unwrap();
    assert_eq!(report.alarms.len(), 1, "{report:?}");
}

#[tokio::test]
async fn future_dated_backup_removes_none() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 3]).await;
    let future = Timestamp::now().checked_add((16 * 365 * 24).hours()).unwrap();
    let wrong = store_backup(&repository, future, None, USUAL).await.unwrap();
    age(folder.path());
    let removed = pruned(&repository, &three(), PruneOptions::default()).await.removed;
    assert_eq!(removed.backups, []);
    let listing = repository.list(None).await.unwrap();
    assert_eq!(listing.flaws(&wrong), [Flaw::Future]);
    assert_eq!(listing.newest_good()[INSTANCE].id, all[2].id);
    let selected = repository.select("latest", None).await.unwrap();
    assert_eq!(selected.backup, all[2].backup());
    assert!(selected.warnings[0].contains(wrong.id.as_str()), "{selected:?}");
    let report = check_all(&repository, None, &looked(), &Run::default()).await.unwrap();
    assert_eq!(report.future, [wrong.backup()]);
    // It can still be named by its id.
    assert_eq!(repository.resolve(wrong.id.as_str(), None).await.unwrap().id, wrong.id);
    let checksums = document(&wrong, CHECKSUMS);
    assert!(repository.store().head(&checksums).await.unwrap().is_some());
}

#[tokio::test]
async fn latest_before_counts_usable_backups() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 4]).await;
    let future = Timestamp::now().checked_add(48.hours()).unwrap();
    store_backup(&repository, future, None, USUAL).await.unwrap();
    // Its dump is lost, which a check writes down.
    repository.store().delete(&document(&all[2], "database.dump.zst")).await.unwrap();
    check_all(&repository, None, &looked(), &Run::default()).await.unwrap();
    let id = async |selector: &str| repository.select(selector, Some(INSTANCE)).await.map(|found| found.backup.id);
    assert_eq!(id("latest").await.unwrap(), all[3].id);
    assert_eq!(id("latest~0").await.unwrap(), all[3].id);
    assert_eq!(id("latest~1").await.unwrap(), all[1].id);
    assert_eq!(id(&format!("{INSTANCE}/latest~2")).await.unwrap(), all[0].id);
    let error = id("latest~3").await.unwrap_err();
    assert!(matches!(error, RepositoryError::TooFew { usable: 3, .. }), "{error}");
    assert!(error.to_string().ends_with("production has 3 usable backups there"), "{error}");
}
