//! Finds out what a listing shows of backups, and what it omits.
//!
//! A listing may be incomplete: a proxy or a gateway answers for the store, or a server lost part
//! of its index. So the manifest of a folder that seems to have none is looked up by name before
//! anything is concluded.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::cache::Seen;
use super::damage::DAMAGE;
use super::proofs::seen_in;
use super::{BackupRef, Clocks, ObjectListing, ProofName, Repository, RepositoryError, layout, marks};
use crate::manifest::{CHECKSUMS, MANIFEST, SET_ASIDE};
use crate::repository::lock::Purpose;
use crate::store::{Key, Object, StoreError};

/// How many objects are looked up at once.
const PARALLEL_LOOKS: usize = 16;

/// What the names of the listed objects say.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The clocks at the time of the listing.
    pub(super) clocks: Clocks,
    /// All backups, with what the store says of their manifests.
    pub(super) backups: Vec<(BackupRef, Seen)>,
    pub(super) pinned: BTreeSet<BackupRef>,
    /// Backups with a `set-aside.json` instead of a manifest.
    pub(super) set_aside: BTreeSet<BackupRef>,
    /// Proofs with the time at which they were stored.
    pub(super) proofs: Vec<(ProofName, Timestamp)>,
    /// Instances with damage that was found and not repaired.
    pub(super) with_damage: BTreeSet<String>,
    /// Folders that may not be read. The listing lacks what they contain.
    pub(super) unreadable: Vec<StoreError>,
    /// What the listing omits or lacks.
    pub(super) gaps: Gaps,
    /// Instances with an object that is stored only for an existing backup.
    pub(super) marked: BTreeSet<String>,
    /// The bytes of the listed objects, by their first folder.
    pub(super) bytes: BTreeMap<String, u64>,
}

/// Problems of folders that a listing shows without a manifest.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    /// The manifest or the quarantined manifest exists when it is looked up by name: the listing
    /// cannot be trusted.
    pub(crate) unlisted: Vec<Unlisted>,
    /// The checksums exist, the manifest does not, and no process is about to store it: it was
    /// lost, or a run was interrupted at that moment.
    pub(crate) lost: Vec<BackupRef>,
}

/// A document that a listing omits.
#[derive(Debug)]
pub(crate) struct Unlisted {
    pub(crate) backup: BackupRef,
    pub(crate) object: Object,
}

/// Folders of backups, by what a listing shows in them.
#[derive(Debug, Default)]
struct Folders {
    /// Folders with a manifest or a quarantined manifest.
    settled: BTreeSet<BackupRef>,
    /// Folders with any object of this program, or that a pin or a proof names.
    seen: BTreeMap<BackupRef, Shown>,
}

/// What a listing shows in a folder without a manifest.
#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    objects: bool,
    checksums: bool,
}

impl Folders {
    fn see(&mut self, key: &Key) {
        let own = BackupRef::of_object(key);
        let is_own = own.is_some();
        let named = own.or_else(|| marks::pinned(key)).or_else(|| ProofName::of(key).map(|proof| proof.backup));
        let Some(backup) = named else { return };
        if is_own && [MANIFEST, SET_ASIDE].contains(&key.name()) {
            self.settled.insert(backup);
        } else if !layout::is_foreign(key) {
            let shown = self.seen.entry(backup).or_default();
            shown.checksums |= is_own && key.name() == CHECKSUMS;
            shown.objects |= is_own;
        }
    }

    /// Returns the folders whose manifests must be looked up by name.
    ///
    /// A folder with objects but without checksums is left by an interrupted run. The listing could
    /// omit its checksums and its manifest; that is checked only before something is removed,
    /// because many such folders may wait for a prune.
    fn suspects(self, is_thorough: bool) -> Vec<(BackupRef, Shown)> {
        let Self { settled, seen } = self;
        let is_suspect = |shown: &Shown| is_thorough || shown.checksums || !shown.objects;
        seen.into_iter().filter(|(backup, shown)| !settled.contains(backup) && is_suspect(shown)).collect()
    }
}

impl Repository {
    /// Finds out what a listing omits from the backups' folders. `is_alone` means that a lock
    /// excludes processes that make or remove backups, and that something is to be removed.
    ///
    /// # Errors
    /// Any error of the store: it could not tell whether a document exists.
    pub(crate) async fn gaps(&self, listed: &ObjectListing, is_alone: bool) -> Result<Gaps, RepositoryError> {
        let mut folders = Folders::default();
        listed.objects().for_each(|object| folders.see(&object.key));
        self.gaps_of(folders, is_alone).await
    }

    async fn gaps_of(&self, folders: Folders, is_alone: bool) -> Result<Gaps, RepositoryError> {
        let (mut gaps, suspects) = (Gaps::default(), folders.suspects(is_alone));
        if suspects.is_empty() {
            return Ok(gaps);
        }
        // This comes before the manifests are looked up: a process that stores one releases its
        // lock only afterwards.
        let mut busy: BTreeSet<String> = BTreeSet::new();
        let incomplete: BTreeSet<&String> =
            suspects.iter().filter(|(_, shown)| shown.checksums).map(|(backup, _)| &backup.instance).collect();
        for instance in incomplete {
            if !is_alone && self.is_being_changed(instance).await? {
                busy.insert(instance.clone());
            }
        }
        // Collected first: a closure in the stream would keep the future from being a task of its
        // own (rust-lang/rust#102211).
        let looks: Vec<_> = suspects
            .into_iter()
            .map(|(backup, shown)| async move {
                Ok::<_, RepositoryError>((self.document_of(&backup).await?, backup, shown))
            })
            .collect();
        let mut looking = futures::stream::iter(looks).buffered(PARALLEL_LOOKS);
        while let Some((found, backup, shown)) = looking.try_next().await? {
            match found {
                Some(object) => gaps.unlisted.push(Unlisted { backup, object }),
                None if shown.checksums && !busy.contains(&backup.instance) => gaps.lost.push(backup),
                None => {}
            }
        }
        Ok(gaps)
    }

