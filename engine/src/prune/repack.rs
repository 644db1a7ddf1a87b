//! Repacks volumes of which little is needed. At every moment, all backups are complete.
//!
//! The new volume is stored next to the former one, and read back. Then one manifest after the
//! other is changed to name it, each in one step for readers ([`crate::repository::revise`]). The
//! former volume stays until the grace period is over, and is then removed like other unreferenced
//! objects. So readers that started before still find it, and so does a late manifest that names
//! it.

use std::collections::{HashMap, HashSet};
use std::io;

use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use utoipa::ToSchema;

use super::inventory::Inventory;
use super::needs::{Need, little_needed};
use crate::error::Error;
use crate::filestore::{ListedFile, WrittenVolume, compare, read_list, reduce};
use crate::instance::Instance;
use crate::manifest::{Manifest, Replaced, Volume};
use crate::progress::Task;
use crate::repository::{
    BackupId, BackupRef, Damage, Examined, Lock, Replacement, Repository, RepositoryError, damage_by_reading,
    damage_by_store,
};
use crate::store::{Key, StoreErrorKind};
use crate::stream::Fingerprint;

/// How many volumes are written before the manifests are changed. An interrupted run loses at most
/// these.
const BATCH: usize = 16;
/// How many volumes are written at once.
const PARALLEL: usize = 2;

/// The volumes of which little is needed, and what was done about them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Repacked {
    /// Those volumes by key.
    pub volumes: Vec<RepackedVolume>,
    /// Backups that now reference other volumes.
    pub backups: Vec<BackupId>,
    /// Backups that still reference the former volumes: their manifests are not in the form that
    /// this version writes.
    pub unchanged: Vec<BackupId>,
    /// Objects that turned out to be damaged. The volumes that they belong to were not repacked.
    pub damage: Vec<Damage>,
    /// Why nothing was examined.
    #[schema(required = true)]
    pub left: Option<String>,
}

impl Repacked {
    /// Returns what the operator should know, in sentences.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let damage = self.damage.iter().map(|Damage { key, reason }| {
            format!("{key} is damaged and was not repacked: {reason}; run `odoo-backup check --read-data` to see which backups are affected")
        });
        let unchanged = self.unchanged.iter().map(|id| {
            format!(
                "{id} still references its former volumes: its manifest is not in the form that this version writes"
            )
        });
        damage.chain(unchanged)
    }
}

/// A volume of which few files are needed. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RepackedVolume {
    /// Its archive.
    #[serde(rename = "volume")]
    pub key: Key,
    /// What it and its list take.
    pub stored_bytes: u64,
    /// How many files it has.
    pub files: u64,
    /// How many of them are needed.
    pub needed_files: u64,
    /// Their length together.
    pub bytes: u64,
    /// The length of those that are needed.
    pub needed_bytes: u64,
    /// What the repository saves once the former volume has gone. An estimate where no volume took
    /// its place yet.
    #[serde(rename = "saves_bytes")]
    pub saves: u64,
    /// The volume that took its place. Null if nothing was done.
    #[schema(required = true)]
    pub by: Option<Key>,
}

impl RepackedVolume {
    fn of(need: &Need) -> Self {
        let volume = &need.volume;
        let stored_bytes = stored(volume);
        let needed = u128::from(stored_bytes) * u128::from(need.bytes) / u128::from(volume.bytes.max(1));
        Self {
            key: volume.object.key.clone(),
            stored_bytes,
            files: volume.files,
            needed_files: need.files,
            bytes: volume.bytes,
            needed_bytes: need.bytes,
            saves: stored_bytes.saturating_sub(u64::try_from(needed).unwrap_or(u64::MAX)),
            by: None,
        }
    }
}

fn stored(volume: &Volume) -> u64 {
    volume.object.stored.size + volume.list.stored.size
}

/// Returns what would be repacked once the backups `doomed` are gone.
///
/// # Errors
/// Any error of the store
pub(super) async fn plan(
    repository: &Repository,
    instance: &Instance,
    inventory: &Inventory,
    doomed: &[BackupId],
) -> Result<(Repacked, Vec<Need>), Error> {
    if let Some(damaged) = inventory.damaged.first() {
        let left = Some(format!("unable to tell what {} needs: its manifest cannot be read", damaged.backup));
        return Ok((Repacked { left, ..Repacked::default() }, Vec::new()));
    }
    let kept = inventory.manifests.iter().filter(|manifest| !doomed.contains(&manifest.id));
    let kept: Vec<Manifest> = kept.cloned().collect();
    let needs = match little_needed(repository, &kept, instance.retention.repack_below()).await? {
        Examined::Intact(needs) => needs,
        Examined::Damaged(damage) => return Ok((Repacked { damage: vec![damage], ..Repacked::default() }, Vec::new())),
    };
    let aside = repository.quarantined(&inventory.listed).await?;
    let can_be = |need: &Need| {
        let volume = &need.volume;
        // A quarantined backup is not changed, and keeps what it names. A volume is not repacked
        // again before the former one is gone: only that volume says how long the former must stay.
        let has_former = volume.replaces.as_ref().is_some_and(|former| inventory.listed.has(&former.object));
        !aside.keeps(&volume.object.key) && !has_former
    };
    let needs: Vec<Need> = needs.into_iter().filter(can_be).collect();
    Ok((Repacked { volumes: needs.iter().map(RepackedVolume::of).collect(), ..Repacked::default() }, needs))
}

