//! Provides a local store with faults, for tests.

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use tokio::io::AsyncReadExt;

use super::{Action, Key, LocalStore, Mode, Object, Store, StoreError, StoreErrorKind};
use crate::stream::{Body, produce};

/// What goes wrong.
pub(crate) enum Fault {
    /// The request fails.
    Refused(StoreErrorKind),
    /// The body breaks in the middle.
    Broken(StoreErrorKind),
    /// The request is done, but its answer is lost.
    Unanswered(StoreErrorKind),
}

/// Asks a function before each request for an object whether that request fails.
pub(crate) struct FaultyStore<F> {
    pub(crate) inner: LocalStore,
    pub(crate) fault: F,
}

impl<F> fmt::Debug for FaultyStore<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F: Fn(Action, &Key) -> Option<Fault> + Send + Sync> FaultyStore<F> {
    /// Does a request, or not, and answers as the fault demands.
    async fn request<T>(
        &self,
        action: Action,
        key: &Key,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match (self.fault)(action, key) {
            Some(Fault::Refused(kind)) => Err(self.error(action, key, kind)),
            Some(Fault::Unanswered(kind)) => {
                work.await?;
                Err(self.error(action, key, kind))
            }
            _ => work.await,
        }
    }

    fn error(&self, action: Action, key: &Key, kind: StoreErrorKind) -> StoreError {
        StoreError { action, key: Some(key.clone()), location: self.location(), kind: Box::new(kind) }
    }
}

#[async_trait]
impl<F: Fn(Action, &Key) -> Option<Fault> + Send + Sync> Store for FaultyStore<F> {
    async fn put(&self, key: &Key, body: Body, mode: Mode) -> Result<u64, StoreError> {
        self.request(Action::Put, key, self.inner.put(key, body, mode)).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        let broken = match (self.fault)(Action::Get, key) {
            None => return self.inner.get(key, range).await,
            Some(Fault::Refused(kind) | Fault::Unanswered(kind)) => return Err(self.error(Action::Get, key, kind)),
            Some(Fault::Broken(kind)) => kind,
        };
        let mut body = self.inner.get(key, range).await?;
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).await.unwrap();
        let error = self.error(Action::Get, key, broken);
        let (broken, _) = produce::<(), _>(move |out| {
            io::Write::write_all(out, &bytes[..bytes.len() / 2])?;
            Err(io::Error::other(error))
        });
        Ok(broken)
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.request(Action::Head, key, self.inner.head(key)).await
    }

    fn list<'a>(&'a self, prefix: Option<&Key>) -> BoxStream<'a, Result<Object, StoreError>> {
        // A listing of everything has no key.
        match prefix.and_then(|key| Some((key, (self.fault)(Action::List, key)?))) {
            Some((key, Fault::Refused(kind) | Fault::Broken(kind) | Fault::Unanswered(kind))) => {
                stream::iter([Err(self.error(Action::List, key, kind))]).boxed()
            }
            None => self.inner.list(prefix),
        }
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.request(Action::Delete, key, self.inner.delete(key)).await
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
