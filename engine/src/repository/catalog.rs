//! Which backups there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::StreamExt;

use super::cache::{Cached, CachedManifests, Seen};
use super::room::{Room, Weight};
use super::{BackupId, Evidence, ProofName, Repository, RepositoryError, marks, member};
use crate::manifest::{MANIFEST, Manifest, SET_ASIDE};
use crate::store::{Key, Object, StoreError, StoreErrorKind};

/// Manifests that are read at once.
const PARALLEL_READS: usize = 16;

/// Every backup of a repository or an instance.
#[derive(Debug, Default)]
pub struct Listing {
    /// Oldest first.
    pub backups: Vec<Manifest>,
    /// Those whose manifest cannot be read.
    pub damaged: Vec<Damaged>,
    /// Instance and id of those that a person said are to stay; also of such as are gone.
    pub pinned: BTreeSet<(String, BackupId)>,
    /// Instance and id of those that a repair has set aside. They are no backups until a person makes them such again.
    pub set_aside: Vec<(String, BackupId)>,
    /// What was seen of them by restoring them, by instance and id; also of such as are gone.
    pub evidence: BTreeMap<(String, BackupId), Evidence>,
    /// What all objects that were looked at take, together.
    pub bytes: u64,
    /// Folders of the repository that may not be read, of which the rest is without.
    pub unreadable: Vec<StoreError>,
}

/// What the names of objects say.
#[derive(Debug, Default)]
struct Sight {
    /// Instance and id of every backup, with what the store says of its manifest.
    backups: Vec<(String, BackupId, Seen)>,
    /// By instance and id.
    pinned: BTreeSet<(String, BackupId)>,
    /// Instance and id of those that have a `set-aside.json` in the place of a manifest.
    set_aside: BTreeSet<(String, BackupId)>,
    /// By instance.
    proofs: Vec<(String, ProofName)>,
    bytes: u64,
    /// Folders that were passed over.
    unreadable: Vec<StoreError>,
}

/// A backup whose manifest cannot be read.
#[derive(Debug)]
pub struct Damaged {
    /// The instance it is of.
    pub instance: String,
    /// Its name.
    pub id: BackupId,
    /// Why.
    pub error: RepositoryError,
}

impl Listing {
    /// The newest good backup of each instance: one whose manifest can be read, and of which no restored copy was other than what had
    /// been backed up.
    pub fn newest_good(&self) -> BTreeMap<&str, &Manifest> {
        let is_good = |backup: &&Manifest| {
            let seen = self.evidence.get(&(backup.instance.clone(), backup.id.clone()));
            !matches!(seen, Some(Evidence::Refuted(_)))
        };
        // Oldest first, so that the last one stays.
        self.backups.iter().filter(is_good).map(|backup| (backup.instance.as_str(), backup)).collect()
    }
}

impl Repository {
    /// Every backup of one instance, or of all. A manifest that this machine has read before is not read again, unless the store says that
    /// another has taken its place. None is held against its checksums, as [`Self::verified_manifest`] does: enough to show it.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]. A manifest that is damaged, cannot be read or is of a newer format is not an error here: it is
    /// listed as such.
    pub async fn list(&self, instance: Option<&str>) -> Result<Listing, RepositoryError> {
        let mut instances: BTreeMap<String, Vec<(BackupId, Seen)>> = BTreeMap::new();
        let Sight { backups, pinned, set_aside, proofs, bytes, unreadable } = self.look(instance).await?;
        for (instance, id, seen) in backups {
            instances.entry(instance).or_default().push((id, seen));
        }
        let room = Room::default();
        let weight = Mutex::new(Weight::default());
        let mut listings = futures::stream::iter(instances)
            .map(|(instance, seen)| self.list_instance(instance, seen, &room, &weight))
            .buffer_unordered(PARALLEL_READS);
        let evidence = Evidence::by_backup(proofs);
        let set_aside = set_aside.into_iter().collect();
        let mut listing = Listing { pinned, set_aside, evidence, bytes, unreadable, ..Listing::default() };
        while let Some(of_one) = listings.next().await {
            let of_one = of_one?;
            listing.backups.extend(of_one.backups);
            listing.damaged.extend(of_one.damaged);
        }
        listing.backups.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        listing.damaged.sort_by(|a, b| (&a.id, &a.instance).cmp(&(&b.id, &b.instance)));
        Ok(listing)
    }