/// Repacks volumes of which little is needed, and makes the backups reference the new ones.
///
/// # Errors
/// Any error of the store; the lock was lost. The rest is left for the next run.
pub(super) async fn repack(repository: &Repository, lock: &Lock, instance: &Instance) -> Result<Repacked, Error> {
    // The repository itself decides what is changed, not the cache.
    let inventory = Inventory::take(&repository.without_cache(), &instance.name, true).await?;
    let (mut repacked, needs) = plan(repository, instance, &inventory, &[]).await?;
    for batch in needs.chunks(BATCH) {
        let mut replacements = Vec::new();
        for need in batch {
            if let Some(next) = already_written(repository, &inventory.manifests, need).await? {
                replacements.push(Replacement { former: need.volume.object.key.clone(), next });
            }
        }
        let is_written = |need: &&Need| replacements.iter().any(|one| one.former == need.volume.object.key);
        // Collected first: a closure in the stream would keep the future from being a task of its
        // own (rust-lang/rust#102211).
        let writes: Vec<_> = batch
            .iter()
            .filter(|need| !is_written(need))
            .map(|need| rewrite(repository, lock, instance, need))
            .collect();
        let written: Vec<_> = futures::stream::iter(writes).buffered(PARALLEL).try_collect().await?;
        for outcome in written {
            match outcome {
                Examined::Intact(replacement) => replacements.push(replacement),
                Examined::Damaged(damage) => repacked.damage.push(damage),
            }
        }
        switch(repository, lock, &inventory.manifests, replacements, &mut repacked).await?;
    }
    repacked.backups.sort();
    repacked.backups.dedup();
    Ok(repacked)
}

/// Changes every backup that references one of the former volumes to reference its replacement.
async fn switch(
    repository: &Repository,
    lock: &Lock,
    manifests: &[Manifest],
    mut replacements: Vec<Replacement>,
    repacked: &mut Repacked,
) -> Result<(), Error> {
    let at = lock.now().await;
    for Replacement { next, .. } in &mut replacements {
        next.replaces.iter_mut().for_each(|replaced| replaced.at = at);
    }
    let mut stay: HashSet<&Key> = HashSet::new();
    for manifest in manifests {
        let named: Vec<Replacement> = replacements
            .iter()
            .filter(|one| manifest.filestore.volumes.iter().any(|volume| volume.object.key == one.former))
            .cloned()
            .collect();
        if named.is_empty() {
            continue;
        }
        if repository.revise(lock, &manifest.backup(), &named).await? {
            repacked.backups.push(manifest.id.clone());
        } else {
            repacked.unchanged.push(manifest.id.clone());
            stay.extend(
                replacements.iter().map(|one| &one.former).filter(|key| named.iter().any(|one| one.former == **key)),
            );
        }
    }
    for Replacement { former, next } in &replacements {
        let Some(volume) = repacked.volumes.iter_mut().find(|volume| volume.key == *former) else { continue };
        volume.by = Some(next.object.key.clone());
        volume.saves = if stay.contains(former) { 0 } else { volume.stored_bytes.saturating_sub(stored(next)) };
    }
    Ok(())
}

/// Returns the replacement that an interrupted run wrote for a volume, if it contains everything
/// needed. The run may have happened in the repository that a backup was copied from.
async fn already_written(
    repository: &Repository,
    manifests: &[Manifest],
    need: &Need,
) -> Result<Option<Volume>, Error> {
    let former = &need.volume.object.key;
    let mut volumes = manifests.iter().flat_map(|manifest| &manifest.filestore.volumes);
    let takes_its_place = |volume: &&Volume| volume.replaces.as_ref().is_some_and(|one| one.object == *former);
    let Some(next) = volumes.find(takes_its_place) else { return Ok(None) };
    let (Examined::Intact(wanted), Examined::Intact(held)) =
        (wanted(repository, need).await?, fingerprints(repository, next).await?)
    else {
        return Ok(None);
    };
    let is_held = |file: ListedFile| {
        let (path, expected) = file.fingerprint();
        held.get(&path) == Some(&expected)
    };
    if !wanted.into_values().all(is_held) {
        return Ok(None);
    }
    Ok(read_back(repository, next, held).await?.is_none().then(|| next.clone()))
}

