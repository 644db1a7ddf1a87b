//! Defines the repository: the place that contains the backups, its layout, and how a backup is
//! added.
//!
//! ```text
//! repository.json                           format, id, created
//! RESTORE.txt                               how to restore without this program
//! <instance>/<backup id>/manifest.json      stored last
//! <instance>/<backup id>/database-0001.zst  with its index, and database.map.zst;
//!                                           format 1: database.dump.zst
//! <instance>/<backup id>/filestore-0001.tar.zst
//! <instance>/<backup id>/filestore-0001.files.zst
//! <instance>/<backup id>/SHA256SUMS
//! <instance>/<backup id>/set-aside.json     replaces manifest.json while the backup is quarantined
//! <instance>/pins/<backup id>.json          the operator keeps the backup
//! <instance>/proofs/<backup id>/<time>-<depth>-<outcome>.json
//!                                           what a restored copy has shown
//! <instance>/check.json                     when each object was last read back
//! <instance>/damage.json                    known damage, while there is any
//! locks/<instance>/<purpose>-<id>.json      a claim, while something is done to the instance
//! ```

mod cache;
mod catalog;
mod damage;
mod dates;
mod documents;
mod draft;
mod dump;
mod findings;
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
mod selector;
mod sight;
mod survey;
mod upgrade;

use std::io;
use std::path::Path;
use std::sync::Arc;

use cache::Cache;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::manifest::{BackupId, BackupRef};
pub use catalog::{Alarm, Damaged, Flaw, Listing};
pub(crate) use damage::{FoundDamage, KnownDamage, damage_of};
pub use dates::CLOCK_TOLERANCE;
pub use dates::{Clocks, is_future};
pub(crate) use documents::{Checksums, Documents, Verified};
pub(crate) use draft::Draft;
pub(crate) use dump::{DumpName, DumpReader};
pub use guide::store_guide;
pub use latest::Selected;
pub(crate) use listed::ObjectListing;
pub use lock::{Claim, Lock, LockError, Owner, Purpose, StoredClaim};
pub(crate) use marks::Accepted;
pub use marks::Pin;
pub(crate) use marks::pin_key;
pub(crate) use proofs::of_backup as proofs_of;
pub use proofs::{Evidence, Proof, ProofName, ProofOccasion, ProofOutcome, Timings};
pub(crate) use quarantine::Quarantined;
pub use read::Damage;
pub(crate) use read::{Examined, damage_by_reading, damage_by_store, damage_of_document, or_damage};
pub(crate) use read::{says_damaged, speaks_of_object};
pub(crate) use readings::LastRead;
pub(crate) use revise::Replacement;
pub use selector::{Position, Selector};
use selector::{is_latest, usable_backups};
pub use survey::{DamagedObject, Survey, Surveyed};
pub use upgrade::Upgraded;

use crate::filestore::ListForm;
use crate::manifest::{FORMAT, FORMAT_1};
use crate::run::{Interrupted, Interruptible};
use crate::store::{self, Key, Mode, Store, StoreConfig, StoreError, StoreErrorKind, read_document};
use crate::stream::body_of;

/// `repository.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The latest format of its manifests.
    pub format: u32,
    /// A random id, which stays the same if the repository is moved.
    pub id: String,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Description {
    /// Returns what the lists of new volumes have.
    pub(crate) fn list_form(&self) -> ListForm {
        if self.format == FORMAT_1 { ListForm::Files } else { ListForm::FramesAndFiles }
    }
}

