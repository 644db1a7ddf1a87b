//! Reads the objects that a manifest names, and compares every byte with their digests.

use std::error::Error;
use std::io;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Repository, RepositoryError};
use crate::cause;
use crate::dump::DamagedVolume;
use crate::filestore::FilestoreError;
use crate::manifest::StoredObject;
use crate::progress::Task;
use crate::seal::SealError;
use crate::store::{Key, StoreError, StoreErrorKind, read_document};
use crate::stream::{Body, ChunkReader, DecodeReader, FramePart, Guarded, Malformed, Mismatch, body_of, consume};

/// A problem of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Damage {
    /// The object.
    #[serde(rename = "object")]
    pub key: Key,
    /// The problem, in a sentence.
    pub reason: String,
}

/// The result of examining an object. If it could not be examined, that is an error instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Examined<T> {
    /// It matches the manifest. Contains what was read of it.
    Intact(T),
    /// It is missing, or differs from the manifest.
    Damaged(Damage),
}

impl<T> Examined<T> {
    /// Returns what was read of an intact object.
    pub(crate) fn intact(self) -> Option<T> {
        match self {
            Self::Intact(value) => Some(value),
            Self::Damaged(_) => None,
        }
    }

    /// Returns what is wrong with a damaged object.
    pub(crate) fn damage(self) -> Option<Damage> {
        match self {
            Self::Intact(_) => None,
            Self::Damaged(damage) => Some(damage),
        }
    }

    /// Returns whether the object is intact.
    pub(crate) fn is_intact(&self) -> bool {
        matches!(self, Self::Intact(_))
    }
}