/// Writes what is needed of a volume into a new one next to it, and reads it back.
async fn rewrite(
    repository: &Repository,
    lock: &Lock,
    instance: &Instance,
    need: &Need,
) -> Result<Examined<Replacement>, Error> {
    let former = &need.volume;
    let wanted = match wanted(repository, need).await? {
        Examined::Intact(wanted) => wanted,
        Examined::Damaged(damage) => return Ok(Examined::Damaged(damage)),
    };
    let Some(backup) = BackupRef::of_object(&former.object.key) else {
        let reason = "it is not in a backup's folder".to_owned();
        return Ok(Examined::Damaged(Damage { key: former.object.key.clone(), reason }));
    };
    lock.confirm().await?;
    let draft = repository.draft_in(backup);
    let stored = async {
        // Random, so that two repositories with copies of one volume never give their replacements
        // the same name.
        let number = getrandom::u64().map_err(RepositoryError::Random)? % 10_u64.pow(16);
        let name = format!("filestore-{number:016}");
        let body = match repository.store().get(&former.object.key, None).await {
            Ok(body) => body,
            Err(error) => return Ok(Examined::Damaged(damage_by_store::<Error>(error)?)),
        };
        let expected: HashMap<String, Fingerprint> = wanted.values().cloned().map(ListedFile::fingerprint).collect();
        let task = lock.run().progress.task(former.object.key.as_str(), Some(former.object.plain.size));
        let fingerprints_of = (former.object.plain, former.object.stored);
        let volume = reduce(
            body,
            fingerprints_of,
            wanted,
            (instance.compression_level, repository.description().list_form()),
            task,
        );
        let (object, WrittenVolume { files, bytes, list }) = match draft.add(&format!("{name}.tar.zst"), volume).await {
            Ok(added) => added,
            Err(error) => match *error.kind {
                StoreErrorKind::Source(error) => {
                    return Ok(Examined::Damaged(damage_by_reading::<Error>(&former.object.key, error)?));
                }
                _ => return Err(error.into()),
            },
        };
        let (list, ()) = draft.add(&format!("{name}.files.zst"), list).await?;
        let replaces =
            Replaced { object: former.object.key.clone(), list: former.list.key.clone(), at: lock.now().await };
        let next = Volume { files, bytes, object, list, replaces: Some(replaces) };
        let damage = match fingerprints(repository, &next).await? {
            Examined::Intact(held) if held == expected => read_back(repository, &next, held).await?,
            Examined::Intact(_) => {
                Some(Damage { key: next.list.key.clone(), reason: "it does not list the needed files".to_owned() })
            }
            Examined::Damaged(damage) => Some(damage),
        };
        match damage {
            None => Ok(Examined::Intact(Replacement { former: former.object.key.clone(), next })),
            // If an object that was just stored is damaged, the store cannot be trusted.
            Some(Damage { key, reason }) => {
                let location = repository.store().location();
                Err(RepositoryError::Damaged { key, location, reason }.into())
            }
        }
    };
    let outcome = stored.await;
    if !matches!(outcome, Ok(Examined::Intact(_))) {
        // If the objects cannot be deleted, a later prune removes them. The first failure counts.
        let _ = draft.discard().await;
    }
    outcome
}

/// Returns the needed files of a volume by path.
async fn wanted(repository: &Repository, need: &Need) -> Result<Examined<HashMap<String, ListedFile>>, Error> {
    let (needed, bounds) = (need.needed.clone(), need.volume.bounds());
    let listed = repository.examine(&need.volume.list, Task::default(), move |list| {
        let files = read_list(list, bounds).zip(needed).filter(|(_, needed)| *needed);
        files.map(|(file, _)| file.map(|file| (file.path.clone(), file))).collect::<io::Result<HashMap<_, _>>>()
    });
    Ok(listed.await?)
}

/// Returns what a volume's list says of each file.
async fn fingerprints(
    repository: &Repository,
    volume: &Volume,
) -> Result<Examined<HashMap<String, Fingerprint>>, Error> {
    let bounds = volume.bounds();
    let listed = repository.examine(&volume.list, Task::default(), move |list| {
        read_list(list, bounds).map(|file| file.map(ListedFile::fingerprint)).collect::<io::Result<HashMap<_, _>>>()
    });
    Ok(listed.await?)
}

/// Reads a volume, and compares it with its list.
async fn read_back(
    repository: &Repository,
    volume: &Volume,
    listed: HashMap<String, Fingerprint>,
) -> Result<Option<Damage>, Error> {
    let object = &volume.object;
    let compared = repository.examine(object, Task::default(), |archive| compare(archive, listed));
    Ok(match compared.await? {
        Examined::Intact(None) => None,
        Examined::Intact(Some(reason)) => Some(Damage { key: object.key.clone(), reason }),
        Examined::Damaged(damage) => Some(damage),
    })
}
