//! Lists the backups of a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt;

use super::cache::{Cached, CachedManifests, Seen};
use super::damage::{KnownDamage, damage_of};
use super::room::{Room, Weight};
use super::sight::{Gaps, Sight};
use super::{BackupId, BackupRef, Clocks, Damage, Evidence, Repository, RepositoryError};
use crate::manifest::Manifest;
use crate::store::{StoreError, StoreErrorKind, read_document};

/// How many manifests are read at once.
const PARALLEL_READS: usize = 16;

/// All backups of a repository or an instance.
#[derive(Debug, Default)]
pub struct Listing {
    /// The backups, oldest first.
    pub backups: Vec<Manifest>,
    /// Backups whose manifest cannot be read.
    pub damaged: Vec<Damaged>,
    /// Pinned backups, including those that no longer exist.
    pub pinned: BTreeSet<BackupRef>,
    /// Quarantined backups. They are not backups until the operator renames their manifest back.
    pub set_aside: Vec<BackupRef>,
    /// What restored copies showed of each backup, including backups that no longer exist.
    pub evidence: BTreeMap<BackupRef, Evidence>,
    /// The known damage of the objects that each backup needs.
    pub damage: BTreeMap<BackupRef, Vec<Damage>>,
    /// Problems of the listing itself: it may not show everything that exists.
    pub alarms: Vec<Alarm>,
    /// The clocks at the time of the listing.
    pub clocks: Clocks,
    /// The bytes that the listed objects take, by their first folder: an instance's name.
    pub bytes: BTreeMap<String, u64>,
    /// Folders that may not be read. The listing lacks what they contain.
    pub unreadable: Vec<StoreError>,
}

/// A problem of what the repository shows of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The instance.
    pub instance: String,
    /// The problem, in a sentence.
    pub message: String,
}

/// A backup whose manifest cannot be read.
#[derive(Debug)]
pub struct Damaged {
    /// The backup.
    pub backup: BackupRef,
    /// Why the manifest cannot be read.
    pub error: RepositoryError,
}

/// A reason why a backup is not good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It is dated in the future.
    Future,
    /// Objects that it needs are known to be damaged.
    Damaged(Vec<Damage>),
    /// It failed verification: a restored copy differed from what was backed up.
    Refuted,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Future => f.write_str("it is dated in the future: the clock of the machine that made it was wrong"),
            Self::Refuted => f.write_str("it failed verification: a restored copy differed from what was backed up"),
            Self::Damaged(damage) => {
                f.write_str("it is known to be damaged")?;
                damage.iter().take(1).try_for_each(|one| write!(f, ": {}: {}", one.key, one.reason))?;
                match damage.len() {
                    0 | 1 => Ok(()),
                    several => write!(f, ", and {} more", several - 1),
                }
            }
        }
    }
}

impl Listing {
    /// Returns the flaws of a backup in this list, the worst first. A good backup has none.
    pub fn flaws(&self, backup: &Manifest) -> Vec<Flaw> {
        let name = backup.backup();
        let mut flaws = Vec::new();
        flaws.extend(self.damage.get(&name).map(|damage| Flaw::Damaged(damage.clone())));
        flaws.extend(backup.is_future(self.clocks.now()).then_some(Flaw::Future));
        flaws.extend(matches!(self.evidence.get(&name), Some(Evidence::Refuted(_))).then_some(Flaw::Refuted));
        flaws
    }

    /// Returns the newest good backup of each instance: its manifest can be read, it is not dated
    /// in the future, no damage of it is known, and it did not fail verification.
    pub fn newest_good(&self) -> BTreeMap<&str, &Manifest> {
        let good = self.backups.iter().filter(|backup| self.flaws(backup).is_empty());
        // The backups are ordered oldest first, so the newest one remains in the map.
        good.map(|backup| (backup.instance.as_str(), backup)).collect()
    }

