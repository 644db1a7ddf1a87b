//! Reading what a manifest names: every byte is held against its digests, by whoever reads it.

use std::io;

use super::speaks::speaks_of_object;
use super::{Repository, RepositoryError};
use crate::cause;
use crate::manifest::StoredObject;
use crate::progress::Task;
use crate::store::{Key, StoreError, StoreErrorKind, read_document};
use crate::stream::{Body, ChunkReader, DecodeReader, body_of, consume};

/// Something that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The object.
    pub key: Key,
    /// What is wrong, in a sentence.
    pub reason: String,
}

/// What came of looking at an object. That it could not be looked at is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Examined<T> {
    /// It is what the manifest says; what was read of it.
    Intact(T),
    /// It is missing, or another than the manifest says.
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
    /// Lets `read` read an object's plain bytes on a thread. Where it reads to the end, that has
    /// been verified when this returns.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]; [`RepositoryError::Read`] where the object is not what the
    /// manifest says, or `read` fails.
    pub async fn read<T: Send + 'static>(
        &self,
        object: &StoredObject,
        read: impl FnOnce(DecodeReader<ChunkReader>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RepositoryError> {
        let body = self.store.get(&object.key, None).await?;
        decoded(object, body, read).await
    }

    /// Does the same as [`Self::read`], of this machine's copy where it has one whose digest is
    /// right: for volumes' lists, which each backup reads again. Says nothing of what lies in the
    /// repository.
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

    /// Does the same as [`Self::read`], for those who want to know what is wrong with an object:
    /// that it is missing, not what the manifest says, or not what `read` can read, is an answer.
    /// So `read` must do nothing else that can fail.
    ///
    /// # Errors
    /// What keeps it from looking: the store is not available.
    pub(crate) async fn examine<T: Send + 'static>(
        &self,
        object: &StoredObject,
        task: Task,
        read: impl FnOnce(&mut dyn io::Read) -> io::Result<T> + Send + 'static,
    ) -> Result<Examined<T>, RepositoryError> {
        let examined = self.read(object, move |plain| {
            let mut plain = task.reader(plain);
            let value = read(&mut plain)?;
            // What stopped early has not been held against the digests.
            io::copy(&mut plain, &mut io::sink())?;
            Ok(value)
        });
        or_damage(&object.key, examined.await)
    }
}

/// Returns what an object was read for, or what the failure to read it says of it.
///
/// # Errors
/// Where the failure says nothing of it.
pub(crate) fn or_damage<T>(key: &Key, read: Result<T, RepositoryError>) -> Result<Examined<T>, RepositoryError> {
    match read {
        Ok(value) => Ok(Examined::Intact(value)),
        Err(RepositoryError::Store(error)) => damage_by_store(error).map(Examined::Damaged),
        Err(RepositoryError::Read { source, .. }) => damage_by_reading(key, source).map(Examined::Damaged),
        Err(other) => Err(other),
    }
}

/// Lets `read` read an object's plain bytes on a thread, `body` being its stored ones.
async fn decoded<T: Send + 'static>(
    object: &StoredObject,
    body: Body,
    read: impl FnOnce(DecodeReader<ChunkReader>) -> io::Result<T> + Send + 'static,
) -> Result<T, RepositoryError> {
    let StoredObject { key, plain, stored } = object.clone();
    let done = consume(body, move |bytes| read(DecodeReader::new(bytes, plain, stored)?));
    done.await.map_err(|source| RepositoryError::Read { key, source })
}

/// Returns what the failure to read one of a backup's documents says of it; an error where it says
/// nothing of it.
pub(crate) fn damage_of_document<E: From<RepositoryError>>(key: Key, error: RepositoryError) -> Result<Damage, E> {
    match error {
        RepositoryError::Damaged { key, reason, .. } => Ok(Damage { key, reason }),
        RepositoryError::Store(error) => damage_by_store(error),
        RepositoryError::NewerFormat { .. } => Ok(Damage { key, reason: error.to_string() }),
        other => Err(other.into()),
    }
}

/// Returns what a store's failure says of an object; an error where it says nothing of it.
pub(crate) fn damage_by_store<E: From<RepositoryError>>(error: StoreError) -> Result<Damage, E> {
    match (&error.key, &*error.kind) {
        (Some(key), StoreErrorKind::NotFound) => Ok(Damage { key: key.clone(), reason: "it is missing".into() }),
        (Some(key), kind) if error.is_of_object() => Ok(Damage { key: key.clone(), reason: kind.to_string() }),
        _ => Err(RepositoryError::from(error).into()),
    }
}

/// Returns what the failure to read an object says of it; an error where it speaks of this machine,
/// or of the way to it, instead.
pub(crate) fn damage_by_reading<E: From<RepositoryError>>(key: &Key, error: io::Error) -> Result<Damage, E> {
    if !speaks_of_object(&error) {
        return Err(RepositoryError::Read { key: key.clone(), source: error }.into());
    }
    let reason = cause::texts(&error).pop().unwrap_or_default();
    Ok(Damage { key: key.clone(), reason })
}
