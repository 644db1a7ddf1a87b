//! Holds the objects of one instance as a store lists them, and what their names say.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};

use super::damage::DAMAGE;
use super::proofs::seen_in;
use super::{BackupId, BackupRef, Clocks, Damage, Evidence, Repository, layout, marks};
use crate::manifest::{MANIFEST, SET_ASIDE, StoredObject};
use crate::store::{Key, Object, Store, StoreError};

/// All objects in the folder of an instance, ordered by key.
#[derive(Debug, Clone)]
pub(crate) struct ObjectListing {
    instance: String,
    objects: BTreeMap<Key, Object>,
}

impl Repository {
    /// Lists the objects of an instance.
    ///
    /// # Errors
    /// Those of [`Store::list`], including one for a folder that may not be read
    pub(crate) async fn listed(&self, instance: &str) -> Result<ObjectListing, StoreError> {
        let mut listed = ObjectListing::empty(instance);
        // A name that is no valid key segment has no objects.
        if let Ok(prefix) = Key::new(instance) {
            let objects = self.store().list(Some(&prefix)).map_ok(|object| (object.key.clone(), object));
            listed.objects = objects.try_collect().await?;
        }
        Ok(listed)
    }

    /// Lists the objects of one instance, or of each instance.
    ///
    /// # Errors
    /// Those of [`Self::listed`]
    pub(crate) async fn listed_by_instance(
        &self,
        instance: Option<&str>,
    ) -> Result<BTreeMap<String, ObjectListing>, StoreError> {
        let mut instances: BTreeMap<String, ObjectListing> = BTreeMap::new();
        let Ok(prefix) = instance.map(Key::new).transpose() else { return Ok(instances) };
        let mut objects = self.store().list(prefix.as_ref());
        while let Some(object) = objects.try_next().await? {
            let Some(name) = object.key.segments().next() else { continue };
            match instances.get_mut(name) {
                Some(listed) => listed.insert(object),
                None => {
                    let (name, mut listed) = (name.to_owned(), ObjectListing::empty(name));
                    listed.insert(object);
                    instances.insert(name, listed);
                }
            }
        }
        Ok(instances)
    }
}

impl ObjectListing {
    pub(crate) fn empty(instance: &str) -> Self {
        Self { instance: instance.to_owned(), objects: BTreeMap::new() }
    }

    /// Lists what can be read of an instance, and returns the folders that cannot. This is enough
    /// to add objects. Before objects are deleted, everything must be listed.
    ///
    /// # Errors
    /// Those of [`Store::list`], except those of a folder
    pub(crate) async fn readable(store: &dyn Store, instance: &str) -> Result<(Self, Vec<StoreError>), StoreError> {
        let (mut listed, mut unreadable) = (Self::empty(instance), Vec::new());
        let Ok(prefix) = Key::new(instance) else { return Ok((listed, unreadable)) };
        let mut objects = store.list(Some(&prefix));
        while let Some(object) = objects.next().await {
            match object {
                Ok(object) => listed.insert(object),
                Err(error) if error.is_of_folder() => unreadable.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok((listed, unreadable))
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    pub(crate) fn into_objects(self) -> impl Iterator<Item = Object> {
        self.objects.into_values()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key)
    }

    pub(crate) fn has(&self, key: &Key) -> bool {
        self.objects.contains_key(key)
    }

    /// Returns the size of an object in bytes.
    pub(crate) fn size(&self, key: &Key) -> Option<u64> {
        self.get(key).map(|object| object.size)
    }

    /// Returns whether an object exists with the size that a manifest states.
    pub(crate) fn holds(&self, object: &StoredObject) -> bool {
        self.size(&object.key) == Some(object.stored.size)
    }

    /// Returns why an object is not as a manifest states, if it is missing or has another size.
    pub(crate) fn damage_of(&self, object: &StoredObject) -> Option<Damage> {
        let expected = object.stored.size;
        let reason = match self.get(&object.key) {
            None => "it is missing".to_owned(),
            Some(found) if found.size != expected => format!("it has {} bytes, and should have {expected}", found.size),
            Some(_) => return None,
        };
        Some(Damage { key: object.key.clone(), reason })
    }

    /// Adds an object that was stored, or that the listing omitted.
    pub(crate) fn insert(&mut self, object: Object) {
        self.objects.insert(object.key.clone(), object);
    }

    /// Removes an object that does not exist.
    pub(crate) fn remove(&mut self, key: &Key) {
        self.objects.remove(key);
    }

    /// Returns the backups that exist: those with a manifest.
    pub(crate) fn backups(&self) -> impl Iterator<Item = BackupId> {
        self.backups_with(MANIFEST)
    }

    /// Returns the backups that were quarantined.
    pub(crate) fn quarantined(&self) -> impl Iterator<Item = BackupId> {
        self.backups_with(SET_ASIDE)
    }

    fn backups_with(&self, document: &'static str) -> impl Iterator<Item = BackupId> {
        let documents = self.objects.keys().filter(move |key| key.name() == document);
        documents.filter_map(|key| Some(BackupRef::of_object(key)?.id))
    }

    /// Returns whether a backup was quarantined. One that has a manifest as well still is a backup:
    /// the quarantine was interrupted.
    pub(crate) fn is_quarantined(&self, backup: &BackupRef) -> bool {
        self.has(&backup.quarantined_manifest()) && !self.has(&backup.manifest())
    }

    /// Returns the backups that are pinned, also those that do not exist.
    pub(crate) fn pinned(&self) -> BTreeSet<BackupId> {
        self.objects.keys().filter_map(|key| Some(marks::pinned(key)?.id)).collect()
    }

    /// Returns what restored copies have shown of each backup, also of those that do not exist.
    pub(crate) fn evidence(&self, clocks: Clocks) -> BTreeMap<BackupId, Evidence> {
        let evidence = Evidence::by_backup(self.objects().filter_map(seen_in), clocks.now());
        evidence.into_iter().map(|(backup, evidence)| (backup.id, evidence)).collect()
    }

    /// Returns whether any damage is recorded.
    pub(crate) fn has_known_damage(&self) -> bool {
        self.objects.keys().any(|key| layout::is_mark(key, DAMAGE))
    }

    /// Returns whether there is an object that is stored only for an existing backup, such as a
    /// proof.
    pub(crate) fn has_traces(&self) -> bool {
        self.objects.keys().any(layout::is_trace)
    }
}