    /// Adds the listing of another instance.
    pub fn extend(&mut self, other: Self) {
        self.backups.extend(other.backups);
        self.damaged.extend(other.damaged);
        self.pinned.extend(other.pinned);
        self.set_aside.extend(other.set_aside);
        self.evidence.extend(other.evidence);
        self.damage.extend(other.damage);
        self.alarms.extend(other.alarms);
        self.unreadable.extend(other.unreadable);
        self.clocks = other.clocks;
        for (folder, bytes) in other.bytes {
            *self.bytes.entry(folder).or_default() += bytes;
        }
    }
}

impl Repository {
    /// Returns all backups of one instance, or of all instances. A manifest that this machine has
    /// cached is read again only if the store says that it was replaced. No manifest is compared
    /// with its checksums, as [`Self::verified_manifest`] does; that suffices to show a backup.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]. A manifest that is damaged, cannot be read or has a newer format
    /// is not an error here: the listing says so.
    pub async fn list(&self, instance: Option<&str>) -> Result<Listing, RepositoryError> {
        let mut instances: BTreeMap<String, Vec<(BackupId, Seen)>> = BTreeMap::new();
        let sight = self.look(instance).await?;
        let alarms = self.alarms(instance, &sight).await?;
        let Sight { clocks, backups, pinned, set_aside, proofs, with_damage, gaps, bytes, unreadable, .. } = sight;
        for (BackupRef { instance, id }, seen) in backups {
            instances.entry(instance).or_default().push((id, seen));
        }
        let room = Room::default();
        let weight = Mutex::new(Weight::default());
        let mut listings = futures::stream::iter(instances)
            .map(|(instance, seen)| self.list_instance(instance, seen, &room, &weight))
            .buffer_unordered(PARALLEL_READS);
        let evidence = Evidence::by_backup(proofs, clocks.now());
        let set_aside = set_aside.into_iter().collect();
        let mut listing =
            Listing { pinned, set_aside, evidence, alarms, clocks, bytes, unreadable, ..Listing::default() };
        while let Some(of_one) = listings.next().await {
            let of_one = of_one?;
            listing.backups.extend(of_one.backups);
            listing.damaged.extend(of_one.damaged);
        }
        drop(listings);
        listing.damaged.extend(self.lost(&gaps));
        listing.backups.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        listing.damaged.sort_by(|Damaged { backup: a, .. }, Damaged { backup: b, .. }| {
            (&a.id, &a.instance).cmp(&(&b.id, &b.instance))
        });
        for instance in with_damage {
            self.find_known_damage(&instance, &mut listing).await?;
        }
        Ok(listing)
    }

    /// Adds to `listing` which backups of an instance are known to be damaged.
    async fn find_known_damage(&self, instance: &str, listing: &mut Listing) -> Result<(), RepositoryError> {
        let known = match self.known_damage(instance).await {
            Ok(known) => known,
            Err(error) if error.is_of_object() => {
                let message = format!("unable to tell which of its backups are damaged: {error}");
                listing.alarms.push(Alarm { instance: instance.to_owned(), message });
                KnownDamage::new()
            }
            Err(error) => return Err(error),
        };
        for backup in listing.backups.iter().filter(|backup| backup.instance == instance) {
            let damage = damage_of(backup, &known);
            if !damage.is_empty() {
                listing.damage.insert(backup.backup(), damage);
            }
        }
        Ok(())
    }

    /// Returns the backups whose manifest was lost, as damaged backups.
    pub(crate) fn lost(&self, gaps: &Gaps) -> Vec<Damaged> {
        let damaged = gaps.lost.iter().map(|backup| {
            let reason = "it is missing, but the backup's SHA256SUMS exists";
            Damaged { backup: backup.clone(), error: self.damaged(&backup.manifest(), reason) }
        });
        damaged.collect()
    }

