//! Stores what the operator says of backups: which ones are pinned, and which shrunken figures are
//! accepted.
//!
//! ```text
//! <instance>/pins/<backup id>.json
//! <instance>/accepted.json
//! ```

use std::collections::BTreeMap;

use futures::TryStreamExt;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BackupId, BackupRef, Lock, Purpose, Repository, RepositoryError, member, parse};
use crate::run::Run;
use crate::store::{Key, Mode, StoreErrorKind, read_document};
use crate::stream::body_of;

const PINS: &str = "pins";
const ACCEPTED: &str = "accepted.json";

/// Marks a backup as kept until it is unpinned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PinRecord)]
pub struct Pin {
    /// When it was pinned. Absent if the object cannot be read; the backup is pinned nevertheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pinned_at: Option<Timestamp>,
    /// The operator's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
}

/// Marks the figures of a backup as right although they fell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The newest backup at that time.
    pub backup: BackupId,
    /// The moment that it shows. All falls up to it are accepted.
    pub created_at: Timestamp,
    /// When the operator accepted them.
    pub accepted_at: Timestamp,
}

impl Repository {
    /// Pins a backup. If this returns `Ok`, no prune removes it.
    ///
    /// # Errors
    /// [`RepositoryError::NoSuchBackup`]; those of [`Self::lock`]; any error of the store
    pub async fn pin(&self, backup: &BackupRef, note: Option<String>, run: &Run) -> Result<Pin, RepositoryError> {
        let pin = Pin { pinned_at: Some(Timestamp::now()), note };
        let pinned = self.locked_until_cancelled(&backup.instance, Purpose::Pin, run, async |_| {
            if self.store.head(&backup.manifest()).await?.is_none() {
                let (selector, location) = (backup.to_string(), self.store.location());
                return Err(RepositoryError::NoSuchBackup { selector, location });
            }
            self.write(&pin_key(backup), &pin).await?;
            Ok(pin)
        });
        pinned.await
    }

    /// Unpins a backup. Returns whether it was pinned.
    ///
    /// # Errors
    /// Those of [`Self::lock`]; any error of the store
    pub async fn unpin(&self, backup: &BackupRef, run: &Run) -> Result<bool, RepositoryError> {
        let key = pin_key(backup);
        let unpinned = self.locked_until_cancelled(&backup.instance, Purpose::Pin, run, async |_| {
            let was_pinned = self.store.head(&key).await?.is_some();
            self.store.delete(&key).await?;
            Ok(was_pinned)
        });
        unpinned.await
    }

    /// Returns the pinned backups of an instance. A damaged pin still pins its backup.
    ///
    /// # Errors
    /// Any error of the store
    pub async fn pins(&self, instance: &str) -> Result<BTreeMap<BackupId, Pin>, RepositoryError> {
        let Ok(folder) = Key::new(format!("{instance}/{PINS}")) else { return Ok(BTreeMap::new()) };
        let objects: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        let mut pins = BTreeMap::new();
        for key in objects.into_iter().map(|object| object.key) {
            let Some(BackupRef { id, .. }) = pinned(&key) else { continue };
            let pin = match self.marked::<Pin>(&key).await {
                Ok(Some(pin)) => pin,
                Ok(None) => continue,
                Err(error) if error.is_of_object() => Pin::default(),
                Err(error) => return Err(error),
            };
            pins.insert(id, pin);
        }
        Ok(pins)
    }

    /// Returns the latest figures that the operator accepted. Returns `None` if there are none, or
    /// if they cannot be read.
    ///
    /// # Errors
    /// Any error of the store
    pub async fn accepted(&self, instance: &str) -> Result<Option<Accepted>, RepositoryError> {
        let Ok(key) = Key::new(format!("{instance}/{ACCEPTED}")) else { return Ok(None) };
        match self.marked(&key).await {
            // Asking the operator once more is the harmless mistake.
            Err(error) if error.is_of_object() => Ok(None),
            read => read,
        }
    }

    /// Records that the operator accepted the figures of the newest backup, under a lock that
    /// excludes removal.
    ///
    /// # Errors
    /// Any error of the store; [`LockError::Lost`](super::LockError::Lost)
    pub async fn accept(&self, lock: &Lock, instance: &str, accepted: &Accepted) -> Result<(), RepositoryError> {
        lock.confirm().await?;
        let folder = Key::new(instance).map_err(|error| self.damaged(&super::description_key(), error.to_string()))?;
        self.write(&member(&folder, ACCEPTED), accepted).await
    }

    /// Removes the records of an instance without backups. Otherwise the next listing would report
    /// its backups as missing.
    ///
    /// # Errors
    /// Any error of the store
    pub(crate) async fn forget_traces(&self, instance: &str) -> Result<(), RepositoryError> {
        let listed = self.listed(instance).await?;
        for object in listed.objects().filter(|object| super::layout::is_trace(&object.key)) {
            self.store.delete(&object.key).await?;
        }
        if let Some(cache) = &self.cache {
            cache.forget_manifests(instance).await;
        }
        Ok(())
    }

    pub(super) async fn marked<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, RepositoryError> {
        match read_document(&*self.store, key).await {
            Ok(bytes) => Ok(Some(parse(&*self.store, key, &bytes)?)),
            Err(error) if matches!(*error.kind, StoreErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn write(&self, key: &Key, mark: &impl Serialize) -> Result<(), RepositoryError> {
        let mut bytes = serde_json::to_vec_pretty(mark).map_err(RepositoryError::Json)?;
        bytes.push(b'\n');
        self.store.put(key, body_of(bytes), Mode::Replace).await?;
        Ok(())
    }
}

/// Returns the key of the object that pins a backup.
pub(crate) fn pin_key(BackupRef { instance, id }: &BackupRef) -> Key {
    #[expect(clippy::expect_used, reason = "both are checked where they are made")]
    Key::new(format!("{instance}/{PINS}/{id}.json")).expect("an id and an instance's name are segments of a key")
}

/// Returns the backup that an object pins.
pub(super) fn pinned(key: &Key) -> Option<BackupRef> {
    let mut segments = key.segments();
    let (instance, folder, name) = (segments.next()?, segments.next()?, segments.next()?);
    (folder == PINS && segments.next().is_none()).then_some(())?;
    Some(BackupRef::new(instance, name.strip_suffix(".json")?.parse().ok()?))
}
