//! The place that holds backups: its layout, and how a backup comes into being there.
//!
//! ```text
//! repository.json                                      format, id, created
//! RESTORE.txt                                          how to restore without this program
//! <instance>/<backup id>/manifest.json                 stored last
//! <instance>/<backup id>/database.dump.zst
//! <instance>/<backup id>/filestore-0001.tar.zst
//! <instance>/<backup id>/filestore-0001.files.zst
//! <instance>/<backup id>/SHA256SUMS
//! <instance>/<backup id>/set-aside.json                in the manifest's place, where the backup cannot be trusted
//! <instance>/pins/<backup id>.json                     what a person says of it
//! <instance>/proofs/<backup id>/<time>-<depth>-<outcome>.json   what restored copies have shown
//! <instance>/check.json                                when what was last read back
//! <instance>/damage.json                               damage that was found and is not repaired, while there is any
//! locks/<instance>/<purpose>-<id>.json                 while something is done to it
//! ```

mod cache;
mod catalog;
mod damage;
mod dates;
mod documents;
mod draft;
mod guide;
mod latest;
pub(crate) mod layout;
mod listed;
mod lock;
mod marks;
mod proofs;
mod quarantine;
mod read;
mod readings;
mod revise;
mod room;
mod sight;
mod speaks;

use std::io;
use std::path::Path;
use std::sync::Arc;

use cache::Cache;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::manifest::{BackupId, BackupRef};
pub use catalog::{Alarm, Damaged, Flaw, Listing};
pub(crate) use damage::{Found, KnownDamage, damage_of};
pub use dates::CLOCK_TOLERANCE;
pub use dates::{Clocks, is_future};
pub(crate) use documents::{Checksums, Documents, Verified};
pub(crate) use draft::Draft;
pub use guide::store_guide;
pub use latest::Selected;
pub(crate) use listed::Listed;
pub use lock::Claim;
pub(crate) use lock::Purpose;
pub use lock::{Lock, LockError, Owner, StoredClaim};
pub(crate) use marks::Accepted;
pub use marks::Pin;
pub(crate) use marks::pin_key;
pub(crate) use proofs::of_backup as proofs_of;
pub use proofs::{Evidence, Proof, ProofName, ProofOccasion, ProofOutcome, Timings};
pub(crate) use quarantine::Quarantined;
pub use read::Damage;
pub(crate) use read::{Examined, damage_by_reading, damage_by_store, damage_of_document, or_damage};
pub(crate) use readings::LastRead;
pub(crate) use revise::Replacement;
pub(crate) use speaks::{says_damaged, speaks_of_object};

use crate::manifest::FORMAT;
use crate::run::{Interrupted, Interruptible};
use crate::store::{self, Key, Mode, Store, StoreConfig, StoreError, StoreErrorKind, read_document};
use crate::stream::body_of;

