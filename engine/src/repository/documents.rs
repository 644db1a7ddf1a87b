//! Reads a backup's manifest and its checksums, which must agree.

use std::collections::BTreeMap;

use futures::StreamExt;
use serde::Deserialize;

use super::cache::{Cached, Seen};
use super::room::{Room, Weight};
use super::{BackupId, BackupRef, ObjectListing, Repository, RepositoryError, parse};
use crate::manifest::{FORMAT, Manifest, manifest_digests, read_checksums};
use crate::store::{Key, read_document};
use crate::stream::Digest;

/// How many backups' documents are read at once.
const PARALLEL_READS: usize = 16;

/// Names and digests in `SHA256SUMS`.
pub(crate) type Checksums = BTreeMap<String, Digest>;

/// The two documents that make a backup exist.
pub(crate) struct Documents {
    pub(crate) manifest: Manifest,
    /// `manifest.json`
    pub(crate) manifest_bytes: Vec<u8>,
    /// `SHA256SUMS`
    pub(crate) checksums: Vec<u8>,
}

/// A manifest that its checksums confirm.
pub(crate) struct Verified {
    pub(crate) manifest: Manifest,
    pub(crate) checksums: Checksums,
    /// [`Documents::are_settled`]
    pub(crate) are_settled: bool,
}

impl Documents {
    /// Returns whether the checksums are of this manifest alone. Otherwise a prune is changing the
    /// manifest, or was interrupted while it did.
    pub(crate) fn are_settled(&self) -> bool {
        manifest_digests(&self.checksums).len() == 1
    }

    /// Returns the checksums for the manifest as it is now.
    pub(crate) fn settled_checksums(&self) -> Vec<u8> {
        match self.are_settled() {
            true => self.checksums.clone(),
            false => self.manifest.checksums(&self.manifest_bytes).into_bytes(),
        }
    }
}

impl Repository {
    /// Reads a manifest, and compares it with the checksums stored next to it.
    ///
    /// # Errors
    /// [`RepositoryError::Damaged`] if they do not agree; [`RepositoryError::NewerFormat`];
    /// [`RepositoryError::Store`]
    pub async fn verified_manifest(&self, backup: &BackupRef) -> Result<Manifest, RepositoryError> {
        Ok(self.documents(backup).await?.manifest)
    }

    /// Does the same as [`Self::verified_manifest`], with both documents as they are stored.
    pub(crate) async fn documents(&self, backup: &BackupRef) -> Result<Documents, RepositoryError> {
        match self.read_documents(backup).await {
            // A prune may have changed the manifest before and the checksums after they were read.
            // One read is not enough to call a backup damaged.
            Err(error) if error.is_of_object() => self.read_documents(backup).await,
            other => other,
        }
    }

    async fn read_documents(&self, backup: &BackupRef) -> Result<Documents, RepositoryError> {
        let manifest = read_document(&*self.store, &backup.manifest()).await?;
        let checksums = read_document(&*self.store, &backup.checksums()).await?;
        self.verified(backup, manifest, checksums)
    }

    /// Returns the documents of a backup, if they agree.
    fn verified(&self, backup: &BackupRef, bytes: Vec<u8>, sums: Vec<u8>) -> Result<Documents, RepositoryError> {
        let (manifest_key, sums_key) = (backup.manifest(), backup.checksums());
        let expected = manifest_digests(&sums);
        if expected.is_empty() {
            return Err(self.damaged(&sums_key, "it does not name the manifest"));
        }
        if !expected.contains(&Digest::of(&bytes)) {
            return Err(self.damaged(&manifest_key, format!("its digest is not the one in {sums_key}")));
        }
        let manifest = self.manifest_of(backup, &manifest_key, &bytes)?;
        Ok(Documents { manifest, manifest_bytes: bytes, checksums: sums })
    }

