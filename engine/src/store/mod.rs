//! Defines where objects are kept: a small interface, with a local folder and S3 behind it.
//!
//! A store knows nothing of backups. It guarantees two things: an object exists completely or not
//! at all, and `put` returns only when the object would survive a power loss.

#[cfg(test)]
pub(crate) mod faulty;
mod fill;
#[cfg(test)]
pub(crate) mod hiding;
mod key;
mod local;
mod s3;
#[cfg(test)]
pub(crate) mod seaweed;
mod settings;

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use rustix::io::Errno;
use tokio::io::AsyncReadExt;

pub use key::InvalidKey;
pub use key::{Key, is_segment};
pub use local::LocalStore;
pub use s3::{S3Settings, S3Store};
pub use settings::{S3Config, StoreConfig};

use crate::folder;
use crate::stream::Body;

/// Opens the store that `config` names. With `create`, creates a missing local folder. Buckets are
/// never created.
///
/// # Errors
/// [`StoreErrorKind::NoSuchPlace`] if the local folder is missing, [`StoreErrorKind::Denied`] if it
/// cannot be entered. S3 is not contacted: the first request reports a wrong bucket or secret.
pub async fn open(config: &StoreConfig, create: bool) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match config {
        StoreConfig::Local { path } => Arc::new(LocalStore::open(path.clone(), create).await?),
        StoreConfig::S3(config) => Arc::new(S3Store::open(config).await?),
    })
}

/// What [`Store::put`] does if the key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replace the object in one step: a reader sees the old object or the new one.
    Replace,
    /// Fail with [`StoreErrorKind::AlreadyExists`] and leave it as it is.
    CreateNew,
    /// As [`Mode::CreateNew`], of a key that the caller has just not found in a listing: S3 is not
    /// asked for it again.
    CreateAbsent,
}

impl Mode {
    /// Returns whether an existing object is left as it is.
    pub(crate) fn creates(self) -> bool {
        self != Self::Replace
    }
}

/// An object as [`Store::list`] and [`Store::head`] report it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its full key, without the store's own prefix.
    pub key: Key,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}

/// A place for objects. Shared between tasks as `Arc<dyn Store>`.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Stores everything that `body` yields, and returns the number of bytes.
    ///
    /// Nothing is visible under `key` until this returns `Ok`, and the object is durable from then
    /// on. If `body` ends in an error, nothing is stored and the error is returned as
    /// [`StoreErrorKind::Source`]. If this future is dropped, nothing is stored either, but a part
    /// of an upload may remain until a sweep; see [`Store::settle`].
    async fn put(&self, key: &Key, body: Body, mode: Mode) -> Result<u64, StoreError>;

    /// Does the same as [`Self::put`], for a body of about `expected` bytes. A store that sends
    /// objects in parts chooses their size by it.
    async fn put_sized(&self, key: &Key, body: Body, mode: Mode, expected: u64) -> Result<u64, StoreError> {
        let _ = expected;
        self.put(key, body, mode).await
    }

    /// Opens an object, or the bytes `range` of it. A range must not be empty, and must be within
    /// the object.
    ///
    /// If the connection breaks, the body resumes or ends in an error; that never looks like the
    /// end of the object. Such an error is a [`std::io::Error`] around a [`StoreError`], which
    /// [`StoreError::from_body`] returns.
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Body, StoreError>;

    /// Returns size and time of one object, or `None` if it does not exist.
    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError>;

    /// Lists the objects whose key is in `prefix` as in a folder (`None`: all), ordered by key.
    /// Fetches a page at a time as the stream is polled. `a/b` lists `a/b/c`, but neither `a/b` nor
    /// `a/bc`.
    fn list<'a>(&'a self, prefix: Option<&Key>) -> BoxStream<'a, Result<Object, StoreError>>;

    /// Deletes an object. It is no error if it does not exist, so two processes can delete the same
    /// object.
    async fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// Waits until the [`Store::put`]s that were dropped have cleaned up, as far as they can.
    ///
    /// If the program ends earlier, a sweep cleans up. A delete before this may come too early.
    async fn settle(&self);

    /// Removes what interrupted [`Store::put`]s left, if it is older than `older_than`: temporary
    /// files of the local store, unfinished uploads of S3 (by their start, so `older_than` must
    /// exceed the longest upload). Returns their names.
    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>, StoreError>;

    /// Returns the time by the store's clock, if it is known without storing anything.
    async fn clock(&self) -> Option<Timestamp> {
        None
    }

    /// Returns the store as an operator would write it, for messages: `s3://bucket/prefix`,
    /// `file:///var/lib/odoo-backup`. It never contains a secret.
    fn location(&self) -> String;
}

