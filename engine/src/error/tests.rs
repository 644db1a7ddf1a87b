use super::*;
use crate::repository::{damage_by_reading, speaks_of_object};
use crate::store::{Action, Key, StoreErrorKind};
use crate::stream::Fingerprint;

#[test]
fn error_in_stream_keeps_root_hint() {
    let source = io::ErrorKind::NotFound.into();
    let changed = FilestoreError::Io { action: "read", path: "/data/filestore".into(), source };
    let store = StoreError {
        action: Action::Put,
        key: None,
        location: "file:///backups".into(),
        kind: Box::new(StoreErrorKind::Source(changed.into())),
    };
    let explanation = explain(&Error::from(store).during("back up production"));
    assert_eq!(explanation.message, "unable to back up production");
    assert_eq!(explanation.causes.last().unwrap(), "entity not found");
    assert!(explanation.hint.unwrap().contains("check `data_dir`"));
}

#[test]
fn nested_damage_differs_from_outage() {
    let store = |kind| StoreError { action: Action::Get, key: None, location: String::new(), kind: Box::new(kind) };
    let mismatch = Mismatch::Plain { expected: Fingerprint::of(b"a"), found: Fingerprint::of(b"b") };
    let read = |error: io::Error| Error::Io { action: "read it".into(), source: error }.during("restore");
    assert!(read(io::Error::other(mismatch)).is_damage());
    let volume = DamagedVolume { key: Key::new("shop/database-0001.zst").unwrap(), reason: "frame 7: …".into() };
    let of_volume = read(io::Error::other(volume.clone()));
    assert!(of_volume.is_damage() && of_volume.is_of_one_reading());
    assert!(explain(&of_volume).hint.is_some());
    let damage =
        damage_by_reading::<RepositoryError>(&Key::new("shop/database.map.zst").unwrap(), io::Error::other(volume));
    assert_eq!(damage.unwrap().key.name(), "database-0001.zst", "the volume that is damaged");
    assert!(read(io::Error::other(store(StoreErrorKind::Corrupt("x".into())))).is_damage());
    assert!(!read(io::Error::other(store(StoreErrorKind::Unavailable("x".into())))).is_damage());
    assert!(!read(io::ErrorKind::StorageFull.into()).is_damage());
    assert!(Error::from(store(StoreErrorKind::NotFound)).is_damage());
    assert!(Error::from(RepositoryError::from(store(StoreErrorKind::NotFound))).is_damage());
    assert!(!Error::Interrupted.during("restore").is_damage());
}

#[test]
fn local_failure_is_not_damage() {
    use rustix::io::Errno;
    let store = |error: io::Error| StoreError {
        action: Action::Get,
        key: None,
        location: String::new(),
        kind: Box::new(StoreErrorKind::Io(error)),
    };
    for errno in [Errno::STALE, Errno::MFILE, Errno::NFILE, Errno::NOTCONN, Errno::INTR, Errno::NOMEM, Errno::AGAIN] {
        let error = || store(errno.into());
        assert!(!Error::from(error()).is_damage(), "{errno}");
        assert!(!speaks_of_object(&io::Error::other(error())), "{errno}");
        assert!(!speaks_of_object(&io::Error::from(errno)), "{errno}");
    }
    for errno in [Errno::IO, Errno::UCLEAN, Errno::BADMSG] {
        assert!(speaks_of_object(&io::Error::other(store(errno.into()))), "{errno}");
    }
    assert!(speaks_of_object(&io::Error::from(Malformed("no list".into()))));
    assert!(!speaks_of_object(&io::Error::other("a thread died")));
    let full = FilestoreError::Io { action: "write", path: "/data".into(), source: io::ErrorKind::StorageFull.into() };
    assert!(!speaks_of_object(&full));
}

#[test]
fn nested_error_keeps_its_hint() {
    let exists = || Error::Exists { what: "the database".into() };
    let wrapped = exists().during("restore");
    for error in [&exists() as &(dyn StdError + 'static), &wrapped, &io::Error::other(exists())] {
        assert!(explain(error).hint.unwrap().contains("or target"), "{error}");
    }
    let repository = Error::from(RepositoryError::NotARepository("file:///backups".into())).during("list");
    assert!(explain(&repository).hint.unwrap().contains("odoo-backup init"));
}