    /// Parses the manifest of a backup, which was read from `key`.
    ///
    /// # Errors
    /// [`RepositoryError::Damaged`] if it is not this backup's manifest;
    /// [`RepositoryError::NewerFormat`]
    pub(crate) fn manifest_of(&self, backup: &BackupRef, key: &Key, bytes: &[u8]) -> Result<Manifest, RepositoryError> {
        /// The fields that all formats have.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = parse(&*self.store, key, bytes)?;
        if head.format > FORMAT {
            return Err(RepositoryError::NewerFormat { what: format!("the backup {}", backup.id), found: head.format });
        }
        let manifest: Manifest = parse(&*self.store, key, bytes)?;
        if manifest.id != backup.id || manifest.instance != backup.instance {
            let found = manifest.instance.escape_debug();
            return Err(self.damaged(key, format!("it is the manifest of {found:.100}/{}", manifest.id)));
        }
        match manifest.unreasonable() {
            Some(reason) => Err(self.damaged(key, reason)),
            None => Ok(manifest),
        }
    }

    /// Returns the manifests of these backups in their order, with their checksums. Each is read as
    /// [`Self::verified_manifest`] reads it; if that fails, the reason takes its place. Cached
    /// manifests are read again only if the listing says that they were replaced.
    ///
    /// # Errors
    /// Errors that say nothing of a single backup: the store is not available.
    pub(crate) async fn verified_backups(
        &self,
        listed: &ObjectListing,
        ids: Vec<BackupId>,
    ) -> Result<Vec<(BackupRef, Result<Verified, RepositoryError>)>, RepositoryError> {
        let instance = listed.instance();
        let seen = |key: &Key| listed.get(key).map(|object| Seen { size: object.size, modified: object.modified });
        let mut cached = match &self.cache {
            Some(cache) => cache.manifests(instance).await,
            None => Default::default(),
        };
        let room = Room::default();
        let mut read = futures::stream::iter(ids)
            .map(|id| {
                let backup = BackupRef::new(instance, id.clone());
                let seen = [backup.manifest(), backup.checksums()].map(|key| seen(&key));
                let known = seen[0].as_ref().and_then(|seen| cached.take(&id, seen));
                let room = &room;
                async move {
                    let size = seen[0].as_ref().map_or(0, |seen| seen.size);
                    let _permit = room.take(size).await;
                    let (documents, is_new) = self.documents_known(&backup, known, seen[1].as_ref()).await;
                    (backup, seen, documents, is_new)
                }
            })
            .buffered(PARALLEL_READS);
        let (mut backups, mut kept, mut any_new) = (Vec::new(), Vec::new(), false);
        let mut weight = Weight::default();
        while let Some((backup, seen, documents, is_new)) = read.next().await {
            let is_light =
                |documents: Documents| match weight.takes(&documents.manifest, documents.manifest_bytes.len()) {
                    true => Ok(documents),
                    false => Err(self.too_heavy(&backup)),
                };
            let documents = match documents.and_then(is_light) {
                Ok(documents) => documents,
                Err(error) if error.is_of_object() => {
                    backups.push((backup, Err(error)));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (checksums, are_settled) = (read_checksums(&documents.checksums), documents.are_settled());
            if let [Some(manifest), Some(sums)] = seen {
                let checksums = Some((sums, documents.checksums));
                kept.push((backup.id.clone(), manifest, Cached { manifest: documents.manifest_bytes, checksums }));
                any_new |= is_new;
            }
            backups.push((backup, Ok(Verified { manifest: documents.manifest, checksums, are_settled })));
        }
        drop(read);
        if let Some(cache) = self.cache.as_ref().filter(|_| any_new) {
            kept.into_iter().for_each(|(id, seen, documents)| cached.keep(id, seen, documents));
            cache.keep_manifests(instance, cached).await;
        }
        Ok(backups)
    }

    /// Returns a backup's documents, and whether any was read. Those in `known` are used if their
    /// checksums have not changed.
    async fn documents_known(
        &self,
        backup: &BackupRef,
        known: Option<Cached>,
        checksums: Option<&Seen>,
    ) -> (Result<Documents, RepositoryError>, bool) {
        let Some(Cached { manifest, checksums: kept }) = known else {
            return (self.documents(backup).await, true);
        };
        let kept = kept.filter(|(seen, _)| Some(seen) == checksums).map(|(_, sums)| sums);
        let is_new = kept.is_none();
        let sums = match kept {
            Some(sums) => Ok(sums),
            None => read_document(&*self.store, &backup.checksums()).await.map_err(RepositoryError::from),
        };
        match sums.and_then(|sums| self.verified(backup, manifest, sums)) {
            Ok(documents) => (Ok(documents), is_new),
            // If the cached documents disagree, the repository decides.
            Err(_) => (self.documents(backup).await, true),
        }
    }
}
