use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;

use super::*;
use crate::progress::Task;
use crate::store::{Action, LocalStore, Object};
use crate::stream::{Level, encode};

/// A local store that cannot delete objects of this name, for this reason.
#[derive(Debug)]
struct Undeletable(LocalStore, &'static str, fn() -> StoreErrorKind);

#[async_trait]
impl Store for Undeletable {
    async fn put(&self, key: &Key, body: Body, mode: Mode) -> Result<u64, StoreError> {
        self.0.put(key, body, mode).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        self.0.get(key, range).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.0.head(key).await
    }

    fn list<'a>(&'a self, prefix: Option<&Key>) -> BoxStream<'a, Result<Object, StoreError>> {
        self.0.list(prefix)
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        if key.name() != self.1 {
            return self.0.delete(key).await;
        }
        let (key, kind) = (Some(key.clone()), Box::new((self.2)()));
        Err(StoreError { action: Action::Delete, key, location: self.location(), kind })
    }

    async fn settle(&self) {
        self.0.settle().await;
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>, StoreError> {
        self.0.sweep(older_than).await
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

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
async fn behind_a_manifest_that_cannot_be_deleted_its_objects_stay() {
    for (name, kind, left) in [
        (MANIFEST, (|| StoreErrorKind::Other("no".into())) as fn() -> StoreErrorKind, vec!["a", "b", MANIFEST]),
        ("b", || StoreErrorKind::Other("no".into()), vec!["b"]),
        ("b", || StoreErrorKind::Unavailable("no".into()), vec!["a", "b"]),
    ] {
        let (local, _folder) = local().await;
        let store: Arc<dyn Store> = Arc::new(Undeletable(local, name, kind));
        let draft = Draft::new(store.clone(), "production", id());
        for name in ["a", "b"] {
            draft.add(name, content()).await.unwrap();
        }
        draft.put(&draft.key(MANIFEST), body_of("{}")).await.unwrap();
        draft.discard().await.unwrap_err();
        assert_eq!(names(&*store).await, left);
    }
}

#[tokio::test]
async fn what_another_has_stored_is_not_discarded() {
    let (local, _folder) = local().await;
    let store: Arc<dyn Store> = Arc::new(local);
    let other = Draft::new(store.clone(), "production", id());
    other.add("a", content()).await.unwrap();
    let draft = Draft::new(store.clone(), "production", id());
    draft.add("b", content()).await.unwrap();
    draft.add("a", content()).await.unwrap_err();
    draft.discard().await.unwrap();
    assert_eq!(names(&*store).await, ["a"]);
}
