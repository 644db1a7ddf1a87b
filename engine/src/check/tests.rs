use std::sync::Arc;

use jiff::Timestamp;

use std::io;
use std::path::Path;

use super::*;
use crate::error::explain;
use crate::manifest::{CHECKSUMS, MANIFEST, Manifest, StoredObject, made_up};
use crate::progress::Task;
use crate::repository::RepositoryError;
use crate::store::faulty::{Fault, FaultyStore};
use crate::store::{Action, LocalStore, StoreErrorKind};
use crate::stream::{Digest, Fingerprint, Level, body_of, encode};

/// Returns the result for a repository with one backup, whose dump is not an archive. `fault`
/// chooses the fault of the store by an object's name.
async fn check_with(fault: fn(&str) -> Option<Fault>) -> (Result<CheckReport, Error>, Result<usize, RepositoryError>) {
    let folder = tempfile::tempdir().unwrap();
    let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
    let fault = move |action, key: &Key| if action == Action::Get { fault(key.name()) } else { None };
    let store = Arc::new(FaultyStore { inner, fault });
    let repository = Repository::init(store, Timestamp::now()).await.unwrap();
    let draft = repository.begin("production", Timestamp::now());
    let dump = encode(body_of(vec![7; 1000]), Level::default(), 0, Task::default());
    let object = draft.add("database.dump.zst", dump).await.unwrap().0;
    let manifest = made_up::manifest("production", draft.id(), object);
    draft.commit(&manifest).await.unwrap();
    let names = repository.names(None).await.unwrap();
    let options = CheckOptions { read_data: Some(Sample::ALL), tools: Tools::new(None) };
    let listed = repository.list(None).await.map(|listing| listing.damaged.len());
    (check(&repository, &names, &options, &Run::default()).await, listed)
}

#[tokio::test]
async fn outage_is_always_an_error() {
    let faults: [fn(&str) -> Option<Fault>; 4] = [
        |name| (name == MANIFEST).then(|| Fault::Refused(StoreErrorKind::Unavailable("gone".into()))),
        |name| (name == MANIFEST).then(|| Fault::Broken(StoreErrorKind::Unavailable("gone".into()))),
        |name| name.starts_with("database").then(|| Fault::Refused(StoreErrorKind::Denied("gone".into()))),
        |name| name.starts_with("database").then(|| Fault::Broken(StoreErrorKind::Unavailable("gone".into()))),
    ];
    for (i, fault) in faults.into_iter().enumerate() {
        let (checked, listed) = check_with(fault).await;
        assert!(format!("{:?}", explain(&checked.unwrap_err())).contains("gone"));
        assert_eq!(listed.is_err(), i < 2);
    }
}

#[tokio::test]
async fn damaged_or_missing_object_is_finding() {
    let faults: [fn(&str) -> Option<Fault>; 6] = [
        |name| (name == MANIFEST).then(|| Fault::Refused(StoreErrorKind::Io(bad_sector()))),
        |name| (name == MANIFEST).then(|| Fault::Broken(StoreErrorKind::Corrupt("bad sector".into()))),
        |name| (name == MANIFEST).then_some(Fault::Refused(StoreErrorKind::NotFound)),
        |name| name.starts_with("database").then_some(Fault::Refused(StoreErrorKind::NotFound)),
        |name| name.starts_with("database").then(|| Fault::Refused(StoreErrorKind::Io(bad_sector()))),
        |name| name.starts_with("database").then(|| Fault::Broken(StoreErrorKind::Io(bad_sector()))),
    ];
    for (i, fault) in faults.into_iter().enumerate() {
        let (checked, listed) = check_with(fault).await;
        let damage = &checked.unwrap().backups[0].damage;
        let reason = &damage[0].reason;
        let said = ["bad sector", "Input/output error", "it is missing"];
        assert!(said.iter().any(|said| reason.contains(said)), "{reason}");
        assert_eq!((damage.len(), listed.unwrap()), (1, usize::from(i < 2)));
    }
}

fn bad_sector() -> io::Error {
    io::Error::from(rustix::io::Errno::IO)
}

#[tokio::test]
async fn machine_trouble_is_an_error() {
    use rustix::io::Errno;
    let faults: [fn(&str) -> Option<Fault>; 4] = [
        |name| (name == MANIFEST).then(|| Fault::Refused(StoreErrorKind::Io(Errno::STALE.into()))),
        |name| (name == CHECKSUMS).then(|| Fault::Broken(StoreErrorKind::Io(Errno::NOTCONN.into()))),
        |name| name.starts_with("database").then(|| Fault::Refused(StoreErrorKind::Io(Errno::MFILE.into()))),
        |name| name.starts_with("database").then(|| Fault::Broken(StoreErrorKind::Io(Errno::NOMEM.into()))),
    ];
    for (i, fault) in faults.into_iter().enumerate() {
        let (checked, listed) = check_with(fault).await;
        let error = checked.unwrap_err();
        assert!(!error.is_damage() && !error.refutes_backup(), "{error:?}");
        assert_eq!(listed.is_err(), i == 0);
    }
}

#[tokio::test]
async fn one_bad_reading_is_no_damage() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static READINGS: AtomicU32 = AtomicU32::new(0);
    let (checked, _) = check_with(|name| {
        let first = name.starts_with("database") && READINGS.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| Fault::Broken(StoreErrorKind::Corrupt("a bit fell over".into())))
    })
    .await;
    let damage = &checked.unwrap().backups[0].damage;
    // Its bytes match, but are not an archive.
    assert!(damage[0].reason.contains("pg_restore") && READINGS.load(Ordering::SeqCst) > 2, "{damage:?}");
}

