//! Removes backups and unreferenced objects. At every moment, the remaining backups are complete.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::inventory::Inventory;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::repository::layout::{is_ours, needed};
use crate::repository::{
    BackupId, BackupRef, Lock, ObjectListing, ProofName, Purpose, Repository, RepositoryError, pin_key, proofs_of,
};
use crate::store::{Key, Object};

/// How many objects are deleted before the lock is confirmed again.
const CHUNK: usize = 64;
/// How many objects are deleted at once.
const PARALLEL_DELETES: usize = 8;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Removed {
    /// The removed backups, from the oldest to the newest.
    pub backups: Vec<BackupId>,
    /// Backups that were kept because they are being read.
    pub in_use: Vec<BackupId>,
    /// Objects that were deleted after their manifests.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Unreferenced objects that are younger than the grace period.
    #[serde(rename = "young_objects")]
    pub young: u64,
    /// Their bytes.
    pub young_bytes: u64,
    /// Why no object was deleted, if so: what some backup needs is unknown.
    #[schema(required = true)]
    pub objects_left: Option<String>,
    /// Backups that were kept because the listing omitted a pin or a proof, each with the reason.
    #[serde(skip)]
    pub doubtful: Vec<(BackupId, String)>,
}

/// Removes the backups `doomed`, for the reason `why` in the log, and all unreferenced objects.
pub(super) async fn remove(
    repository: &Repository,
    lock: &Lock,
    instance: &str,
    inventory: Inventory,
    doomed: &[BackupId],
    why: &str,
    grace: Duration,
) -> Result<Removed, Error> {
    let mut removed = Removed::default();
    let readers = Readers::look(repository, lock, instance).await?;
    for id in doomed {
        let backup = BackupRef::new(instance, id.clone());
        if readers.read(id) {
            tracing::info!("kept backup {backup}: it is being read; the next prune removes it");
            removed.in_use.push(id.clone());
            continue;
        }
        lock.confirm().await?;
        if let Some(doubt) = doubt(repository, &backup, &inventory.listed).await? {
            removed.doubtful.push((id.clone(), doubt));
            continue;
        }
        repository.store().delete(&backup.manifest()).await?;
        // The checksums follow immediately: without a manifest they would say that it was lost.
        let checksums = backup.checksums();
        if let Some(size) = inventory.listed.size(&checksums) {
            repository.store().delete(&checksums).await?;
            removed.objects += 1;
            removed.bytes += size;
        }
        tracing::info!("removed backup {backup}: {why}");
        removed.backups.push(id.clone());
    }
    // A reader that started before a manifest was deleted has its claim in the repository now.
    let readers = Readers::look(repository, lock, instance).await?;
    let listed = repository.listed(instance).await?;
    let (gone, kept): (Vec<Manifest>, Vec<Manifest>) =
        inventory.manifests.into_iter().partition(|manifest| removed.backups.contains(&manifest.id));
    let unreadable = inventory.damaged.into_iter().map(|damaged| damaged.backup.id);
    let unreadable: BTreeSet<BackupId> = unreadable.filter(|id| !removed.backups.contains(id)).collect();
    let known: BTreeSet<BackupId> = kept.iter().map(|manifest| manifest.id.clone()).chain(unreadable.clone()).collect();
    if let Some(strange) = listed.backups().find(|id| !known.contains(id)) {
        return Err(RepositoryError::Changed { backup: format!("{instance}/{strange}") }.into());
    }
    let all_known = |id: &BackupId| kept.iter().chain(&gone).any(|manifest| manifest.id == *id);
    removed.objects_left = if let Some(id) = unreadable.first() {
        Some(format!("unable to tell what {instance}/{id} needs: its manifest cannot be read"))
    } else if readers.of_all || !readers.ids.iter().all(all_known) {
        Some("unable to tell what the backups that are being read need".to_owned())
    } else {
        None
    };
    if removed.objects_left.is_some() {
        return Ok(removed);
    }
    let now = lock.now().await;
    let read = gone.iter().filter(|manifest| readers.read(&manifest.id));
    let named: HashSet<Key> = kept.iter().chain(read.clone()).flat_map(needed).collect();
    // A replaced volume is old by its date. Its grace period starts with the replacement, because
    // readers may have started before.
    let is_recent = |manifest: &Manifest, at| readers.read(&manifest.id) || !is_past(at, now, grace);
    let replaced = kept.iter().chain(read).flat_map(|manifest| {
        let replaced = manifest.filestore.volumes.iter().filter_map(|volume| volume.replaces.as_ref());
        replaced.filter(move |replaced| is_recent(manifest, replaced.at))
    });
    let replaced: HashSet<&Key> = replaced.flat_map(|replaced| [&replaced.object, &replaced.list]).collect();
    let aside = repository.quarantined(&listed).await?;
    let is_nobodys = |key: &Key| match ProofName::of(key) {
        Some(proof) => !known.contains(&proof.backup.id) && !aside.has(&proof.backup.id),
        None => is_ours(key) && !named.contains(key) && !aside.keeps(key),
    };
    let unnamed = listed.into_objects().filter(|object| is_nobodys(&object.key));
    let (old, young): (Vec<Object>, Vec<Object>) =
        unnamed.partition(|object| is_past(object.modified, now, grace) && !replaced.contains(&object.key));
    removed.young = young.len() as u64;
    removed.young_bytes = young.iter().map(|object| object.size).sum();
    confirm_gone(repository, old.iter().map(|object| &object.key), &known).await?;
    for chunk in old.chunks(CHUNK) {
        lock.confirm().await?;
        let keys: Vec<Key> = chunk.iter().map(|object| object.key.clone()).collect();
        let deletes = futures::stream::iter(keys).map(|key| async move { repository.store().delete(&key).await });
        deletes.buffer_unordered(PARALLEL_DELETES).try_collect::<Vec<()>>().await?;
        removed.objects += chunk.len() as u64;
        removed.bytes += chunk.iter().map(|object| object.size).sum::<u64>();
    }
    let (backups, objects, bytes) = (removed.backups.len(), removed.objects, removed.bytes);
    tracing::info!(backups, objects, bytes, young = removed.young, "pruned {instance}");
    Ok(removed)
}

