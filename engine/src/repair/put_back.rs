//! Stores recreated objects if they have the original bytes.

use std::io;

use super::Repair;
use crate::error::{Error, explain};
use crate::manifest::StoredObject;
use crate::repository::damage_by_reading;
use crate::store::{Key, Mode, StoreError, StoreErrorKind};
use crate::stream::{Body, CHUNK, DigestReader, Mismatch, body_of, transform};

/// Stores an object in place of the damaged one. If `body` differs from what the manifests say,
/// returns why instead.
pub(super) async fn put_back(
    repair: &Repair<'_>,
    object: &StoredObject,
    body: Body,
) -> Result<Result<(), String>, Error> {
    let expected = object.stored;
    let (mut body, _) = transform(body, CHUNK, move |mut bytes, out| {
        let mut bytes = DigestReader::new(&mut bytes);
        io::copy(&mut bytes, out)?;
        let found = bytes.fingerprint();
        if found == expected {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, Mismatch::Stored { expected, found }))
    });
    let stored = match repair.lock {
        None => tokio::io::copy(&mut body, &mut tokio::io::sink()).await.map(drop),
        Some(lock) => {
            lock.confirm().await?;
            match repair.repository.store().put_sized(&object.key, body, Mode::Replace, expected.size).await {
                Ok(_) => Ok(()),
                Err(StoreError { kind, .. }) if matches!(*kind, StoreErrorKind::Source(_)) => match *kind {
                    StoreErrorKind::Source(error) => Err(error),
                    _ => Ok(()),
                },
                Err(error) => return Err(error.into()),
            }
        }
    };
    match stored {
        Ok(()) => Ok(Ok(())),
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<Mismatch>()) => {
            Ok(Err("the recreated object differs from the original".to_owned()))
        }
        // The store failed, from which other objects are read too, or this object did.
        Err(error) => damage_by_reading(&object.key, error).map(|damage| Err(damage.reason)),
    }
}

/// Stores a small document in place of the damaged one.
pub(super) async fn store_document(repair: &Repair<'_>, key: &Key, bytes: Vec<u8>) -> Result<(), Error> {
    if let Some(lock) = repair.lock {
        lock.confirm().await?;
        repair.repository.store().put(key, body_of(bytes), Mode::Replace).await?;
    }
    Ok(())
}

/// Returns in one sentence why something could not be recreated.
pub(super) fn in_a_sentence(error: &io::Error) -> String {
    explain(error).to_string()
}