    async fn list_instance(
        &self,
        instance: String,
        seen: Vec<(BackupId, Seen)>,
        room: &Room,
        weight: &Mutex<Weight>,
    ) -> Result<Listing, RepositoryError> {
        let instance = instance.as_str();
        let mut cached = match &self.cache {
            Some(cache) => cache.manifests(instance).await,
            None => CachedManifests::default(),
        };
        let (were_kept, mut kept, mut is_new) = (cached.len(), CachedManifests::default(), false);
        let mut manifests = futures::stream::iter(seen)
            .map(|(id, seen)| {
                let known = cached.take(&id, &seen);
                async move {
                    let is_known = known.is_some();
                    let read = match known {
                        Some(known) => Ok(known),
                        None => self.manifest_alone(instance, &id, seen.size, room).await,
                    };
                    (id, seen, is_known, read)
                }
            })
            .buffered(PARALLEL_READS);
        let mut listing = Listing::default();
        while let Some((id, seen, is_known, read)) = manifests.next().await {
            let key = member(&id.key(instance), MANIFEST);
            let read = read.and_then(|read| {
                let manifest = self.manifest_of(instance, &id, &key, &read.manifest)?;
                let mut weight = weight.lock().unwrap_or_else(PoisonError::into_inner);
                match weight.takes(&manifest, read.manifest.len()) {
                    true => Ok((manifest, read)),
                    false => Err(self.too_heavy(instance, &id)),
                }
            });
            match read {
                Ok((manifest, read)) => {
                    listing.backups.push(manifest);
                    is_new |= !is_known;
                    kept.keep(id, seen, read);
                }
                // Deleted since it was seen.
                Err(RepositoryError::Store(error)) if matches!(*error.kind, StoreErrorKind::NotFound) => {}
                Err(error) if error.is_of_object() => {
                    listing.damaged.push(Damaged { instance: instance.to_owned(), id, error });
                }
                Err(error) => return Err(error),
            }
        }
        match &self.cache {
            Some(cache) if is_new || kept.len() != were_kept => cache.keep_manifests(instance, kept).await,
            _ => {}
        }
        Ok(listing)
    }

    async fn manifest_alone(
        &self,
        instance: &str,
        id: &BackupId,
        size: u64,
        room: &Room,
    ) -> Result<Cached, RepositoryError> {
        let _permit = room.take(size).await;
        Ok(Cached { manifest: self.document(&id.key(instance), MANIFEST).await?.1, checksums: None })
    }