/// `repository.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The latest format of its manifests.
    pub format: u32,
    /// Tells repositories apart, wherever they are moved to.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A failure of the repository as a whole, or of what was looked for in it.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A lock that was refused or lost.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Stopped while it waited.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// An object could not be read to its end.
    #[error("unable to read {key}")]
    Read {
        /// The object.
        key: Key,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An object of an earlier backup went away while one was made that stands on it.
    #[error("{key} in {location} is gone, and the backup needs it")]
    Vanished {
        /// The object.
        key: Key,
        /// Where the repository is.
        location: String,
    },
    /// A pinned backup that was to be forgotten.
    #[error("the backup {backup} is pinned")]
    Pinned {
        /// Instance and id.
        backup: String,
    },
    /// The newest proven backup, or the only one, that was to be forgotten.
    #[error("the backup {backup} is the newest verified one of its instance, or the only one")]
    Precious {
        /// Instance and id.
        backup: String,
    },
    /// A backup appeared where the lock should have kept it out.
    #[error("the backup {backup} appeared while others were removed, though the instance was locked")]
    Changed {
        /// Instance and id.
        backup: String,
    },
    /// A name is taken by something else than what is to be stored under it.
    #[error("unable to copy {key} to {location}: another object has that name, or the copy there is damaged")]
    Another {
        /// The object.
        key: Key,
        /// Where the repository is.
        location: String,
    },
    /// There is no `repository.json`.
    #[error("there is no repository in {0}")]
    NotARepository(String),
    /// `init` where there is one.
    #[error("there is already a repository in {0}")]
    AlreadyThere(String),
    /// It was written by a later version of this program.
    #[error("{what} has format {found}, and this version of odoo-backup reads formats up to {FORMAT}")]
    NewerFormat {
        /// `the repository in …`, `the backup …`
        what: String,
        /// Its format.
        found: u32,
    },
    /// An object cannot be understood, or is not what another one says it is.
    #[error("{key} in {location} is damaged: {reason}")]
    Damaged {
        /// The object.
        key: Key,
        /// Where the repository is.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No backup of that name.
    #[error("no backup {selector:?} in {location}")]
    NoSuchBackup {
        /// What was asked for.
        selector: String,
        /// Where it was looked for.
        location: String,
    },
    /// Several backups begin so.
    #[error("{selector:?} is the start of {} ids: {}", .ids.len(), .ids.join(", "))]
    Ambiguous {
        /// What was asked for.
        selector: String,
        /// Those that begin so.
        ids: Vec<String>,
    },
    /// The latest backup of which instance?
    #[error("the repository contains backups of {} instances: {}", .instances.len(), .instances.join(", "))]
    WhichInstance {
        /// Their names.
        instances: Vec<String>,
    },
    /// A listing that leaves out what is there.
    #[error("the listing of {location} omits {key}, which exists")]
    Incomplete {
        /// The object.
        key: Key,
        /// Where the repository is.
        location: String,
    },
    /// The system has no random numbers.
    #[error("unable to get a random number from the system: {0}")]
    Random(#[from] getrandom::Error),
    /// A manifest that cannot be written as JSON.
    #[error("unable to write a manifest: {0}")]
    Json(#[source] serde_json::Error),
}

impl RepositoryError {
    /// Returns whether it says something of the one object: it is damaged, or of a newer format.
    /// Others may be sound.
    pub(crate) fn is_of_object(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::NewerFormat { .. } => true,
            Self::Store(error) => error.is_of_object(),
            _ => false,
        }
    }

    /// Returns how an operator mends it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::Lock(error) => error.hint(),
            Self::Pinned { backup } => format!("run `odoo-backup unpin {backup}` first, if it may be deleted"),
            Self::Precious { backup } => format!("give its whole id to remove it nevertheless: `odoo-backup forget {backup}`"),
            Self::Changed { .. } => "find out which program stores backups there without a lock; no object was deleted".into(),
            Self::Vanished { .. } => "back up again: that stores what is gone".into(),
            Self::Another { .. } => {
                "copy to separate repositories if two servers use the same instance name; else move the object away and copy again; nothing was replaced".into()
            }
            Self::NotARepository(_) => {
                "run `odoo-backup init` to create one, or correct `url` in the [repository] section".into()
            }
            Self::NewerFormat { .. } => "install a newer odoo-backup".into(),
            Self::Damaged { .. } => "run `odoo-backup check` to see which backups are affected, and restore another one".into(),
            Self::NoSuchBackup { selector, .. } if selector.ends_with("latest") => {
                "run `odoo-backup now` to make the first".into()
            }
            Self::NoSuchBackup { .. } => "run `odoo-backup list` to see which exist".into(),
            Self::Ambiguous { .. } => "give more of the id".into(),
            Self::Incomplete { .. } => {
                "find out what makes listings incomplete (a proxy, a gateway, a damaged index); nothing was deleted".into()
            }
            Self::WhichInstance { instances } => {
                format!("name one: {}/latest", instances.first().map_or("", String::as_str))
            }
            _ => return None,
        })
    }
}

/// An open repository.
#[derive(Debug, Clone)]
pub struct Repository {
    store: Arc<dyn Store>,
    description: Description,
    /// What was read before, on this machine.
    cache: Option<Cache>,
}

const DESCRIPTION: &str = "repository.json";
impl Interruptible for RepositoryError {
    fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted(_))
    }
}

