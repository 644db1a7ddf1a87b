//! Provides a local store whose listings omit objects, for tests. A proxy or a gateway may answer
//! so.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, future};
use jiff::Timestamp;

use super::{Key, LocalStore, Mode, Object, Store, StoreError};
use crate::stream::Body;

/// Omits from listings the objects that `hides` selects. They can still be read by name.
pub(crate) struct HidingStore<F> {
    pub(crate) inner: LocalStore,
    pub(crate) hides: F,
}

impl<F> fmt::Debug for HidingStore<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HidingStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F: Fn(&Key) -> bool + Send + Sync> Store for HidingStore<F> {
    async fn put(&self, key: &Key, body: Body, mode: Mode) -> Result<u64, StoreError> {
        self.inner.put(key, body, mode).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        self.inner.get(key, range).await
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.inner.head(key).await
    }

    fn list<'a>(&'a self, prefix: Option<&Key>) -> BoxStream<'a, Result<Object, StoreError>> {
        let shows =
            |object: &Result<Object, StoreError>| !object.as_ref().is_ok_and(|object| (self.hides)(&object.key));
        self.inner.list(prefix).filter(move |object| future::ready(shows(object))).boxed()
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn settle(&self) {
        self.inner.settle().await;
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>, StoreError> {
        self.inner.sweep(older_than).await
    }

    async fn clock(&self) -> Option<Timestamp> {
        self.inner.clock().await
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}
