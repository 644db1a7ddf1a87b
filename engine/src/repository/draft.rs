//! Stores a backup that does not exist yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::cache::Cache;
use super::{BackupId, BackupRef, ObjectListing, RepositoryError};
use crate::manifest::{MANIFEST, Manifest, StoredObject};
use crate::store::{Action, Key, Mode, Store, StoreError, StoreErrorKind};
use crate::stream::{Body, Encoded, Fingerprint, Packed, body_of, encode_list};

/// The longest that a request may take while a draft is discarded. An ordinary request takes a
/// moment.
const LONGEST_REQUEST: Duration = Duration::from_secs(15);

/// A backup in the making. Objects are added; then the manifest commits the backup, or everything
/// stored is discarded.
#[derive(Debug)]
pub struct Draft {
    store: Arc<dyn Store>,
    backup: BackupRef,
    /// Keeps what the next backup reads.
    cache: Option<Cache>,
    /// How its objects are stored.
    mode: Mode,
    /// Keys whose upload was started: their objects may exist.
    begun: Mutex<Vec<Key>>,
}

impl Draft {
    pub(super) fn new(store: Arc<dyn Store>, backup: BackupRef) -> Self {
        Self { store, backup, cache: None, mode: Mode::CreateNew, begun: Mutex::default() }
    }

    /// Keeps what the next backup reads in this cache.
    pub(super) fn with_cache(self, cache: Option<Cache>) -> Self {
        Self { cache, ..self }
    }

    /// Spares looking for each object before it is stored, if its folder is empty in a listing that
    /// was made under the instance's lock.
    #[must_use]
    pub(crate) fn after(self, listed: &ObjectListing) -> Self {
        let folder = self.backup.folder();
        let is_empty = !listed.objects().any(|object| object.key.is_under(&folder));
        Self { mode: if is_empty { Mode::CreateAbsent } else { Mode::CreateNew }, ..self }
    }

    /// Returns the id that the backup will have.
    pub fn id(&self) -> &BackupId {
        &self.backup.id
    }

    /// Stores an object of the backup under `name`. Returns what the manifest must say of it, and
    /// what its producer found out.
    ///
    /// # Errors
    /// [`StoreError`]. If the data could not be produced, it contains the cause.
    pub async fn add<T>(&self, name: &str, encoded: Encoded<T>) -> Result<(StoredObject, T), StoreError> {
        self.add_sized(name, encoded, 0).await
    }

    /// Does the same as [`Self::add`], for an object of about `expected` bytes.
    ///
    /// # Errors
    /// Those of [`Self::add`]
    pub async fn add_sized<T>(
        &self,
        name: &str,
        encoded: Encoded<T>,
        expected: u64,
    ) -> Result<(StoredObject, T), StoreError> {
        let key = self.backup.object(name);
        let size = self.put(&key, encoded.body, expected).await?;
        let failed = |kind| self.failed(&key, kind);
        let Packed { plain, stored, value } =
            encoded.outcome.get().map_err(|error| failed(StoreErrorKind::Source(error)))?;
        if size != stored.size {
            return Err(failed(StoreErrorKind::Corrupt(format!("{size} bytes arrived of {}", stored.size))));
        }
        Ok((StoredObject { key, plain, stored }, value))
    }

    /// Does the same as [`Self::add`], for a list in memory that the next backup reads. It is kept
    /// in the cache of this machine.
    ///
    /// # Errors
    /// Those of [`Self::add`]
    pub async fn add_kept<T>(&self, name: &str, encoded: Encoded<T>) -> Result<(StoredObject, T), StoreError> {
        let Some(cache) = &self.cache else { return self.add(name, encoded).await };
        let Encoded { mut body, outcome } = encoded;
        let mut bytes = Vec::new();
        if let Err(source) = body.read_to_end(&mut bytes).await {
            return Err(self.failed(&self.backup.object(name), StoreErrorKind::Source(source)));
        }
        let added = self.add(name, Encoded { body: body_of(bytes.clone()), outcome }).await?;
        if cache.takes(added.0.stored.size) {
            cache.keep_object(added.0.stored, &bytes).await;
        }
        Ok(added)
    }

    /// Stores a list under `name`, unless `former`, of an earlier backup, is the same.
    ///
    /// # Errors
    /// Those of [`Self::add`]
    pub(crate) async fn add_list(
        &self,
        name: &str,
        list: Vec<u8>,
        former: Option<StoredObject>,
    ) -> Result<StoredObject, StoreError> {
        match former.filter(|former| former.plain == Fingerprint::of(&list)) {
            Some(former) => Ok(former),
            None => Ok(self.add_kept(name, encode_list(body_of(list))).await?.0),
        }
    }

