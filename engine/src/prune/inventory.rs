//! Lists the objects of an instance, and which backups need them.

use std::collections::{BTreeMap, HashMap, HashSet};

use retention::{Backup, Figures};

use crate::error::Error;
use crate::manifest::Manifest;
use crate::repository::layout::needed;
use crate::repository::{
    BackupId, Clocks, Damaged, Evidence, KnownDamage, ObjectListing, Repository, RepositoryError, damage_of,
};
use crate::store::Key;

/// All objects of an instance, and its manifests.
pub(super) struct Inventory {
    pub(super) listed: ObjectListing,
    /// Each was compared with its checksums: after a flipped bit, a manifest would name other
    /// objects than it needs.
    pub(super) manifests: Vec<Manifest>,
    /// Backups whose manifest cannot be read.
    pub(super) damaged: Vec<Damaged>,
    /// Backups whose checksums are not of their manifest alone: a run was interrupted while it
    /// changed the manifest.
    pub(super) unsettled: Vec<BackupId>,
    /// The clocks at the time of the listing.
    pub(super) clocks: Clocks,
    /// The recorded damage.
    known_damage: KnownDamage,
}

impl Inventory {
    /// Lists an instance. `is_locked` means that a lock excludes processes that make or remove
    /// backups.
    ///
    /// # Errors
    /// Any error of the store; [`RepositoryError::Incomplete`]
    pub(super) async fn take(repository: &Repository, instance: &str, is_locked: bool) -> Result<Self, Error> {
        let listed = repository.listed(instance).await?;
        let clocks = repository.clocks().await;
        let gaps = repository.gaps(&listed, is_locked).await?;
        // What else the listing omits is unknown, so nothing is concluded from it.
        if let Some(unlisted) = gaps.unlisted.first() {
            let (key, location) = (unlisted.object.key.clone(), repository.store().location());
            return Err(RepositoryError::Incomplete { key, location }.into());
        }
        let known_damage = repository.known_damage_of(&listed).await?;
        let ids: Vec<BackupId> = listed.backups().collect();
        let (mut manifests, mut damaged, mut unsettled) = (Vec::new(), Vec::new(), Vec::new());
        for (backup, read) in repository.verified_backups(&listed, ids).await? {
            match read {
                Ok(verified) => {
                    unsettled.extend((!verified.are_settled).then_some(backup.id));
                    manifests.push(verified.manifest);
                }
                Err(error) => damaged.push(Damaged { backup, error }),
            }
        }
        damaged.extend(repository.lost(&gaps));
        Ok(Self { listed, manifests, damaged, unsettled, clocks, known_damage })
    }

    /// Returns the readable backups in the form that retention expects.
    pub(super) fn backups(&self) -> Vec<Backup> {
        let (pinned, proofs) = (self.listed.pinned(), self.listed.evidence(self.clocks));
        let seen = |manifest: &Manifest| {
            let is_damaged = !damage_of(manifest, &self.known_damage).is_empty();
            as_retention_sees(manifest, pinned.contains(&manifest.id), proofs.get(&manifest.id), is_damaged)
        };
        self.manifests.iter().map(seen).collect()
    }

    /// Returns whether there is no other backup, not even a quarantined one.
    pub(super) fn has_no_other(&self, id: &BackupId) -> bool {
        let manifests = self.manifests.iter().map(|manifest| &manifest.id);
        let mut backups = manifests.chain(self.damaged.iter().map(|damaged| &damaged.backup.id));
        backups.all(|other| other == id) && self.listed.quarantined().all(|other| other == *id)
    }

    /// Returns what removing each of `doomed` frees, from the oldest to the newest. An object is
    /// free when the last backup that names it is removed.
    pub(super) fn frees(&self, doomed: &[BackupId]) -> BTreeMap<BackupId, u64> {
        let manifests: Vec<&Manifest> = self.manifests.iter().collect();
        freed_by(&manifests, doomed, |key| self.listed.size(key))
    }
}

/// Returns what removing each of `doomed` frees, by the sizes that the manifests state: without the
/// manifests themselves, which are small.
pub fn frees(manifests: &[&Manifest], doomed: &[BackupId]) -> BTreeMap<BackupId, u64> {
    let objects = manifests.iter().filter(|manifest| doomed.contains(&manifest.id)).flat_map(|going| going.objects());
    let sizes: HashMap<&Key, u64> = objects.map(|object| (&object.key, object.stored.size)).collect();
    freed_by(manifests, doomed, |key| sizes.get(key).copied())
}

fn freed_by(
    manifests: &[&Manifest],
    doomed: &[BackupId],
    size: impl Fn(&Key) -> Option<u64>,
) -> BTreeMap<BackupId, u64> {
    let (mut going, kept): (Vec<&Manifest>, Vec<_>) =
        manifests.iter().copied().partition(|manifest| doomed.contains(&manifest.id));
    let mut taken: HashSet<Key> = kept.into_iter().flat_map(needed).collect();
    going.sort_by(|a, b| b.id.cmp(&a.id));
    let freed = going.into_iter().map(|manifest| {
        let own = needed(manifest).filter(|key| taken.insert(key.clone()));
        (manifest.id.clone(), own.filter_map(|key| size(&key)).sum())
    });
    freed.collect()
}

/// Returns a backup as retention sees it: one that is damaged or failed verification does not count
/// as verified, and takes no place that a backup without warnings could have.
pub(super) fn as_retention_sees(
    manifest: &Manifest,
    pinned: bool,
    evidence: Option<&Evidence>,
    is_damaged: bool,
) -> Backup {
    let is_refuted = matches!(evidence, Some(Evidence::Refuted(_)));
    Backup {
        id: manifest.id.to_string(),
        instance: manifest.instance.clone(),
        created_at: manifest.latest_date(),
        pinned,
        proven: !is_damaged && evidence.is_some_and(|evidence| evidence.proven().is_some()),
        warned: is_damaged || is_refuted || !manifest.warnings.is_empty(),
        figures: Figures {
            rows: manifest.database.rows.as_ref().map(|rows| rows.rows),
            attachments: manifest.attachments.as_ref().map(|attachments| attachments.counts.rows),
            bytes: Some(manifest.database.dump.plain().size + manifest.filestore.bytes),
        },
    }
}
