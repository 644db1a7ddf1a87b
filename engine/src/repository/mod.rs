//! The place that holds backups: its layout, and how a backup comes into being there.
//!
//! ```text
//! repository.json                                      format, id, created
//! <instance>/<backup id>/manifest.json                 stored last
//! <instance>/<backup id>/database.dump.zst
//! <instance>/<backup id>/filestore-0001.tar.zst
//! <instance>/<backup id>/filestore-0001.files.zst
//! <instance>/<backup id>/SHA256SUMS
//! ```

mod catalog;
mod draft;
mod id;

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use catalog::{Damaged, Listing};
pub use draft::Draft;
pub use id::{BackupId, InvalidBackupId};

use crate::error::Error;
use crate::manifest::{CHECKSUMS, FORMAT, MANIFEST, Manifest, StoredObject, read_checksums};
use crate::store::{Key, Mode, Store, StoreError, StoreErrorKind, read_document};
use crate::stream::{ChunkReader, DecodeReader, Digest, body_of, consume};

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
    /// There is no `repository.json`.
    #[error("there is no repository in {0}")]
    NotARepository(String),
    /// `init` where there is one.
    #[error("there is a repository in {0} already")]
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
    #[error("{selector:?} is the beginning of {} backups: {}", .ids.len(), .ids.join(", "))]
    Ambiguous {
        /// What was asked for.
        selector: String,
        /// Those that begin so.
        ids: Vec<String>,
    },
    /// The latest backup of which instance?
    #[error("the repository holds backups of {} instances: {}", .instances.len(), .instances.join(", "))]
    WhichInstance {
        /// Their names.
        instances: Vec<String>,
    },
    /// The system has no random numbers.
    #[error("unable to draw a random number: {0}")]
    Random(#[from] getrandom::Error),
    /// A manifest that cannot be written as JSON.
    #[error("unable to write a manifest: {0}")]
    Json(#[source] serde_json::Error),
}

impl RepositoryError {
    /// How an operator mends it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::NotARepository(_) => {
                "`odoo-backup init` makes one; check `url` in the [repository] section if there should be one".into()
            }
            Self::NewerFormat { .. } => "install a newer odoo-backup".into(),
            Self::Damaged { .. } => "`odoo-backup check` says which backups it hits; restore another one".into(),
            Self::NoSuchBackup { selector, .. } if selector.ends_with("latest") => {
                "`odoo-backup now` makes the first".into()
            }
            Self::NoSuchBackup { .. } => "`odoo-backup list` shows those that exist".into(),
            Self::Ambiguous { .. } => "give more of the id".into(),
            Self::WhichInstance { instances } => {
                format!("say which: {}/latest", instances.first().map_or("", String::as_str))
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
}

const DESCRIPTION: &str = "repository.json";
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
            Ok(_) => Ok(Self { store, description }),
            Err(error) if matches!(*error.kind, StoreErrorKind::AlreadyExists) => {
                Err(RepositoryError::AlreadyThere(store.location()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the repository in `store`.
    ///
    /// # Errors
    /// [`RepositoryError::NotARepository`], [`RepositoryError::NewerFormat`], [`RepositoryError::Damaged`], [`RepositoryError::Store`]
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
        Ok(Self { store, description })
    }

    /// `repository.json`
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The store it lies in.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Lets `read` read an object's plain bytes on a thread. Where it reads to the end, that has been verified when this returns.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Io`] where the object is not what the manifest says, or `read` fails.
    pub async fn read<T: Send + 'static>(
        &self,
        object: &StoredObject,
        read: impl FnOnce(DecodeReader<ChunkReader>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let StoredObject { key, plain, stored } = object.clone();
        let body = self.store.get(&key, None).await?;
        let done = consume(body, move |bytes| read(DecodeReader::new(bytes, plain, stored)?));
        done.await.map_err(|source| Error::Io { action: format!("read {key}"), source })
    }

    /// Begins a backup that shows the moment `created_at`.
    pub fn begin(&self, instance: &str, created_at: Timestamp) -> Draft {
        Draft::new(self.store.clone(), instance, BackupId::new(created_at))
    }

    /// Reads a manifest, and holds it against the checksums that were stored beside it.
    ///
    /// # Errors
    /// [`RepositoryError::Damaged`] where they do not agree; [`RepositoryError::NewerFormat`]; [`RepositoryError::Store`]
    pub async fn verified_manifest(&self, instance: &str, id: &BackupId) -> Result<Manifest, RepositoryError> {
        let folder = id.key(instance);
        let (manifest_key, bytes) = self.document(&folder, MANIFEST).await?;
        let (sums_key, sums) = self.document(&folder, CHECKSUMS).await?;
        let expected = read_checksums(&sums).get(MANIFEST).copied();
        let expected = expected.ok_or_else(|| self.damaged(&sums_key, "it does not name the manifest"))?;
        if expected != Digest::of(&bytes) {
            return Err(self.damaged(&manifest_key, format!("it is not the one whose digest {sums_key} holds")));
        }
        self.manifest_of(instance, id, &manifest_key, &bytes)
    }

    /// Reads a manifest without holding it against anything: enough to show it.
    async fn manifest(&self, instance: &str, id: &BackupId) -> Result<Manifest, RepositoryError> {
        let (key, bytes) = self.document(&id.key(instance), MANIFEST).await?;
        self.manifest_of(instance, id, &key, &bytes)
    }

    fn manifest_of(&self, instance: &str, id: &BackupId, key: &Key, bytes: &[u8]) -> Result<Manifest, RepositoryError> {
        /// What every format has in common.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = parse(&*self.store, key, bytes)?;
        if head.format > FORMAT {
            return Err(RepositoryError::NewerFormat { what: format!("the backup {id}"), found: head.format });
        }
        let manifest: Manifest = parse(&*self.store, key, bytes)?;
        if manifest.id != *id || manifest.instance != instance {
            return Err(self.damaged(key, format!("it is the manifest of {}/{}", manifest.instance, manifest.id)));
        }
        Ok(manifest)
    }

    async fn document(&self, folder: &Key, name: &str) -> Result<(Key, Vec<u8>), RepositoryError> {
        let key = member(folder, name);
        let bytes = read_document(&*self.store, &key).await?;
        Ok((key, bytes))
    }

    fn damaged(&self, key: &Key, reason: impl Into<String>) -> RepositoryError {
        RepositoryError::Damaged { key: key.clone(), location: self.store.location(), reason: reason.into() }
    }
}

fn description_key() -> Key {
    #[expect(clippy::expect_used, reason = "a constant")]
    Key::new(DESCRIPTION).expect("a valid key")
}

/// An object in a backup's folder, by one of the names that this program gives.
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