    /// Returns what is wrong with a listing: objects that it omits, and instances of which it shows
    /// no backup although there were some.
    async fn alarms(&self, instance: Option<&str>, sight: &Sight) -> Result<Vec<Alarm>, RepositoryError> {
        let mut alarms: Vec<Alarm> = sight
            .gaps
            .unlisted
            .iter()
            .map(|unlisted| Alarm {
                instance: unlisted.backup.instance.clone(),
                message: format!("a listing omitted {}, which exists", unlisted.object.key),
            })
            .collect();
        let shown = sight.backups.iter().map(|(backup, _)| backup);
        let shown = shown.chain(&sight.set_aside).chain(&sight.gaps.lost);
        let mut shown: BTreeSet<String> = shown.map(|backup| backup.instance.clone()).collect();
        // Folders that cannot be read are reported separately.
        let hidden = sight.unreadable.iter().filter_map(|error| error.key.as_ref()?.segments().next());
        shown.extend(hidden.map(str::to_owned));
        alarms.extend(self.vanished(instance, &shown, &sight.marked).await?);
        Ok(alarms)
    }

    /// Returns alarms for instances of which a listing has `shown` no backup although there were
    /// some. Evidence is that the instance is `marked` in the listing, or that this machine has
    /// cached manifests of it.
    ///
    /// # Errors
    /// Any error of the store
    pub(crate) async fn vanished(
        &self,
        instance: Option<&str>,
        shown: &BTreeSet<String>,
        marked: &BTreeSet<String>,
    ) -> Result<Vec<Alarm>, RepositoryError> {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for name in marked.difference(shown) {
            known.insert(name.clone(), "its pins or verifications are still there".to_owned());
        }
        if let Some(cache) = &self.cache {
            let cached = cache.instances().await.into_iter();
            let wanted = |name: &String| instance.is_none_or(|instance| instance == name) && !shown.contains(name);
            for name in cached.filter(wanted) {
                let newest = cache.manifests(&name).await.newest();
                let Some(newest) = newest.map(|id| BackupRef::new(name.as_str(), id)) else { continue };
                let why = match self.document_of(&newest).await? {
                    Some(object) => format!("the listing omits {}, which exists", object.key),
                    None => format!("this machine has read the manifest of {}", newest.id),
                };
                known.insert(name, why);
            }
        }
        let alarms = known.into_iter().map(|(instance, why)| Alarm {
            instance,
            message: format!("the repository lists no backup of it, but there were some: {why}"),
        });
        Ok(alarms.collect())
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
                let backup = BackupRef::new(instance, id);
                async move {
                    let is_known = known.is_some();
                    let read = match known {
                        Some(known) => Ok(known),
                        None => self.manifest_alone(&backup, seen.size, room).await,
                    };
                    (backup, seen, is_known, read)
                }
            })
            .buffered(PARALLEL_READS);
        let mut listing = Listing::default();
        while let Some((backup, seen, is_known, read)) = manifests.next().await {
            let read = read.and_then(|read| {
                let manifest = self.manifest_of(&backup, &backup.manifest(), &read.manifest)?;
                let mut weight = weight.lock().unwrap_or_else(PoisonError::into_inner);
                match weight.takes(&manifest, read.manifest.len()) {
                    true => Ok((manifest, read)),
                    false => Err(self.too_heavy(&backup)),
                }
            });
            match read {
                Ok((manifest, read)) => {
                    listing.backups.push(manifest);
                    is_new |= !is_known;
                    kept.keep(backup.id, seen, read);
                }
                // It was deleted after it was listed.
                Err(RepositoryError::Store(error)) if matches!(*error.kind, StoreErrorKind::NotFound) => {}
                Err(error) if error.is_of_object() => {
                    listing.damaged.push(Damaged { backup, error });
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

    async fn manifest_alone(&self, backup: &BackupRef, size: u64, room: &Room) -> Result<Cached, RepositoryError> {
        let _permit = room.take(size).await;
        Ok(Cached { manifest: read_document(&*self.store, &backup.manifest()).await?, checksums: None })
    }
}
