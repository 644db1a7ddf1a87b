//! Where objects are kept: a small interface, and the local folder and S3 behind it.
//!
//! A store knows nothing of backups. It promises what the rest is built on: an object is whole or
//! not there at all, and `put` answers only when the object would survive the loss of power.

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

/// Opens the store that `config` names. With `create`, a local folder is made where it is missing;
/// a bucket never is.
///
/// # Errors
/// [`StoreErrorKind::NoSuchPlace`] where the local folder is missing, [`StoreErrorKind::Denied`]
/// where it cannot be entered. S3 is not contacted: a wrong bucket or secret shows with the first
/// request.
pub async fn open(config: &StoreConfig, create: bool) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match config {
        StoreConfig::Local { path } => Arc::new(LocalStore::open(path.clone(), create).await?),
        StoreConfig::S3(config) => Arc::new(S3Store::open(config).await?),
    })
}

/// What [`Store::put`] does where the key already exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replace it, in one step: a reader sees the old object or the new one.
    Replace,
    /// Fail with [`StoreErrorKind::AlreadyExists`] and leave it as it is.
    CreateNew,
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
    /// Stores everything that `body` yields and returns the number of bytes stored.
    ///
    /// Nothing is visible under `key` until this returns `Ok`, and it is durable from then on. If
    /// `body` ends in an error, nothing is stored and the error comes back as
    /// [`StoreErrorKind::Source`]; the same holds where this future is dropped, though a part of an
    /// upload may then wait to be swept; see [`Store::settle`].
    async fn put(&self, key: &Key, body: Body, mode: Mode) -> Result<u64, StoreError>;

    /// Does the same as [`Self::put`], of a body that is going to have about `expected` bytes: a
    /// store that sends objects in parts chooses their size by it.
    async fn put_sized(&self, key: &Key, body: Body, mode: Mode, expected: u64) -> Result<u64, StoreError> {
        let _ = expected;
        self.put(key, body, mode).await
    }

    /// Opens an object, or the bytes `range` of it. A range must not be empty and must lie within
    /// the object.
    ///
    /// A connection that breaks while the body is read ends the body in an error or is resumed; it
    /// never looks like the end. Such an error is a [`std::io::Error`] around a [`StoreError`],
    /// which [`StoreError::from_body`] gives back.
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Body, StoreError>;

    /// Size and time of one object, or `None` where there is none.
    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError>;

    /// Returns every object whose key is `prefix` itself or lies under it as a folder (`None`:
    /// all), ordered by key, a page at a time as the stream is polled. `a/b` lists `a/b/c` but not
    /// `a/bc`.
    fn list<'a>(&'a self, prefix: Option<&Key>) -> BoxStream<'a, Result<Object, StoreError>>;

    /// Deletes an object. One that is not there is no error: two who delete the same thing have
    /// both reached their aim.
    async fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// Waits until whatever works for [`Store::put`]s that were dropped has cleaned up after
    /// itself, as far as it will.
    ///
    /// A program that ends before leaves that to the sweep; a delete before may come too early.
    async fn settle(&self);

    /// Removes what interrupted [`Store::put`]s left behind and nobody has touched for
    /// `older_than`: temporary files of the local store, unfinished uploads of S3 (by their start:
    /// `older_than` must exceed the longest upload). Returns their names.
    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>, StoreError>;

    /// Returns what the store's clock shows, as far as it can be told without storing anything;
    /// `None` where it cannot.
    async fn clock(&self) -> Option<Timestamp> {
        None
    }

    /// Returns the store as an operator would write it, for messages: `s3://bucket/prefix`,
    /// `file:///var/lib/odoo-backup`. Never a secret.
    fn location(&self) -> String;
}

/// Returns what to do about trouble of this machine.
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

/// Returns the bytes that a document can have, by its name. What is larger is none of ours, and is
/// not read.
///
/// A manifest holds a name of some 60 bytes for each file that its source had lost; `check.json` a
/// line for each object; a list that is kept on this machine is not larger than its cache takes.
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