    /// Stores the checksums, then the manifest. The backup exists from the moment this returns
    /// `Ok`.
    ///
    /// # Errors
    /// [`RepositoryError`]; the backup then does not exist, and its objects should be discarded.
    pub async fn commit(&self, manifest: &Manifest) -> Result<(), RepositoryError> {
        if let Some(reason) = manifest.unreasonable() {
            return Err(RepositoryError::Unreadable { backup: manifest.backup().to_string(), reason });
        }
        self.find_shared(manifest).await?;
        let bytes = manifest.to_bytes().map_err(RepositoryError::Json)?;
        let sums = manifest.checksums(&bytes);
        self.put(&self.backup.checksums(), body_of(sums.into_bytes()), 0).await?;
        self.put(&self.backup.manifest(), body_of(bytes), 0).await?;
        Ok(())
    }

    /// Checks that the objects shared with earlier backups still exist: hours may have passed since
    /// they were chosen.
    async fn find_shared(&self, manifest: &Manifest) -> Result<(), RepositoryError> {
        let own = self.backup.folder();
        let shared: Vec<_> = manifest.objects().filter(|object| !object.key.is_under(&own)).collect();
        if shared.is_empty() {
            return Ok(());
        }
        let (listed, _) = ObjectListing::readable(&*self.store, &self.backup.instance).await?;
        for object in shared.into_iter().filter(|object| !listed.holds(object)) {
            // The listing may omit it.
            let found = self.store.head(&object.key).await?;
            if found.is_none_or(|found| found.size != object.stored.size) {
                return Err(RepositoryError::Vanished { key: object.key.clone(), location: self.store.location() });
            }
        }
        Ok(())
    }

    /// Deletes an object that is not needed after all. A role that may only add objects leaves it
    /// for a prune.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn withdraw(&self, key: &Key) -> Result<(), StoreError> {
        match self.store.delete(key).await {
            Err(error) if !error.is_denied() => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes everything that was stored, the manifest first.
    ///
    /// # Errors
    /// The [`StoreError`] of the first object that could not be deleted. The other objects are
    /// still deleted, unless the store is not available or a manifest may remain: a backup without
    /// its objects is worse than an intact backup that was reported as failed.
    pub async fn discard(&self) -> Result<(), StoreError> {
        // After a stop, the operator waits for the program to end. A store that does not answer
        // must not make that minutes.
        let settled = tokio::time::timeout(LONGEST_REQUEST, self.store.settle()).await;
        let begun = std::mem::take(&mut *self.begun());
        let mut result = Ok(());
        if settled.is_err()
            && let Some(last) = begun.last()
        {
            return Err(self.no_answer(last));
        }
        for key in begun.iter().rev() {
            let deleted = tokio::time::timeout(LONGEST_REQUEST, self.store.delete(key)).await;
            let deleted = deleted.unwrap_or_else(|_| Err(self.no_answer(key)));
            let stop = deleted.as_ref().is_err_and(|error| key.name() == MANIFEST || error.is_outage());
            result = result.and(deleted);
            if stop {
                break;
            }
        }
        result
    }

    /// Stores an object. From then on the draft may discard it, unless another process had stored
    /// it.
    async fn put(&self, key: &Key, body: Body, expected: u64) -> Result<u64, StoreError> {
        self.begun().push(key.clone());
        let stored = self.store.put_sized(key, body, self.mode, expected).await;
        if stored.as_ref().is_err_and(|error| matches!(*error.kind, StoreErrorKind::AlreadyExists)) {
            self.begun().retain(|begun| begun != key);
        }
        stored
    }

    fn no_answer(&self, key: &Key) -> StoreError {
        let seconds = LONGEST_REQUEST.as_secs();
        let kind = StoreErrorKind::Unavailable(format!("no answer within {seconds} seconds"));
        let (key, location, kind) = (Some(key.clone()), self.store.location(), Box::new(kind));
        StoreError { action: Action::Delete, key, location, kind }
    }

    fn begun(&self) -> MutexGuard<'_, Vec<Key>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, key: &Key, kind: StoreErrorKind) -> StoreError {
        StoreError {
            action: Action::Put,
            key: Some(key.clone()),
            location: self.store.location(),
            kind: Box::new(kind),
        }
    }
}

#[cfg(test)]
mod tests;