/// A failure of the repository as a whole, or of an object in it.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A lock was refused or lost.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The operation was stopped while it waited.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// An object could not be read to its end.
    #[error("unable to read {key}")]
    Read {
        /// The object.
        key: Key,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// An object of an earlier backup was deleted while a backup that references it was made.
    #[error("{key} in {location} is gone, and the backup needs it")]
    Vanished {
        /// The object.
        key: Key,
        /// Where the repository is.
        location: String,
    },
    /// Every reader would refuse the manifest of a new backup.
    #[error("the manifest of {backup} could not be read again: {reason}")]
    Unreadable {
        /// Instance and id.
        backup: String,
        /// What readers refuse.
        reason: String,
    },
    /// A pinned backup cannot be forgotten.
    #[error("the backup {backup} is pinned")]
    Pinned {
        /// Instance and id.
        backup: String,
    },
    /// The newest verified backup, or the only one, is forgotten only by its whole id.
    #[error("the backup {backup} is the newest verified one of its instance, or the only one")]
    Precious {
        /// Instance and id.
        backup: String,
    },
    /// A backup appeared although the lock should have prevented that.
    #[error("the backup {backup} appeared while others were removed, though the instance was locked")]
    Changed {
        /// Instance and id.
        backup: String,
    },
    /// An object to be copied would replace another object of the same name.
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
    /// `init` found an existing repository.
    #[error("there is already a repository in {0}")]
    AlreadyThere(String),
    /// A later version of this program wrote it.
    #[error("{what} has format {found}, and this version of odoo-backup reads formats up to {FORMAT}")]
    NewerFormat {
        /// `the repository in …`, `the backup …`
        what: String,
        /// Its format.
        found: u32,
    },
    /// A backup of a later format than the repository's would make older programs fail there.
    #[error("the repository in {location} has format {found}, and {backup} needs format {needed}")]
    OlderFormat {
        /// Where the repository is.
        location: String,
        /// Its format.
        found: u32,
        /// Instance and id.
        backup: String,
        /// The backup's format.
        needed: u32,
    },
    /// An object cannot be understood, or contradicts another object.
    #[error("{key} in {location} is damaged: {reason}")]
    Damaged {
        /// The object.
        key: Key,
        /// Where the repository is.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no backup of that name.
    #[error("no backup {selector:?} in {location}")]
    NoSuchBackup {
        /// What the operator asked for.
        selector: String,
        /// The repository.
        location: String,
    },
    /// The instance has fewer backups than `latest~N` counts.
    #[error("no backup {selector:?} in {location}: {instance} has {} there", usable_backups(*.usable))]
    TooFew {
        /// What the operator asked for.
        selector: String,
        /// The instance.
        instance: String,
        /// How many of its backups are neither damaged nor dated in the future.
        usable: usize,
        /// The repository.
        location: String,
    },
    /// Several ids start with the selector.
    #[error("{selector:?} is the start of {} ids: {}", .ids.len(), .ids.join(", "))]
    Ambiguous {
        /// What the operator asked for.
        selector: String,
        /// The ids that start with it.
        ids: Vec<String>,
    },
    /// `latest` needs an instance, because there are several.
    #[error("the repository contains backups of {} instances: {}", .instances.len(), .instances.join(", "))]
    WhichInstance {
        /// Their names.
        instances: Vec<String>,
    },
    /// A listing omits an object that exists.
    #[error("the listing of {location} omits {key}, which exists")]
    Incomplete {
        /// The object.
        key: Key,
        /// Where the repository is.
        location: String,
    },
    /// The system gave no random numbers.
    #[error("unable to get a random number from the system: {0}")]
    Random(#[from] getrandom::Error),
    /// A manifest cannot be written as JSON.
    #[error("unable to write a manifest: {0}")]
    Json(#[source] serde_json::Error),
}

impl RepositoryError {
    /// Returns whether the error concerns only one object: it is damaged, or has a newer format.
    /// Other objects may be intact.
    pub(crate) fn is_of_object(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::NewerFormat { .. } => true,
            Self::Store(error) => error.is_of_object(),
            _ => false,
        }
    }

    /// Returns whether there is no repository where the configuration says.
    pub(crate) fn is_no_repository(&self) -> bool {
        match self {
            Self::NotARepository(_) => true,
            Self::Store(error) => error.is_no_such_place(),
            _ => false,
        }
    }

    /// Returns what the operator can do, if that is known.
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
            Self::OlderFormat { .. } => "run `odoo-backup upgrade`: it upgrades each repository of the configuration".into(),
            Self::Damaged { .. } => "run `odoo-backup check` to see which backups are affected, and restore another one".into(),
            Self::NoSuchBackup { selector, .. } if is_latest(selector) => {
                "run `odoo-backup now` to make the first".into()
            }
            Self::NoSuchBackup { selector, .. } if selector.contains('~') => {
                "write a number after `latest~`: `latest~1` is the backup before the latest".into()
            }
            Self::TooFew { .. } => {
                "run `odoo-backup list` to see which exist; backups that are damaged or dated in the future do not count".into()
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
    /// Copies of what was read before, on this machine.
    cache: Option<Cache>,
}

const DESCRIPTION: &str = "repository.json";
impl Interruptible for RepositoryError {
    fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted(_))
    }
}

impl Repository {
    /// Creates a repository in an empty place.
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
            // Reading a local folder is as fast as reading a copy of it.
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

    /// Returns the repository with its `repository.json` as it is now. It may have been upgraded
    /// since it was opened.
    ///
    /// # Errors
    /// Those of [`Self::open`]
    pub async fn opened_again(&self) -> Result<Self, RepositoryError> {
        let now = Self::open(self.store.clone()).await?;
        let cache = self.cache.clone().filter(|_| now.description.id == self.description.id);
        Ok(Self { cache, ..now })
    }

    /// Uses this folder on this machine as the cache for lists and manifests.
    #[must_use]
    pub fn with_cache(mut self, folder: Option<&Path>) -> Self {
        self.cache = folder.and_then(|folder| Cache::new(folder, &self.description.id));
        self
    }

    /// Returns the same repository without its cache. Callers that delete or repair objects must
    /// read everything from the repository itself.
    #[must_use]
    pub(crate) fn without_cache(&self) -> Self {
        Self { cache: None, ..self.clone() }
    }

    /// Returns the content of `repository.json`.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Returns the store that contains the repository.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Begins a backup that shows the moment `created_at`.
    pub fn begin(&self, instance: &str, created_at: Timestamp) -> Draft {
        let backup = BackupRef::new(instance, BackupId::new(created_at));
        Draft::new(self.store.clone(), backup).with_cache(self.cache.clone())
    }

    /// Returns a draft in the folder of a backup, which need not exist. The objects added there are
    /// for other backups.
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

/// Returns the key of an object in a backup's folder, by a name that this program uses.
pub(crate) fn member(folder: &Key, name: &str) -> Key {
    #[expect(clippy::expect_used, reason = "this program chooses the names")]
    folder.join(name).expect("a valid key")
}

fn parse<T: serde::de::DeserializeOwned>(store: &dyn Store, key: &Key, bytes: &[u8]) -> Result<T, RepositoryError> {
    serde_json::from_slice(bytes).map_err(|error| RepositoryError::Damaged {
        key: key.clone(),
        location: store.location(),
        reason: error.to_string(),
    })
}