    /// Instance and id of every backup that exists, of one instance or of all.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn names(&self, instance: Option<&str>) -> Result<Vec<(String, BackupId)>, RepositoryError> {
        let (names, unreadable) = self.readable_names(instance).await?;
        match unreadable.into_iter().next() {
            Some(unreadable) => Err(unreadable.into()),
            None => Ok(names),
        }
    }

    /// As [`Self::names`], without those in folders that may not be read, which stand next to them.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn readable_names(
        &self,
        instance: Option<&str>,
    ) -> Result<(Vec<(String, BackupId)>, Vec<StoreError>), RepositoryError> {
        let Sight { backups, unreadable, .. } = self.look(instance).await?;
        Ok((backups.into_iter().map(|(instance, id, _)| (instance, id)).collect(), unreadable))
    }

    /// As [`Self::names`], and those that were set aside, by instance and id.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn names_with_set_aside(
        &self,
        instance: Option<&str>,
    ) -> Result<Vec<(String, BackupId)>, RepositoryError> {
        let sight = self.look(instance).await?;
        if let Some(unreadable) = sight.unreadable.into_iter().next() {
            return Err(unreadable.into());
        }
        let backups = sight.backups.into_iter().map(|(instance, id, _)| (instance, id));
        let mut names: Vec<_> = backups.chain(sight.set_aside).collect();
        names.sort();
        Ok(names)
    }

    /// Everything that can be told without reading an object, of one instance or of all.
    async fn look(&self, instance: Option<&str>) -> Result<Sight, RepositoryError> {
        let mut sight = Sight::default();
        // A name that is no key's segment cannot have backups.
        let Ok(prefix) = instance.map(Key::new).transpose() else { return Ok(sight) };
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
            sight.bytes += object.size;
            let seen = Seen { size: object.size, modified: object.modified };
            sight.backups.extend(name_of(&object.key, MANIFEST).map(|(instance, id)| (instance, id, seen)));
            sight.set_aside.extend(name_of(&object.key, SET_ASIDE));
            sight.pinned.extend(marks::pinned(&object.key));
            sight.proofs.extend(ProofName::of(&object.key));
        }
        // Where that was cut off, it still is a backup.
        for (instance, id, _) in &sight.backups {
            sight.set_aside.remove(&(instance.clone(), id.clone()));
        }
        Ok(sight)
    }

    /// The backup that `selector` names: an id, a unique beginning of one, `latest`, or any of them behind `INSTANCE/`.
    /// `latest` alone is the latest of `default_instance`, or of the repository's only instance.
    ///
    /// # Errors
    /// [`RepositoryError::NoSuchBackup`], [`RepositoryError::Ambiguous`], [`RepositoryError::WhichInstance`]; those of [`Self::verified_manifest`].
    pub async fn find(&self, selector: &str, default_instance: Option<&str>) -> Result<Manifest, RepositoryError> {
        let (instance, id) = self.resolve(selector, default_instance).await?;
        self.verified_manifest(&instance, &id).await
    }

    /// As [`Self::find`], without reading the manifest.
    ///
    /// # Errors
    /// As [`Self::find`], but for those of the manifest
    pub async fn resolve(
        &self,
        selector: &str,
        default_instance: Option<&str>,
    ) -> Result<(String, BackupId), RepositoryError> {
        self.resolve_among(selector, default_instance, false).await
    }

    /// As [`Self::resolve`]; one that was set aside can be named as well, but is never the latest.
    ///
    /// # Errors
    /// As [`Self::resolve`]
    pub async fn resolve_with_set_aside(
        &self,
        selector: &str,
        default_instance: Option<&str>,
    ) -> Result<(String, BackupId), RepositoryError> {
        self.resolve_among(selector, default_instance, true).await
    }

    async fn resolve_among(
        &self,
        selector: &str,
        default_instance: Option<&str>,
        set_aside: bool,
    ) -> Result<(String, BackupId), RepositoryError> {
        let (instance, wanted) = match selector.rsplit_once('/') {
            Some((instance, wanted)) => (Some(instance), wanted),
            None if selector == "latest" => (default_instance, selector),
            None => (None, selector),
        };
        let mut names = match set_aside && wanted != "latest" {
            true => self.names_with_set_aside(instance).await?,
            // The latest may be in a folder that may not be read; another one can be told apart from what can be read.
            false if wanted == "latest" => self.names(instance).await?,
            false => {
                let (names, unreadable) = self.readable_names(instance).await?;
                let is_named = names.iter().any(|(_, id)| id.as_str() == wanted);
                match unreadable.into_iter().next().filter(|_| !is_named) {
                    Some(unreadable) => return Err(unreadable.into()),
                    None => names,
                }
            }
        };
        names.sort_by(|a, b| a.1.cmp(&b.1));
        if wanted == "latest" {
            let instances: BTreeSet<_> = names.iter().map(|(instance, _)| instance.clone()).collect();
            if instances.len() > 1 {
                return Err(RepositoryError::WhichInstance { instances: instances.into_iter().collect() });
            }
            names.drain(..names.len().saturating_sub(1));
        } else {
            names.retain(|(_, id)| !wanted.is_empty() && id.as_str().starts_with(wanted));
        }
        match names.as_slice() {
            [] => {
                let selector = selector.to_owned();
                Err(RepositoryError::NoSuchBackup { selector, location: self.store.location() })
            }
            [only] => Ok(only.clone()),
            several => {
                let ids = several.iter().map(|(instance, id)| format!("{instance}/{id}")).collect();
                Err(RepositoryError::Ambiguous { selector: selector.to_owned(), ids })
            }
        }
    }
}

/// What the names of an instance's objects say of its backups: which are pinned, and what copies of them have shown.
pub(crate) fn said_of(objects: &[Object]) -> (BTreeSet<BackupId>, BTreeMap<BackupId, Evidence>) {
    let pinned = objects.iter().filter_map(|object| Some(marks::pinned(&object.key)?.1));
    let evidence = Evidence::by_backup(objects.iter().filter_map(|object| ProofName::of(&object.key)));
    (pinned.collect(), evidence.into_iter().map(|((_, id), evidence)| (id, evidence)).collect())
}

/// Instance and id of the backup whose document of this name has the key.
fn name_of(key: &Key, document: &str) -> Option<(String, BackupId)> {
    let mut segments = key.segments();
    let (instance, id, name) = (segments.next()?, segments.next()?, segments.next()?);
    (name == document && segments.next().is_none()).then_some(())?;
    Some((instance.to_owned(), id.parse().ok()?))
}