/// Returns why a backup must stay although the listing does not show it: the listing may omit a pin
/// or a proof.
async fn doubt(repository: &Repository, backup: &BackupRef, listed: &ObjectListing) -> Result<Option<String>, Error> {
    let pin = pin_key(backup);
    if !listed.has(&pin) && repository.store().head(&pin).await?.is_some() {
        return Ok(Some(format!("{pin} exists, and the listing omits it")));
    }
    let mut proofs = repository.store().list(Some(&proofs_of(backup)));
    while let Some(proof) = proofs.try_next().await? {
        if !listed.has(&proof.key) {
            return Ok(Some(format!("{} exists, and the listing omits it", proof.key)));
        }
    }
    Ok(None)
}

/// Makes sure that the folders of `keys` have no manifest, not even a quarantined one, unless the
/// backup is known: the listing may omit it. Only a definite "not found" counts.
async fn confirm_gone(
    repository: &Repository,
    keys: impl Iterator<Item = &Key>,
    known: &BTreeSet<BackupId>,
) -> Result<(), Error> {
    let folders: BTreeSet<BackupRef> =
        keys.filter_map(BackupRef::of_object).filter(|backup| !known.contains(&backup.id)).collect();
    let looks = folders.into_iter().map(|backup| async move { repository.document_of(&backup).await });
    let found: Vec<Option<Object>> =
        futures::stream::iter(looks).buffer_unordered(PARALLEL_DELETES).try_collect().await?;
    match found.into_iter().flatten().next() {
        None => Ok(()),
        Some(object) => {
            Err(RepositoryError::Incomplete { key: object.key, location: repository.store().location() }.into())
        }
    }
}

/// Returns whether the grace period that started at `since` is over.
fn is_past(since: Timestamp, now: Timestamp, grace: Duration) -> bool {
    now.duration_since(since) > SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX)
}

/// The current readers of the instance's backups.
pub(super) struct Readers {
    ids: BTreeSet<BackupId>,
    /// Whether there is a reader that may read any backup.
    of_all: bool,
}

impl Readers {
    async fn look(repository: &Repository, lock: &Lock, instance: &str) -> Result<Self, RepositoryError> {
        Self::at(repository, lock.now().await, instance).await
    }

    pub(super) async fn at(repository: &Repository, now: Timestamp, instance: &str) -> Result<Self, RepositoryError> {
        let mut readers = Self { ids: BTreeSet::new(), of_all: false };
        for claim in repository.claims(Some(instance)).await?.into_iter().filter(|claim| !claim.is_dead(now)) {
            match claim.claim {
                Some(claim) if claim.purpose != Purpose::Read => {}
                Some(claim) if !claim.backups.is_empty() => readers.ids.extend(claim.backups),
                // An unknown claim of a later version may be a reader's.
                _ => readers.of_all = true,
            }
        }
        Ok(readers)
    }

    pub(super) fn read(&self, id: &BackupId) -> bool {
        self.of_all || self.ids.contains(id)
    }
}