impl Repository {
    /// Lets `read` read an object's plain bytes on a thread. If it reads to the end, the object is
    /// verified when this returns.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]; [`RepositoryError::Read`] if the object differs from the
    /// manifest, or if `read` fails
    pub async fn read<T: Send + 'static>(
        &self,
        object: &StoredObject,
        read: impl FnOnce(DecodeReader<ChunkReader>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RepositoryError> {
        let body = self.store.get(&object.key, None).await?;
        decoded(object, body, read).await
    }

    /// Does the same as [`Self::read`], but compares each zstd frame of the object with its digest
    /// before it is decompressed.
    ///
    /// # Errors
    /// Those of [`Self::read`]
    pub(crate) async fn read_guarded<T: Send + 'static>(
        &self,
        object: &StoredObject,
        frames: Vec<FramePart>,
        read: impl FnOnce(DecodeReader<Guarded<ChunkReader>>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RepositoryError> {
        let StoredObject { key, plain, stored } = object.clone();
        let body = self.store.get(&key, None).await?;
        let done = consume(body, move |bytes| read(DecodeReader::new(Guarded::new(bytes, frames), plain, stored)?));
        done.await.map_err(|source| RepositoryError::Read { key, source })
    }

    /// Does the same as [`Self::read`], but uses this machine's cached copy if its digest matches.
    /// Volumes' lists, which every backup reads, are read so. The result says nothing of the object
    /// in the repository.
    ///
    /// # Errors
    /// Those of [`Self::read`]
    pub async fn read_cached<T: Send + 'static>(
        &self,
        object: &StoredObject,
        read: impl FnOnce(DecodeReader<ChunkReader>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RepositoryError> {
        let Some(cache) = self.cache.as_ref().filter(|cache| cache.takes(object.stored.size)) else {
            return self.read(object, read).await;
        };
        let bytes = match cache.object(object.stored).await {
            Some(bytes) => bytes,
            None => {
                let bytes = read_document(&*self.store, &object.key).await?;
                cache.keep_object(object.stored, &bytes).await;
                bytes
            }
        };
        decoded(object, body_of(bytes), read).await
    }

    /// Does the same as [`Self::read`], but returns damage as a result: the object is missing,
    /// differs from the manifest, or `read` cannot parse it. So `read` must do nothing else that
    /// can fail.
    ///
    /// # Errors
    /// Failures to examine the object: the store is not available.
    pub(crate) async fn examine<T: Send + 'static>(
        &self,
        object: &StoredObject,
        task: Task,
        read: impl FnOnce(&mut dyn io::Read) -> io::Result<T> + Send + 'static,
    ) -> Result<Examined<T>, RepositoryError> {
        let examined = self.read(object, move |plain| {
            let mut plain = task.reader(plain);
            let value = read(&mut plain)?;
            // A reader that stopped early has not compared the rest with the digests.
            io::copy(&mut plain, &mut io::sink())?;
            Ok(value)
        });
        or_damage(examined.await)
    }
}

/// Returns the result of reading an object, or the damage that the failure shows.
///
/// # Errors
/// The failure, if it says nothing of the object
pub(crate) fn or_damage<T>(read: Result<T, RepositoryError>) -> Result<Examined<T>, RepositoryError> {
    match read {
        Ok(value) => Ok(Examined::Intact(value)),
        Err(RepositoryError::Store(error)) => damage_by_store(error).map(Examined::Damaged),
        Err(RepositoryError::Read { key, source }) => damage_by_reading(&key, source).map(Examined::Damaged),
        Err(other) => Err(other),
    }
}

/// Lets `read` read an object's plain bytes on a thread. `body` yields the stored bytes.
async fn decoded<T: Send + 'static>(
    object: &StoredObject,
    body: Body,
    read: impl FnOnce(DecodeReader<ChunkReader>) -> io::Result<T> + Send + 'static,
) -> Result<T, RepositoryError> {
    let StoredObject { key, plain, stored } = object.clone();
    let done = consume(body, move |bytes| read(DecodeReader::new(bytes, plain, stored)?));
    done.await.map_err(|source| RepositoryError::Read { key, source })
}

/// Returns the damage that a failure to read a backup's document shows, or the error if it shows
/// none.
pub(crate) fn damage_of_document<E: From<RepositoryError>>(key: Key, error: RepositoryError) -> Result<Damage, E> {
    match error {
        RepositoryError::Damaged { key, reason, .. } => Ok(Damage { key, reason }),
        RepositoryError::Store(error) => damage_by_store(error),
        RepositoryError::NewerFormat { .. } => Ok(Damage { key, reason: error.to_string() }),
        other => Err(other.into()),
    }
}

/// Returns the damage that a store's failure shows, or the error if it shows none.
pub(crate) fn damage_by_store<E: From<RepositoryError>>(error: StoreError) -> Result<Damage, E> {
    match (&error.key, &*error.kind) {
        (Some(key), StoreErrorKind::NotFound) => Ok(Damage { key: key.clone(), reason: "it is missing".into() }),
        (Some(key), kind) if error.is_of_object() => Ok(Damage { key: key.clone(), reason: kind.to_string() }),
        _ => Err(RepositoryError::from(error).into()),
    }
}

/// Returns the damage that a failure to read an object shows. Returns the error if it concerns this
/// machine or the connection instead.
pub(crate) fn damage_by_reading<E: From<RepositoryError>>(key: &Key, error: io::Error) -> Result<Damage, E> {
    if !speaks_of_object(&error) {
        return Err(RepositoryError::Read { key: key.clone(), source: error }.into());
    }
    // A dump is read from several objects, and its own error says which is damaged.
    let volume = cause::row(&error).find_map(|error| error.downcast_ref::<DamagedVolume>());
    Ok(match volume {
        Some(DamagedVolume { key, reason }) => Damage { key: key.clone(), reason: reason.clone() },
        None => Damage { key: key.clone(), reason: cause::texts(&error).pop().unwrap_or_default() },
    })
}

/// Returns whether a failure to read an object, or any of its causes, shows that the object is
/// damaged. Trouble of this machine or of the connection does not.
pub(crate) fn speaks_of_object(error: &(dyn Error + 'static)) -> bool {
    cause::row(error).find_map(says_damaged).unwrap_or(false)
}

/// Returns whether one error of a chain of causes shows that the object is damaged. `None` means
/// that its cause decides.
pub(crate) fn says_damaged(error: &(dyn Error + 'static)) -> Option<bool> {
    if let Some(store) = error.downcast_ref::<StoreError>() {
        return Some(store.is_of_object());
    }
    if let Some(filestore) = error.downcast_ref::<FilestoreError>() {
        return Some(!matches!(filestore, FilestoreError::Io { .. }));
    }
    if let Some(sealed) = error.downcast_ref::<SealError>() {
        return Some(sealed.is_of_object());
    }
    let is_damage = error.is::<Mismatch>()
        || error.is::<Malformed>()
        || error.is::<DamagedVolume>()
        || matches!(error.downcast_ref(), Some(RepositoryError::Damaged { .. }));
    is_damage.then_some(true)
}