/// Reads a whole object that is small: a manifest, a list of checksums.
///
/// # Errors
/// [`StoreError`], also where it is larger than an object of its name can be.
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

/// What was being done to a store when it failed.
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

/// A store's failure: what was being done, to which object, where, and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("unable to {action} {}: {kind}", self.subject())]
pub struct StoreError {
    /// What was being done.
    pub action: Action,
    /// To which object; `None` where it was the store as a whole.
    pub key: Option<Key>,
    /// [`Store::location`]
    pub location: String,
    /// Why it failed.
    #[source]
    pub kind: Box<StoreErrorKind>,
}

/// Why a store failed. One variant per thing that an operator would mend differently.
#[derive(Debug, thiserror::Error)]
pub enum StoreErrorKind {
    /// `get` of a key that is not there.
    #[error("there is no such object")]
    NotFound,
    /// `put` with [`Mode::CreateNew`] of a key that is there.
    #[error("the object exists already")]
    AlreadyExists,
    /// The bucket or the root folder is not there.
    #[error("{0} does not exist")]
    NoSuchPlace(String),
    /// Credentials missing, wrong, or without the privilege.
    #[error("access denied: {0}")]
    Denied(String),
    /// The file system takes no changes.
    #[error("{}: the file system is read-only for this process", .0.display())]
    ReadOnly(std::path::PathBuf),
    /// Disk full, or quota exceeded.
    #[error("no space left: {0}")]
    Full(String),
    /// Unreachable, timed out, or failing on its side, after all retries.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The server refuses requests because of the time that this machine shows.
    #[error("the clocks differ: {0}")]
    Clock(String),
    /// The object is in an archive, from which it must be brought back before it can be read.
    #[error("the object is archived: {0}")]
    Archived(String),
    /// What came back is not what was asked for: wrong length, checksum, or form.
    #[error("damaged in transit or at rest: {0}")]
    Corrupt(String),
    /// The body handed to `put` failed; the cause is the producer's.
    #[error("the data to be stored could not be produced")]
    Source(#[source] std::io::Error),
    /// Anything else of the operating system.
    #[error("{0}")]
    Io(#[source] std::io::Error),
    /// Anything else the server answered.
    #[error("{0}")]
    Other(String),
}

/// Returns whether the disk, or the file system on it, says that it has not kept a file.
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

    /// Returns the store's failure that `error`, met while reading a body of [`Store::get`], stands
    /// for; `None` where it is another's.
    pub fn from_body(error: &std::io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Returns whether it says something of the one object: it is gone, damaged, or the disk cannot
    /// read it. Others may be sound.
    ///
    /// Everything else that the operating system says (no more open files, a network file system
    /// that went away, a signal) is trouble of this machine: what it was to read is not known.
    pub fn is_of_object(&self) -> bool {
        match &*self.kind {
            StoreErrorKind::NotFound | StoreErrorKind::Corrupt(_) => true,
            StoreErrorKind::Io(error) => is_of_medium(error),
            _ => false,
        }
    }

    /// Returns whether the store failed as a whole.
    pub fn is_outage(&self) -> bool {
        use StoreErrorKind::{Denied, NoSuchPlace, ReadOnly, Unavailable};
        matches!(*self.kind, Unavailable(_) | Denied(_) | ReadOnly(_) | NoSuchPlace(_))
    }

    /// Returns whether what was tried is not allowed here, to this user or to anybody.
    pub fn is_denied(&self) -> bool {
        matches!(*self.kind, StoreErrorKind::Denied(_) | StoreErrorKind::ReadOnly(_))
    }

    /// Returns whether it is about one folder that a [list](Store::list) passed over: what else
    /// there is follows behind it.
    pub fn is_of_folder(&self) -> bool {
        self.action == Action::List && self.key.is_some() && matches!(*self.kind, StoreErrorKind::Denied(_))
    }

    /// Returns how an operator mends it, where that can be said.
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
                // The text is the path, and what the operating system says of it.
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