    /// Returns the manifest or the quarantined manifest of a backup, looked up by name.
    pub(crate) async fn document_of(&self, backup: &BackupRef) -> Result<Option<Object>, RepositoryError> {
        for document in [MANIFEST, SET_ASIDE] {
            if let Some(object) = self.store.head(&backup.object(document)).await? {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// Returns whether a process makes, copies or removes a backup of the instance, and may be
    /// between its manifest and its checksums.
    async fn is_being_changed(&self, instance: &str) -> Result<bool, RepositoryError> {
        let now = self.clocks().await.now();
        // A claim that cannot be read may be for any of these.
        let stores = |purpose: Option<Purpose>| {
            use Purpose::{Backup, Copy, Forget, Prune};
            purpose.is_none_or(|purpose| matches!(purpose, Backup | Copy | Prune | Forget))
        };
        let claims = self.claims(Some(instance)).await?;
        Ok(claims.iter().any(|claim| !claim.is_dead(now) && stores(claim.claim.as_ref().map(|claim| claim.purpose))))
    }

    /// Returns what can be known of one instance or all without reading an object.
    pub(super) async fn look(&self, instance: Option<&str>) -> Result<Sight, RepositoryError> {
        let mut sight = Sight::default();
        // A name that is no valid key segment cannot have backups.
        let Ok(prefix) = instance.map(Key::new).transpose() else { return Ok(sight) };
        let mut folders = Folders::default();
        let mut objects = self.store.list(prefix.as_ref());
        while let Some(object) = objects.next().await {
            let object = match object {
                Ok(object) => object,
                Err(error) if error.is_of_folder() => {
                    sight.unreadable.push(error);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            sight.see(&object);
            folders.see(&object.key);
        }
        drop(objects);
        self.settle(sight, folders).await
    }

    /// Returns the backups among listed objects. `unreadable` are folders that the listing lacks.
    ///
    /// # Errors
    /// Any error of the store: it could not tell whether a manifest exists.
    pub(crate) async fn names_in(
        &self,
        listed: &ObjectListing,
        unreadable: Vec<StoreError>,
    ) -> Result<(Vec<BackupRef>, Vec<StoreError>), RepositoryError> {
        let (mut sight, mut folders) = (Sight { unreadable, ..Sight::default() }, Folders::default());
        for object in listed.objects() {
            sight.see(object);
            folders.see(&object.key);
        }
        let mut sight = self.settle(sight, folders).await?;
        let unreadable = std::mem::take(&mut sight.unreadable);
        Ok((sight.into_names(), unreadable))
    }

    /// Looks up by name what the listing may omit.
    async fn settle(&self, mut sight: Sight, mut folders: Folders) -> Result<Sight, RepositoryError> {
        // What is in these folders cannot be looked up by name either.
        let hidden: Vec<&Key> = sight.unreadable.iter().filter_map(|error| error.key.as_ref()).collect();
        folders.seen.retain(|backup, _| {
            let folder = backup.folder();
            !hidden.iter().any(|hidden| folder == **hidden || folder.is_under(hidden))
        });
        sight.clocks = self.clocks().await;
        sight.gaps = self.gaps_of(folders, false).await?;
        for Unlisted { backup, object } in &sight.gaps.unlisted {
            let seen = Seen { size: object.size, modified: object.modified };
            match object.key.name() {
                MANIFEST => sight.backups.push((backup.clone(), seen)),
                _ => drop(sight.set_aside.insert(backup.clone())),
            }
        }
        // If a quarantine was interrupted, the backup still exists.
        for (backup, _) in &sight.backups {
            sight.set_aside.remove(backup);
        }
        Ok(sight)
    }
}

impl Sight {
    pub(super) fn into_names(self) -> Vec<BackupRef> {
        self.backups.into_iter().map(|(backup, _)| backup).collect()
    }

    fn see(&mut self, object: &Object) {
        self.weigh(object);
        let seen = Seen { size: object.size, modified: object.modified };
        match (BackupRef::of_object(&object.key), object.key.name()) {
            (Some(backup), MANIFEST) => self.backups.push((backup, seen)),
            (Some(backup), SET_ASIDE) => drop(self.set_aside.insert(backup)),
            _ => {}
        }
        self.pinned.extend(marks::pinned(&object.key));
        self.proofs.extend(seen_in(object));
        if layout::is_trace(&object.key)
            && let Some(instance) = object.key.segments().next().filter(|instance| !self.marked.contains(*instance))
        {
            self.marked.insert(instance.to_owned());
        }
        if layout::is_mark(&object.key, DAMAGE) {
            self.with_damage.extend(object.key.segments().next().map(str::to_owned));
        }
    }

    fn weigh(&mut self, object: &Object) {
        let Some(folder) = object.key.segments().next() else { return };
        match self.bytes.get_mut(folder) {
            Some(bytes) => *bytes += object.size,
            None => drop(self.bytes.insert(folder.to_owned(), object.size)),
        }
    }
}