impl Repository {
    /// Makes a repository in an empty place.
    ///
    /// # Errors
    /// [`RepositoryError::AlreadyThere`]; [`RepositoryError::Store`]
    pub async fn init(store: Arc<dyn Store>, now: Timestamp) -> Result<Self, RepositoryError> {
        let id = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
        let description = Description { format: FORMAT, id, created_at: now };
        let mut bytes = serde_json::to_vec_pretty(&description).map_err(RepositoryError::Json)?;
        bytes.push(b'\n');
        match store.put(&description_key(), body_of(bytes), Mode::CreateNew).await {
            Ok(_) => Ok(Self { store, description, cache: None }),
            Err(error) if matches!(*error.kind, StoreErrorKind::AlreadyExists) => {
                Err(RepositoryError::AlreadyThere(store.location()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the repository that `config` names, with the cache that belongs to it.
    ///
    /// # Errors
    /// Those of [`store::open`] and of [`Self::open`]
    pub async fn at(config: &StoreConfig) -> Result<Self, RepositoryError> {
        let repository = Self::open(store::open(config, false).await?).await?;
        Ok(match config {
            // A folder is read as quickly as a copy of what is in it.
            StoreConfig::Local { .. } => repository,
            StoreConfig::S3(s3) => repository.with_cache(s3.cache_dir.as_deref()),
        })
    }

    /// Opens the repository in `store`, without a cache.
    ///
    /// # Errors
    /// [`RepositoryError::NotARepository`], [`RepositoryError::NewerFormat`],
    /// [`RepositoryError::Damaged`], [`RepositoryError::Store`]
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, RepositoryError> {
        let bytes = match read_document(&*store, &description_key()).await {
            Err(error) if matches!(*error.kind, StoreErrorKind::NotFound) => {
                return Err(RepositoryError::NotARepository(store.location()));
            }
            other => other?,
        };
        let description: Description = parse(&*store, &description_key(), &bytes)?;
        if description.format > FORMAT {
            let what = format!("the repository in {}", store.location());
            return Err(RepositoryError::NewerFormat { what, found: description.format });
        }
        Ok(Self { store, description, cache: None })
    }

    /// Keeps copies of lists and manifests in this folder of the machine, and reads them from
    /// there.
    #[must_use]
    pub fn with_cache(mut self, folder: Option<&Path>) -> Self {
        self.cache = folder.and_then(|folder| Cache::new(folder, &self.description.id));
        self
    }

    /// Returns the same, of which everything is read from the repository itself: for whoever
    /// deletes or mends by what it says.
    #[must_use]
    pub(crate) fn without_cache(&self) -> Self {
        Self { cache: None, ..self.clone() }
    }

    /// `repository.json`
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Returns the store it lies in.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Begins a backup that shows the moment `created_at`.
    pub fn begin(&self, instance: &str, created_at: Timestamp) -> Draft {
        Draft::new(self.store.clone(), BackupRef::new(instance, BackupId::new(created_at)))
    }

    /// Goes on in the folder of a backup, which may exist or be gone: what is added there is named
    /// by others, or by nobody yet.
    pub(crate) fn draft_in(&self, backup: BackupRef) -> Draft {
        Draft::new(self.store.clone(), backup)
    }

    fn damaged(&self, key: &Key, reason: impl Into<String>) -> RepositoryError {
        RepositoryError::Damaged { key: key.clone(), location: self.store.location(), reason: reason.into() }
    }
}

fn description_key() -> Key {
    #[expect(clippy::expect_used, reason = "a constant")]
    Key::new(DESCRIPTION).expect("a valid key")
}

/// Returns an object in a backup's folder, by one of the names that this program gives.
pub(crate) fn member(folder: &Key, name: &str) -> Key {
    #[expect(clippy::expect_used, reason = "the names are our own")]
    folder.join(name).expect("a valid key")
}

fn parse<T: serde::de::DeserializeOwned>(store: &dyn Store, key: &Key, bytes: &[u8]) -> Result<T, RepositoryError> {
    serde_json::from_slice(bytes).map_err(|error| RepositoryError::Damaged {
        key: key.clone(),
        location: store.location(),
        reason: error.to_string(),
    })
}
