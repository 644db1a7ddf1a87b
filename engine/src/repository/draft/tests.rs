use futures::TryStreamExt;

use super::*;
use crate::progress::Task;
use crate::store::faulty::{Fault, FaultyStore};
use crate::store::{Action, LocalStore};
use crate::stream::{Level, encode};

async fn local() -> (LocalStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (LocalStore::open(folder.path().to_owned(), false).await.unwrap(), folder)
}

async fn names(store: &dyn Store) -> Vec<String> {
    store.list(None).map_ok(|object| object.key.name().to_owned()).try_collect().await.unwrap()
}

fn content() -> Encoded {
    encode(body_of("x"), Level::default(), 0, Task::default())
}

fn id() -> BackupId {
    "20261121T020003Z-3f9c".parse().unwrap()
}

#[tokio::test]
async fn undeletable_manifest_keeps_its_objects() {
    for (name, kind, left) in [
        (MANIFEST, (|| StoreErrorKind::Other("no".into())) as fn() -> StoreErrorKind, vec!["a", "b", MANIFEST]),
        ("b", || StoreErrorKind::Other("no".into()), vec!["b"]),
        ("b", || StoreErrorKind::Unavailable("no".into()), vec!["a", "b"]),
    ] {
        let (local, _folder) = local().await;
        let fault =
            move |action, key: &Key| (action == Action::Delete && key.name() == name).then(|| Fault::Refused(kind()));
        let store: Arc<dyn Store> = Arc::new(FaultyStore { inner: local, fault });
        let draft = Draft::new(store.clone(), BackupRef::new("production", id()));
        for name in ["a", "b"] {
            draft.add(name, content()).await.unwrap();
        }
        draft.put(&draft.backup.manifest(), body_of("{}"), 0).await.unwrap();
        draft.discard().await.unwrap_err();
        assert_eq!(names(&*store).await, left);
    }
}

#[tokio::test]
async fn discard_keeps_objects_of_others() {
    let (local, _folder) = local().await;
    let store: Arc<dyn Store> = Arc::new(local);
    let other = Draft::new(store.clone(), BackupRef::new("production", id()));
    other.add("a", content()).await.unwrap();
    let draft = Draft::new(store.clone(), BackupRef::new("production", id()));
    draft.add("b", content()).await.unwrap();
    draft.add("a", content()).await.unwrap_err();
    draft.discard().await.unwrap();
    assert_eq!(names(&*store).await, ["a"]);
}
