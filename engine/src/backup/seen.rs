//! What the repository shows of an instance: listed once, and each manifest read once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Error;
use crate::manifest::Manifest;
use crate::repository::{BackupId, BackupRef, Documents, ObjectListing, Repository, RepositoryError};
use crate::store::StoreError;

/// An instance as the repository shows it, under the instance's lock.
pub(super) struct Seen<'a> {
    pub(super) repository: &'a Repository,
    pub(super) listed: ObjectListing,
    /// The backups, oldest first.
    pub(super) backups: Vec<BackupRef>,
    /// Folders that may not be read.
    pub(super) unreadable: Vec<StoreError>,
    read: BTreeMap<BackupId, Arc<Documents>>,
}

impl<'a> Seen<'a> {
    /// Lists the instance.
    ///
    /// # Errors
    /// The store is not available.
    pub(super) async fn of(repository: &'a Repository, instance: &str) -> Result<Self, RepositoryError> {
        let (listed, unreadable) = ObjectListing::readable(&**repository.store(), instance).await?;
        let (mut backups, unreadable) = repository.names_in(&listed, unreadable).await?;
        backups.sort();
        Ok(Self { repository, listed, backups, unreadable, read: BTreeMap::new() })
    }

    /// Returns the backups that are not dated in the future, the newest first.
    pub(super) async fn present(&self) -> Vec<BackupRef> {
        let now = self.repository.clocks().await.now();
        self.backups.iter().rev().filter(|backup| !backup.id.is_future(now)).cloned().collect()
    }

    /// Returns the documents of a backup, if they agree.
    ///
    /// # Errors
    /// Those of [`Repository::verified_manifest`]
    pub(super) async fn documents(&mut self, backup: &BackupRef) -> Result<Arc<Documents>, RepositoryError> {
        if let Some(read) = self.read.get(&backup.id) {
            return Ok(read.clone());
        }
        let read = Arc::new(self.repository.documents(backup).await?);
        self.read.insert(backup.id.clone(), read.clone());
        Ok(read)
    }

    /// Returns a manifest, or the error with which it cannot be read.
    ///
    /// # Errors
    /// The store is not available.
    pub(super) async fn manifest(&mut self, backup: &BackupRef) -> Result<Result<Manifest, RepositoryError>, Error> {
        match self.documents(backup).await {
            Ok(documents) => Ok(Ok(documents.manifest.clone())),
            Err(error) if error.is_of_object() => Ok(Err(error)),
            Err(error) => Err(error.into()),
        }
    }
}
