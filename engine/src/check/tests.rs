use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::manifest::made_up;
use crate::store::faulty::{Fault, FaultyStore};
use crate::store::{Action, LocalStore};
use crate::stream::{Level, body_of, encode};

/// A repository with one backup, whose dump is no archive, in a store that has the fault which `fault` names by an object.
async fn check_with(fault: fn(&str) -> Option<Fault>) -> (Result<Vec<Checked>, Error>, Result<usize, RepositoryError>) {
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
    let options = CheckOptions { read_data: true, tools: Tools::new(None) };
    let listed = repository.list(None).await.map(|listing| listing.damaged.len());
    (check(&repository, &names, &options, &Run::default()).await, listed)
}

#[tokio::test]
async fn an_outage_is_an_error_wherever_it_comes() {
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
async fn an_object_that_is_damaged_unreadable_or_gone_is_a_finding() {
    let faults: [fn(&str) -> Option<Fault>; 6] = [
        |name| (name == MANIFEST).then(|| Fault::Refused(StoreErrorKind::Io(io::Error::other("bad sector")))),
        |name| (name == MANIFEST).then(|| Fault::Broken(StoreErrorKind::Corrupt("bad sector".into()))),
        |name| (name == MANIFEST).then_some(Fault::Refused(StoreErrorKind::NotFound)),
        |name| name.starts_with("database").then_some(Fault::Refused(StoreErrorKind::NotFound)),
        |name| name.starts_with("database").then(|| Fault::Refused(StoreErrorKind::Io(io::Error::other("bad sector")))),
        |name| name.starts_with("database").then(|| Fault::Broken(StoreErrorKind::Io(io::Error::other("bad sector")))),
    ];
    for (i, fault) in faults.into_iter().enumerate() {
        let (checked, listed) = check_with(fault).await;
        let damage = &checked.unwrap()[0].damage;
        let reason = &damage[0].reason;
        assert!(reason.contains("bad sector") || reason == "it is missing", "{reason}");
        assert_eq!((damage.len(), listed.unwrap()), (1, usize::from(i < 2)));
    }
}
