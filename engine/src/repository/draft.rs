//! A backup that does not exist yet.

use std::sync::{Arc, Mutex, PoisonError};

use super::{BackupId, RepositoryError, member};
use crate::manifest::{CHECKSUMS, MANIFEST, Manifest, StoredObject, write_checksums};
use crate::store::{Key, Mode, Store, StoreError, StoreErrorKind};
use crate::stream::{Digest, Encoded, Packed, body_of};

/// A backup in the making: objects are added, then it is committed by its manifest, or discarded with all that was stored.
#[derive(Debug)]
pub struct Draft {
    store: Arc<dyn Store>,
    instance: String,
    id: BackupId,
    /// Keys that were begun: their objects may be there.
    begun: Mutex<Vec<Key>>,
}

impl Draft {
    pub(super) fn new(store: Arc<dyn Store>, instance: &str, id: BackupId) -> Self {
        Self { store, instance: instance.to_owned(), id, begun: Mutex::default() }
    }

    /// The name that the backup will have.
    pub fn id(&self) -> &BackupId {
        &self.id
    }

    /// Stores an object of the backup under `name` and returns what the manifest must say of it, and what its producer found out.
    ///
    /// # Errors
    /// [`StoreError`]; where the data could not be produced its cause is in there.
    pub async fn add<T>(&self, name: &str, encoded: Encoded<T>) -> Result<(StoredObject, T), StoreError> {
        let key = self.begin(name);
        let size = self.store.put(&key, encoded.body, Mode::CreateNew).await?;
        let failed = |kind| self.failed(&key, kind);
        let Packed { plain, stored, value } =
            encoded.outcome.get().map_err(|error| failed(StoreErrorKind::Source(error)))?;
        if size != stored.size {
            return Err(failed(StoreErrorKind::Corrupt(format!("{size} bytes arrived of {}", stored.size))));
        }
        Ok((StoredObject { key, plain, stored }, value))
    }

    /// Stores the checksums and then the manifest. From the moment this returns `Ok` the backup exists.
    ///
    /// # Errors
    /// [`RepositoryError`]; the backup then does not exist, and its objects should be discarded.
    pub async fn commit(&self, manifest: &Manifest) -> Result<(), RepositoryError> {
        let folder = self.id.key(&self.instance);
        let bytes = manifest.to_bytes().map_err(RepositoryError::Json)?;
        let own = manifest.objects().filter(|object| object.key.is_under(&folder));
        let digests = own.map(|object| (object.key.name(), object.stored.sha256));
        let sums = write_checksums(digests.chain([(MANIFEST, Digest::of(&bytes))]));
        let key = self.begin(CHECKSUMS);
        self.store.put(&key, body_of(sums.into_bytes()), Mode::CreateNew).await?;
        let key = self.begin(MANIFEST);
        self.store.put(&key, body_of(bytes), Mode::CreateNew).await?;
        Ok(())
    }

    /// Deletes whatever was stored, manifest first.
    ///
    /// # Errors
    /// [`StoreError`] of the last object that could not be deleted. The others are tried all the same, unless the store as a whole
    /// is not available: what is left then is no backup, and nobody will take it for one.
    pub async fn discard(&self) -> Result<(), StoreError> {
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        let mut result = Ok(());
        for key in begun.iter().rev() {
            match self.store.delete(key).await {
                Ok(()) => {}
                Err(error) if matches!(*error.kind, StoreErrorKind::Unavailable(_)) => return Err(error),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    fn begin(&self, name: &str) -> Key {
        let key = member(&self.id.key(&self.instance), name);
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        key
    }

    fn failed(&self, key: &Key, kind: StoreErrorKind) -> StoreError {
        StoreError {
            action: crate::store::Action::Put,
            key: Some(key.clone()),
            location: self.store.location(),
            kind: Box::new(kind),
        }
    }
}
