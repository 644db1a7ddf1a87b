//! Stores objects as files in a folder.
//!
//! An object is written to a temporary file next to its place, flushed to the disk, and renamed.
//! Then the folders are flushed, so that the name survives a power loss too. Names that start with
//! a dot are temporary files, never objects.

mod clock;
mod consent;
mod read;
mod walk;
mod write;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use self::consent::Caller;
use self::walk::{Stopped, Walk};
use self::write::Piece;
use super::fill::fill;
use super::{Action, Key, Mode, Object, Store, StoreError, StoreErrorKind};
use crate::stream::Body;

/// Bytes per read and write. Each piece crosses from a blocking thread once, so it must be large. A
/// few of them are in memory per body.
const PIECE: usize = 1024 * 1024;
/// Pieces that may wait between the task and the blocking thread.
const QUEUE: usize = 2;
/// How many objects [`Store::list`] fetches at a time.
const PAGE: usize = 1000;

/// A folder as a store. Folders get mode 0700 and files mode 0600, whatever the umask.
///
/// Unlike in S3, a key cannot be both an object and a folder: `a` and `a/b` exclude each other.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
    /// Threads of puts that were dropped. The tracker is closed from the start, so it can be waited
    /// for at any time.
    abandoned: TaskTracker,
}

impl LocalStore {
    /// Opens the folder `root`. With `create`, creates it and its missing parents.
    ///
    /// # Errors
    /// [`StoreErrorKind::NoSuchPlace`] if it does not exist or is not a folder; else what the
    /// operating system says
    pub async fn open(root: PathBuf, create: bool) -> Result<Self, StoreError> {
        let store = Self { root, abandoned: TaskTracker::new() };
        store.abandoned.close();
        let root = store.root.clone();
        store
            .blocking(Action::Open, None, move || {
                if create {
                    write::create_root(&root).map_err(|error| write::kind(&root, error))?;
                }
                // Reading the folder now reports a missing privilege at the start instead of at the
                // end of a backup.
                match std::fs::read_dir(&root) {
                    Ok(_) => Ok(()),
                    Err(error) if is_absent(&error) => Err(no_such_root(&root)),
                    Err(error) => Err(write::kind(&root, error)),
                }
            })
            .await?;
        Ok(store)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    fn error(&self, action: Action, key: Option<&Key>, kind: StoreErrorKind) -> StoreError {
        StoreError { action, key: key.cloned(), location: self.location(), kind: Box::new(kind) }
    }

    /// Runs `work` on a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        action: Action,
        key: Option<&Key>,
        work: impl FnOnce() -> Result<T, StoreErrorKind> + Send + 'static,
    ) -> Result<T, StoreError> {
        let result = tokio::task::spawn_blocking(work).await;
        result
            .unwrap_or_else(|dead| Err(StoreErrorKind::Io(io::Error::other(dead))))
            .map_err(|kind| self.error(action, key, kind))
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn put(&self, key: &Key, mut body: Body, mode: Mode) -> Result<u64, StoreError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (root, path) = (self.root.clone(), self.path(key));
        // If this future is dropped, so are `sender` and the caller's consent. The writer then
        // removes its file.
        let (_caller, consent) = Caller::new(&self.abandoned);
        let writer =
            self.blocking(Action::Put, Some(key), move || write::write(&root, &path, mode, receiver, &consent));
        let (fed, written) = futures::join!(feed(&mut body, sender), writer);
        fed.map_err(|error| self.error(Action::Put, Some(key), StoreErrorKind::Source(error)))?;
        written
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        let (root, path) = (self.root.clone(), self.path(key));
        let (file, length) = self.blocking(Action::Get, Some(key), move || read::open(&root, &path, range)).await?;
        let (store, key) = (self.clone(), key.clone());
        Ok(read::body(file, length, move |kind| store.error(Action::Get, Some(&key), kind)))
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        let (root, path, wanted) = (self.root.clone(), self.path(key), key.clone());
        self.blocking(Action::Head, Some(key), move || match path.symlink_metadata() {
            Ok(metadata) => walk::object(wanted, &metadata).map_err(StoreErrorKind::Io),
            Err(error) if is_absent(&error) => present(&root).map(|()| None),
            Err(error) => Err(write::kind(&path, error)),
        })
        .await
    }

    fn list<'a>(&'a self, prefix: Option<&Key>) -> BoxStream<'a, Result<Object, StoreError>> {
        let walk = Walk::new(self.root.clone(), prefix.cloned());
        stream::try_unfold(walk, move |mut walk| async move {
            let (page, walk) = self
                .blocking(Action::List, None, move || {
                    let page: Vec<_> = walk.by_ref().take(PAGE).collect();
                    Ok((page, walk))
                })
                .await?;
            let named = |stopped: Stopped| self.error(Action::List, stopped.folder.as_ref(), stopped.kind);
            let page: Vec<_> = page.into_iter().map(|item| item.map_err(named)).collect();
            Ok::<_, StoreError>((!page.is_empty()).then(|| (stream::iter(page), walk)))
        })
        .try_flatten()
        .boxed()
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let (root, path) = (self.root.clone(), self.path(key));
        self.blocking(Action::Delete, Some(key), move || write::delete(&root, &path)).await
    }

    async fn settle(&self) {
        self.abandoned.wait().await;
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>, StoreError> {
        let root = self.root.clone();
        self.blocking(Action::Sweep, None, move || write::sweep(&root, older_than)).await
    }

    async fn clock(&self) -> Option<Timestamp> {
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || clock::clock(&root)).await.ok().flatten()
    }

    fn location(&self) -> String {
        location(&self.root)
    }
}

/// Returns where a folder is.
pub(super) fn location(root: &Path) -> String {
    format!("file://{}", root.display())
}

/// Hands `body` to the writer in pieces. Returns the body's error; a writer that failed reports its
/// own.
async fn feed(body: &mut Body, sender: mpsc::Sender<Piece>) -> io::Result<()> {
    loop {
        let mut buffer = BytesMut::with_capacity(PIECE);
        let ended = tokio::select! {
            ended = fill(body, &mut buffer, PIECE) => ended?,
            // A full disk must not wait for a producer that has no data yet.
            () = sender.closed() => return Ok(()),
        };
        if !buffer.is_empty() && sender.send(Piece::Data(buffer.freeze())).await.is_err() {
            return Ok(());
        }
        if ended {
            let _ = sender.send(Piece::End).await;
            return Ok(());
        }
    }
}

/// Returns whether `error` says that the path does not exist. A file in the place of a parent
/// folder says so too.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn no_such_root(root: &Path) -> StoreErrorKind {
    StoreErrorKind::NoSuchPlace(format!("the folder {}", root.display()))
}

/// Distinguishes a missing object from a missing repository, such as a disk that is not mounted.
fn present(root: &Path) -> Result<(), StoreErrorKind> {
    if root.is_dir() { Ok(()) } else { Err(no_such_root(root)) }
}