/// Exports a dump from a store where `failing` readings of it fail. Returns how much damage is then
/// recorded.
async fn known_after_export(failing: u32) -> usize {
    use std::sync::atomic::{AtomicU32, Ordering};
    let folder = tempfile::tempdir().unwrap();
    let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
    let readings = AtomicU32::new(0);
    let fault = move |action, key: &Key| {
        let fails = action == Action::Get && key.name().starts_with("database");
        let fails = fails && readings.fetch_add(1, Ordering::SeqCst) < failing;
        fails.then(|| Fault::Broken(StoreErrorKind::Corrupt("a bit fell over".into())))
    };
    let repository = Repository::init(Arc::new(FaultyStore { inner, fault }), Timestamp::now()).await.unwrap();
    let manifest = commit(&repository, None, |_| ()).await;
    let exported = crate::export::dump(&repository, &manifest, io::sink(), &Run::default()).await;
    assert!(exported.unwrap_err().is_damage());
    repository.known_damage("production").await.unwrap().len()
}

#[tokio::test]
async fn one_bad_reading_is_not_recorded() {
    assert_eq!(known_after_export(1).await, 0);
}

#[tokio::test]
async fn two_bad_readings_are_recorded() {
    assert_eq!(known_after_export(2).await, 1);
}

/// Returns an intact repository in a folder with two backups, of which the second references an
/// object of the first.
async fn two_backups(folder: &Path) -> (Repository, [Manifest; 2]) {
    let store = Arc::new(LocalStore::open(folder.to_owned(), false).await.unwrap());
    let repository = Repository::init(store, Timestamp::now()).await.unwrap();
    let first = commit(&repository, None, |_| ()).await;
    let second = commit(&repository, first.filestore.removed.clone(), |_| ()).await;
    (repository, [first, second])
}

async fn commit(
    repository: &Repository,
    removed: Option<StoredObject>,
    change: impl FnOnce(&mut Manifest),
) -> Manifest {
    let draft = repository.begin("production", Timestamp::now());
    let add = async |name: &str| {
        let content = encode(body_of(name.as_bytes().to_vec()), Level::default(), 0, Task::default());
        draft.add(name, content).await.unwrap().0
    };
    let mut manifest = made_up::manifest("production", draft.id(), add("database.dump.zst").await);
    manifest.filestore.removed = match removed {
        Some(earlier) => Some(earlier),
        None => Some(add("filestore-removed.zst").await),
    };
    change(&mut manifest);
    draft.commit(&manifest).await.unwrap();
    manifest
}

async fn look(repository: &Repository) -> CheckReport {
    let names = repository.names(None).await.unwrap();
    let options = CheckOptions { read_data: None, tools: Tools::new(None) };
    check(repository, &names, &options, &Run::default()).await.unwrap()
}

#[tokio::test]
async fn shared_damaged_object_is_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    let (repository, [first, second]) = two_backups(folder.path()).await;
    let report = look(&repository).await;
    assert!(report.is_sound() && report.unnamed.is_empty(), "{report:?}");
    let shared = first.filestore.removed.unwrap().key;
    repository.store().delete(&shared).await.unwrap();
    let [damaged] = &look(&repository).await.damaged_objects()[..] else { panic!("one object") };
    assert_eq!((&damaged.key, &damaged.reasons[..]), (&shared, &["it is missing".to_owned()][..]));
    let name = |id| BackupRef::new("production", id);
    assert_eq!(damaged.backups, [name(first.id), name(second.id)]);
}

#[tokio::test]
async fn unreferenced_object_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (repository, [first, _]) = two_backups(folder.path()).await;
    repository.store().delete(&first.backup().manifest()).await.unwrap();
    let report = look(&repository).await;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(
        report.unnamed.iter().map(|unnamed| unnamed.objects).collect::<Vec<_>>(),
        [2],
        "the dump, the checksums"
    );
}

#[tokio::test]
async fn manifest_contradicting_origin_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let (repository, [first, _]) = two_backups(folder.path()).await;
    let contradicting = commit(&repository, first.filestore.removed, |manifest| {
        manifest.filestore.removed.as_mut().unwrap().stored.sha256 = Digest::of(b"another");
    });
    let key = contradicting.await.backup().manifest();
    let [damaged] = &look(&repository).await.damaged_objects()[..] else { panic!("one object") };
    assert_eq!(damaged.key, key);
    assert!(damaged.reasons[0].contains("differs from what the backup that made it says"), "{damaged:?}");
}

#[test]
fn reference_to_other_backup_is_refused() {
    let own: BackupId = "20261121T000000Z-0000".parse().unwrap();
    let is_reasonable = |key: &str| {
        let fingerprint = Fingerprint::of(b"");
        let object = StoredObject { key: Key::new(key).unwrap(), plain: fingerprint, stored: fingerprint };
        made_up::manifest("production", &own, object).unreasonable().is_none()
    };
    assert!(
        is_reasonable("production/20261121T000000Z-0000/a.zst")
            && is_reasonable("production/20261120T000000Z-0000/a.zst")
    );
    assert!(
        !is_reasonable("shop/20261120T000000Z-0000/a.zst") && !is_reasonable("production/20261122T000000Z-0000/a.zst")
    );
    assert!(!is_reasonable("production/a.zst"));
}
