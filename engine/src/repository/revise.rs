//! Changes which volumes a backup references. Nothing else of a manifest ever changes.
//!
//! A manifest and its checksums are two objects, and a store replaces one at a time. So the
//! checksums are first stored with a line for the old and a line for the new manifest. Then the
//! manifest is replaced, and the checksums are stored for the new manifest alone. Whatever
//! interrupts this, the checksums know the manifest that is stored, and everything that it names
//! exists.

use super::{BackupRef, Documents, Lock, Repository, RepositoryError};
use crate::manifest::{Manifest, Volume, write_both_checksums};
use crate::store::{Key, Mode};
use crate::stream::body_of;

/// A volume, and the one that replaces it.
#[derive(Debug, Clone)]
pub(crate) struct Replacement {
    /// The archive of the former volume.
    pub(crate) former: Key,
    pub(crate) next: Volume,
}

impl Repository {
    /// Replaces volumes that a backup references by others. Returns `false` if its manifest is not
    /// in the form that this version writes; the manifest is then unchanged.
    ///
    /// # Errors
    /// Any error of the store; [`RepositoryError::Lock`] if the lock was lost; those of
    /// [`Self::verified_manifest`]
    pub(crate) async fn revise(
        &self,
        lock: &Lock,
        backup: &BackupRef,
        replacements: &[Replacement],
    ) -> Result<bool, RepositoryError> {
        let documents = self.documents(backup).await?;
        let Some((next, bytes)) = revised(&documents, replacements) else { return Ok(false) };
        let former = documents.manifest.checksums(&documents.manifest_bytes);
        let sums = next.checksums(&bytes);
        self.replace_document(lock, &backup.checksums(), write_both_checksums(&former, &sums).into_bytes()).await?;
        self.replace_document(lock, &backup.manifest(), bytes).await?;
        self.replace_document(lock, &backup.checksums(), sums.into_bytes()).await?;
        Ok(true)
    }

    /// Completes an interrupted [`Self::revise`]: stores the checksums for the manifest that is
    /// there. A role that may only delete leaves that to others; readers accept both states.
    ///
    /// # Errors
    /// Those of [`Self::revise`]
    pub(crate) async fn settle_checksums(&self, lock: &Lock, backup: &BackupRef) -> Result<(), RepositoryError> {
        let documents = self.documents(backup).await?;
        if documents.are_settled() {
            return Ok(());
        }
        match self.replace_document(lock, &backup.checksums(), documents.settled_checksums()).await {
            Err(RepositoryError::Store(error)) if error.is_denied() => Ok(()),
            other => other,
        }
    }

    async fn replace_document(&self, lock: &Lock, key: &Key, bytes: Vec<u8>) -> Result<(), RepositoryError> {
        lock.confirm().await?;
        self.store().put(key, body_of(bytes), Mode::Replace).await?;
        Ok(())
    }
}

/// Returns the manifest with other volumes, and its bytes. Only the entries of the volumes change:
/// fields that a later version wrote are kept.
fn revised(documents: &Documents, replacements: &[Replacement]) -> Option<(Manifest, Vec<u8>)> {
    let mut next = documents.manifest.clone();
    let mut text = String::from_utf8(documents.manifest_bytes.clone()).ok()?;
    for volume in &mut next.filestore.volumes {
        let Some(found) = replacements.iter().find(|replacement| replacement.former == volume.object.key) else {
            continue;
        };
        let former = entry(volume)?;
        if text.matches(&former).count() != 1 {
            return None;
        }
        volume.clone_from(&found.next);
        text = text.replace(&former, &entry(volume)?);
    }
    let is_right = serde_json::from_str::<Manifest>(&text).is_ok_and(|read| read == next);
    is_right.then(|| (next, text.into_bytes()))
}

/// Returns a volume as it is written in a manifest: an element of a list within a section.
fn entry(volume: &Volume) -> Option<String> {
    const INDENT: &str = "\n      ";
    Some(serde_json::to_string_pretty(volume).ok()?.replace('\n', INDENT))
}
