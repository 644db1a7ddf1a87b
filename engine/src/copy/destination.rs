//! Finds out what the other repository has of an instance, and what of that is known to be intact.

use std::collections::HashMap;
use std::io;

use jiff::Timestamp;

use crate::backup::tell_apart;
use crate::error::Error;
use crate::manifest::{Manifest, StoredObject};
use crate::repository::{BackupRef, Documents, ObjectListing, Repository, RepositoryError};
use crate::store::{Key, Mode, Object, read_document};
use crate::stream::{DigestReader, Fingerprint, body_of, consume};

/// One instance of the repository that is copied to.
pub(super) struct Destination<'a> {
    pub(super) repository: &'a Repository,
    listed: ObjectListing,
    /// What the backups there say of their objects, which were compared when they were stored.
    named: HashMap<Key, Fingerprint>,
    /// The newest backup that is not dated in the future.
    newest: Option<Manifest>,
}

impl<'a> Destination<'a> {
    pub(super) async fn look(repository: &'a Repository, instance: &'a str) -> Result<Self, Error> {
        let listed = repository.listed(instance).await?;
        let listing = repository.list(Some(instance)).await?;
        let objects = listing.backups.iter().flat_map(|manifest| manifest.objects());
        let named = objects.map(|object| (object.key.clone(), object.stored)).collect();
        let now = listing.clocks.now();
        let newest = listing.backups.into_iter().rfind(|manifest| !manifest.is_future(now));
        Ok(Self { repository, listed, named, newest })
    }

    /// Returns a message if the backups there are of another database than `manifest`, which is
    /// about to be copied from `from`. If both repositories have the newest backup there, the
    /// database changed in both.
    pub(super) async fn is_of_another(&self, from: &Repository, manifest: &Manifest) -> Result<Option<String>, Error> {
        let Some(newest) = self.newest.as_ref().filter(|newest| newest.id != manifest.id) else { return Ok(None) };
        let Some(why) = tell_apart(newest, manifest) else { return Ok(None) };
        let is_shared = from.store().head(&newest.backup().manifest()).await?.is_some();
        Ok((!is_shared).then(|| {
            let (instance, location) = (self.listed.instance(), self.repository.store().location());
            format!(
                "the backups of {instance} in {location} are of another database than {}: {why}; rename one of the two instances",
                manifest.id
            )
        }))
    }

    /// Returns whether this backup is quarantined there.
    pub(super) fn has_set_aside(&self, backup: &BackupRef) -> bool {
        self.listed.is_quarantined(backup)
    }

    /// Returns the manifest of this backup there, if it exists. It may reference other volumes than
    /// its copy, because a prune may have repacked one repository and not the other.
    ///
    /// # Errors
    /// [`RepositoryError::Another`] if another backup of the same name exists
    pub(super) async fn backup(&self, backup: &BackupRef, documents: &Documents) -> Result<Option<Manifest>, Error> {
        let key = backup.manifest();
        if !self.listed.has(&key) {
            return Ok(None);
        }
        let bytes = read_document(&**self.repository.store(), &key).await?;
        if bytes == documents.manifest_bytes {
            return Ok(Some(documents.manifest.clone()));
        }
        match self.repository.manifest_of(backup, &key, &bytes) {
            Ok(there) if there.is_same_backup(&documents.manifest) => Ok(Some(there)),
            _ => Err(self.another(key)),
        }
    }

    /// Returns how to store an object, or `None` if it exists.
    ///
    /// # Errors
    /// [`RepositoryError::Another`] if a different object has its name
    pub(super) async fn lacks(&mut self, object: &StoredObject) -> Result<Option<Mode>, Error> {
        let (key, stored) = (&object.key, object.stored);
        let Some(size) = self.listed.size(key) else { return Ok(Some(Mode::CreateAbsent)) };
        match self.named.get(key) {
            Some(named) if *named != stored => Err(self.another(key.clone())),
            Some(_) if size == stored.size => Ok(None),
            // A backup there names this object, so the same content replaces it.
            Some(_) => Ok(Some(Mode::Replace)),
            // An interrupted copy probably left it. It is read to make sure.
            None if size == stored.size && self.holds(object).await? => {
                self.named.insert(key.clone(), stored);
                Ok(None)
            }
            None => Err(self.another(key.clone())),
        }
    }

    async fn holds(&self, object: &StoredObject) -> Result<bool, Error> {
        let body = self.repository.store().get(&object.key, None).await?;
        let read = consume(body, |bytes| {
            let mut bytes = DigestReader::new(bytes);
            io::copy(&mut bytes, &mut io::sink())?;
            Ok(bytes.fingerprint())
        });
        let found = read.await.map_err(|source| Error::Io { action: format!("read {}", object.key), source })?;
        Ok(found == object.stored)
    }

    /// Records that an object was stored.
    pub(super) fn add(&mut self, object: &StoredObject) {
        let (key, size) = (object.key.clone(), object.stored.size);
        // The time of storing is not used here.
        self.listed.insert(Object { key, size, modified: Timestamp::now() });
        self.named.insert(object.key.clone(), object.stored);
    }

    /// Makes the backup exist, if all objects that it references still exist.
    pub(super) async fn commit(&mut self, backup: &BackupRef, documents: &Documents) -> Result<(), Error> {
        self.listed = self.repository.listed(self.listed.instance()).await?;
        let store = self.repository.store();
        for object in documents.manifest.objects().filter(|object| !self.listed.holds(object)) {
            // A listing may omit it.
            let found = store.head(&object.key).await?;
            if found.is_none_or(|found| found.size != object.stored.size) {
                return Err(RepositoryError::Vanished { key: object.key.clone(), location: store.location() }.into());
            }
        }
        let sums = backup.checksums();
        let checksums = documents.settled_checksums();
        match self.listed.has(&sums) {
            true if read_document(&**store, &sums).await? == checksums => {}
            true => return Err(self.another(sums)),
            false => drop(store.put(&sums, body_of(checksums), Mode::CreateNew).await?),
        }
        let key = backup.manifest();
        let size = store.put(&key, body_of(documents.manifest_bytes.clone()), Mode::CreateNew).await?;
        self.listed.insert(Object { key, size, modified: Timestamp::now() });
        Ok(())
    }

    fn another(&self, key: Key) -> Error {
        RepositoryError::Another { key, location: self.repository.store().location() }.into()
    }
}