/// Returns what the operator can do about trouble of this machine.
fn hint_of_system(error: &io::Error) -> Option<String> {
    let says = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    Some(match () {
        () if says(Errno::MFILE) || says(Errno::NFILE) => {
            "raise the limit of open files: `ulimit -n`, or `LimitNOFILE=` of the service".into()
        }
        () if [Errno::STALE, Errno::NOTCONN, Errno::HOSTDOWN, Errno::TIMEDOUT].into_iter().any(says) => {
            "check the mount of the network file system under the repository, then try again".into()
        }
        () if says(Errno::NOMEM) => "free some memory, then try again".into(),
        () if says(Errno::IO) => "check the disk (`dmesg`), then run `odoo-backup check --read-data`".into(),
        () => return None,
    })
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Returns the most bytes that a document of this name can have. A larger object is not this
/// program's, and is not read.
///
/// A manifest contains a name of some 60 bytes for each file that its source had lost. `check.json`
/// contains a line for each object. A cached list is not larger than the cache accepts.
fn largest_document(key: &Key) -> u64 {
    match key.name() {
        "manifest.json" | "set-aside.json" => 32 * MIB,
        "SHA256SUMS" => 8 * MIB,
        "check.json" => 64 * MIB,
        name if name.ends_with(".zst") => 64 * MIB,
        _ if key.segments().nth(1) == Some("proofs") => 16 * MIB,
        _ => MIB,
    }
}

/// Reads a small object completely: a manifest, a list of checksums.
///
/// # Errors
/// [`StoreError`], also if it is larger than an object of its name can be
pub async fn read_document(store: &dyn Store, key: &Key) -> Result<Vec<u8>, StoreError> {
    let failed = |kind| StoreError {
        action: Action::Get,
        key: Some(key.clone()),
        location: store.location(),
        kind: Box::new(kind),
    };
    let mut bytes = Vec::new();
    let body = store.get(key, None).await?;
    let largest = largest_document(key);
    let read = body.take(largest + 1).read_to_end(&mut bytes).await;
    read.map_err(|error| error.downcast().unwrap_or_else(|error| failed(StoreErrorKind::Io(error))))?;
    if bytes.len() as u64 > largest {
        let reason = format!("it is larger than {} MiB, the limit for such an object", largest / MIB);
        return Err(failed(StoreErrorKind::Corrupt(reason)));
    }
    Ok(bytes)
}

/// What was done to a store when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Connecting, reading credentials, opening the folder.
    Open,
    /// [`Store::put`]
    Put,
    /// [`Store::get`] and reading what it returned.
    Get,
    /// [`Store::head`]
    Head,
    /// [`Store::list`]
    List,
    /// [`Store::delete`]
    Delete,
    /// [`Store::sweep`]
    Sweep,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Put => "store",
            Self::Get => "read",
            Self::Head => "inspect",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Sweep => "remove leftovers in",
        })
    }
}

/// A store's failure: what was done, to which object, where, and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("unable to {action} {}: {kind}", self.subject())]
pub struct StoreError {
    /// What was done.
    pub action: Action,
    /// The object. `None` for the store as a whole.
    pub key: Option<Key>,
    /// [`Store::location`]
    pub location: String,
    /// Why it failed.
    #[source]
    pub kind: Box<StoreErrorKind>,
}

