//! Quarantines backups that cannot be trusted. None of their objects is deleted.

use std::collections::{BTreeSet, HashSet};

use super::{BackupId, BackupRef, ObjectListing, Repository, RepositoryError, layout};
use crate::manifest::Manifest;
use crate::store::{Key, Mode, read_document};
use crate::stream::body_of;

/// The quarantined backups of an instance, and the objects that they keep from a prune.
#[derive(Debug, Default)]
pub(crate) struct Quarantined {
    ids: BTreeSet<BackupId>,
    /// The objects that they reference, as far as their manifests can be read.
    needed: HashSet<Key>,
}

impl Quarantined {
    pub(crate) fn ids(&self) -> impl Iterator<Item = &BackupId> {
        self.ids.iter()
    }

    pub(crate) fn has(&self, id: &BackupId) -> bool {
        self.ids.contains(id)
    }

    /// Returns whether an object is in the folder of a quarantined backup, or is needed by one.
    pub(crate) fn keeps(&self, key: &Key) -> bool {
        self.needed.contains(key) || BackupRef::of_object(key).is_some_and(|backup| self.has(&backup.id))
    }
}

impl Repository {
    /// Returns the quarantined backups in a listing of their instance.
    ///
    /// # Errors
    /// Any error of the store
    pub(crate) async fn quarantined(&self, listed: &ObjectListing) -> Result<Quarantined, RepositoryError> {
        let ids: BTreeSet<BackupId> = listed.quarantined().collect();
        let mut needed = HashSet::new();
        for id in &ids {
            match read_document(&**self.store(), &BackupRef::new(listed.instance(), id.clone()).quarantined_manifest())
                .await
            {
                Ok(bytes) => {
                    if let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) {
                        needed.extend(layout::needed(&manifest));
                    }
                }
                Err(error) if error.is_of_object() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Quarantined { ids, needed })
    }

    /// Quarantines a backup by renaming `manifest.json` to `set-aside.json`. The backup is back
    /// when the operator renames it again. If this is interrupted, the backup still exists.
    ///
    /// # Errors
    /// Any error of the store, and one if the manifest cannot be read at all
    pub(crate) async fn quarantine(&self, backup: &BackupRef) -> Result<(), RepositoryError> {
        let manifest = backup.manifest();
        let bytes = read_document(&**self.store(), &manifest).await?;
        self.store().put(&backup.quarantined_manifest(), body_of(bytes), Mode::Replace).await?;
        self.store().delete(&manifest).await?;
        Ok(())
    }
}