/// Why a store failed, with one variant for each remedy that an operator has.
#[derive(Debug, thiserror::Error)]
pub enum StoreErrorKind {
    /// `get` of a key that does not exist.
    #[error("there is no such object")]
    NotFound,
    /// `put` with [`Mode::CreateNew`] of a key that exists.
    #[error("the object already exists")]
    AlreadyExists,
    /// The bucket or the root folder does not exist.
    #[error("{0} does not exist")]
    NoSuchPlace(String),
    /// Credentials are missing, wrong, or lack the privilege.
    #[error("access denied: {0}")]
    Denied(String),
    /// The file system cannot be written.
    #[error("{}: the file system is read-only for this process", .0.display())]
    ReadOnly(std::path::PathBuf),
    /// The disk is full, or a quota is exceeded.
    #[error("no space left: {0}")]
    Full(String),
    /// The store is unreachable, timed out, or failed on its side, after all retries.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The server refuses requests because this machine's clock is wrong.
    #[error("the clocks differ: {0}")]
    Clock(String),
    /// The object is in an archive tier, and must be restored from it before it can be read.
    #[error("the object is archived: {0}")]
    Archived(String),
    /// What was read is not what was requested: wrong length, checksum, or form.
    #[error("damaged in transit or at rest: {0}")]
    Corrupt(String),
    /// The body handed to `put` failed. The cause is the producer's.
    #[error("the data to be stored could not be produced")]
    Source(#[source] std::io::Error),
    /// Any other error of the operating system.
    #[error("{0}")]
    Io(#[source] std::io::Error),
    /// Any other answer of the server.
    #[error("{0}")]
    Other(String),
}

/// Returns whether the disk, or its file system, says that it lost a file.
fn is_of_medium(error: &io::Error) -> bool {
    let of_medium = [Errno::IO, Errno::UCLEAN, Errno::BADMSG];
    let says = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    error.kind() == io::ErrorKind::UnexpectedEof || of_medium.into_iter().any(says)
}

impl StoreError {
    fn subject(&self) -> String {
        match &self.key {
            Some(key) => format!("{key} in {}", self.location),
            None if self.action == Action::List => format!("the objects in {}", self.location),
            None => self.location.clone(),
        }
    }

    /// Returns the store's failure in `error`, which reading a body of [`Store::get`] returned.
    /// Returns `None` if it is another error.
    pub fn from_body(error: &std::io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Returns whether the error concerns only one object: it is gone, damaged, or the disk cannot
    /// read it. Other objects may be intact.
    ///
    /// Every other error of the operating system is trouble of this machine, and says nothing of
    /// the object: too many open files, a network file system that went away, a signal.
    pub fn is_of_object(&self) -> bool {
        match &*self.kind {
            StoreErrorKind::NotFound | StoreErrorKind::Corrupt(_) => true,
            StoreErrorKind::Io(error) => is_of_medium(error),
            _ => false,
        }
    }

    /// Returns whether the folder or the bucket does not exist.
    pub fn is_no_such_place(&self) -> bool {
        matches!(*self.kind, StoreErrorKind::NoSuchPlace(_))
    }

    /// Returns whether the store failed as a whole.
    pub fn is_outage(&self) -> bool {
        use StoreErrorKind::{Denied, NoSuchPlace, ReadOnly, Unavailable};
        matches!(*self.kind, Unavailable(_) | Denied(_) | ReadOnly(_) | NoSuchPlace(_))
    }

    /// Returns whether the action is not allowed here, to this user or to any.
    pub fn is_denied(&self) -> bool {
        matches!(*self.kind, StoreErrorKind::Denied(_) | StoreErrorKind::ReadOnly(_))
    }

    /// Returns whether the error is about one folder that a [list](Store::list) skipped. The other
    /// objects follow it.
    pub fn is_of_folder(&self) -> bool {
        self.action == Action::List && self.key.is_some() && matches!(*self.kind, StoreErrorKind::Denied(_))
    }

    /// Returns what the operator can do, if that is known.
    pub fn hint(&self) -> Option<String> {
        let local = self.location.starts_with("file:");
        Some(match &*self.kind {
            StoreErrorKind::NoSuchPlace(_) if local => {
                "run `odoo-backup init` to create it, mount it, or correct `url` in the [repository] section".into()
            }
            StoreErrorKind::NoSuchPlace(_) => {
                "create the bucket first, or correct `url` in the [repository] section".into()
            }
            StoreErrorKind::Denied(text) if local => {
                let root = std::path::Path::new(self.location.trim_start_matches("file://"));
                // The text is the path and the error of the operating system.
                let path = text.rsplit_once(": ").map_or(root, |(path, _)| std::path::Path::new(path));
                folder::denied(path, root)
            }
            StoreErrorKind::ReadOnly(path) => folder::read_only(path),
            StoreErrorKind::Io(error) if local => {
                let root = std::path::Path::new(self.location.trim_start_matches("file://"));
                return folder::hint_of(error, root);
            }
            StoreErrorKind::Denied(_) => {
                "check the credentials and their privileges; `odoo-backup doctor` tries each of them".into()
            }
            StoreErrorKind::NotFound => "run `odoo-backup check` to see which backups are affected".into(),
            StoreErrorKind::Full(_) => "free some space, or give the repository more; nothing was left behind".into(),
            StoreErrorKind::Unavailable(_) => {
                "check that the server runs and that `endpoint` and `region` are right, then try again".into()
            }
            StoreErrorKind::Corrupt(_) => "run `odoo-backup check --read-data` to see what else is affected".into(),
            StoreErrorKind::Clock(_) => {
                "set this machine's clock, by NTP or `timedatectl`: S3 refuses requests dated more than 15 minutes off".into()
            }
            StoreErrorKind::Archived(_) => {
                "restore the object from its archive (S3 Glacier) to the bucket first, and apply no lifecycle rules to the repository".into()
            }
            StoreErrorKind::Io(error) => return hint_of_system(error),
            _ => return None,
        })
    }
}
