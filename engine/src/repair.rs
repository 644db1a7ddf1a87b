//! `repair`: recreates damaged objects if their exact bytes can be recreated, and quarantines
//! backups that cannot be trusted.
//!
//! An object is stored only with the digest that the manifests name, so a repair can damage
//! nothing, and changes no manifest. Nothing is deleted.

mod documents;
mod objects;
mod others;
mod put_back;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;

use self::documents::recreate_checksums;
use self::objects::{Role, recreate, role};
use crate::check::{CheckOptions, CheckReport, Sample, check_all};
use crate::error::{Error, explain};
use crate::manifest::{CHECKSUMS, MANIFEST, Manifest};
use crate::postgres::Tools;
use crate::repository::{BackupId, BackupRef, Lock, Purpose, Repository};
use crate::run::Run;
use crate::store::Key;

/// How an instance is repaired.
#[derive(Debug, Clone)]
pub struct RepairOptions {
    /// Recreate every object that can be recreated, and store nothing.
    pub dry_run: bool,
    /// How much is read back to find damage, in addition to what earlier checks found.
    pub read_data: Option<Sample>,
    /// Where to find pg_restore.
    pub tools: Tools,
    /// Other repositories that may have intact copies, by name.
    pub others: Vec<(String, Repository)>,
}

/// The result of repairing an instance.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Repaired {
    /// How many backups were checked.
    pub backups: u64,
    /// Objects that are intact again.
    pub mended: Vec<Mended>,
    /// Objects that are still damaged.
    pub beyond: Vec<Beyond>,
    /// Backups that were quarantined, from the oldest to the newest.
    pub set_aside: Vec<BackupId>,
    /// Damaged backups that were not quarantined: they lack only lists that a restore does not
    /// need, or the quarantine failed.
    pub left: Vec<BackupId>,
}

/// An object that was recreated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mended {
    /// The object.
    #[serde(rename = "object")]
    pub key: Key,
    /// What was wrong with it.
    pub reasons: Vec<String>,
    /// What it was recreated from, in words.
    pub from: String,
}

/// An object that could not be recreated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Beyond {
    /// The object.
    #[serde(rename = "object")]
    pub key: Key,
    /// What is wrong with it.
    pub reasons: Vec<String>,
    /// Why it could not be recreated.
    pub why: String,
    /// The backups that need it.
    pub backups: Vec<BackupId>,
}

/// Repairs an instance. `filestore` is its live filestore, if it is on this machine.
///
/// # Errors
/// As the cause of [`Error::Verb`]: the instance is locked, the store failed, pg_restore is
/// missing. Objects repaired until then are intact.
pub async fn repair(
    repository: &Repository,
    instance: &str,
    filestore: Option<&Path>,
    options: &RepairOptions,
    run: &Run,
) -> Result<Repaired, Error> {
    let repository = &repository.without_cache();
    let locked = async {
        if options.dry_run {
            return run
                .until_cancelled(carry_out(Repair { repository, instance, filestore, options, lock: None, run }))
                .await;
        }
        let repaired = repository.locked_until_cancelled(instance, Purpose::Repair, run, async |lock| {
            carry_out(Repair { repository, instance, filestore, options, lock: Some(lock), run: lock.run() }).await
        });
        repaired.await
    };
    locked.await.map_err(|error| error.during(format!("repair {instance}")))
}

/// One repair.
#[derive(Clone, Copy)]
struct Repair<'a> {
    repository: &'a Repository,
    instance: &'a str,
    filestore: Option<&'a Path>,
    options: &'a RepairOptions,
    /// `None` in a dry run.
    lock: Option<&'a Lock>,
    run: &'a Run,
}

impl Repair<'_> {
    async fn check(&self, read_data: Option<Sample>) -> Result<CheckReport, Error> {
        let options = CheckOptions { read_data, tools: self.options.tools.clone() };
        check_all(self.repository, Some(self.instance), &options, self.run).await
    }
}

async fn carry_out(repair: Repair<'_>) -> Result<Repaired, Error> {
    let mut repaired = Repaired::default();
    // Without its manifest, nothing is known of a backup's other objects. So the documents come
    // first.
    let mut hopeless: BTreeMap<Key, String> = BTreeMap::new();
    let mut done: BTreeSet<Key> = BTreeSet::new();
    for backup in repair.check(None).await?.backups {
        let documents = backup.damage.iter().filter(|damage| [MANIFEST, CHECKSUMS].contains(&damage.key.name()));
        let documents: Vec<_> = documents.collect();
        let Some(first) = documents.first() else { continue };
        let (keys, from) = match recreate_checksums(&repair, &backup.backup).await? {
            Ok(key) => (vec![key], "the manifest".to_owned()),
            Err(why) => match others::take_documents(&repair, &backup.backup).await? {
                Some(taken) => taken,
                None => {
                    hopeless.insert(first.key.clone(), why);
                    continue;
                }
            },
        };
        done.extend(keys.iter().cloned());
        if repair.lock.is_none() {
            // In a dry run nothing was stored. Of two documents that disagree, the report may name
            // the other one.
            done.extend(documents.iter().map(|damage| damage.key.clone()));
        }
        for key in keys {
            let reasons = documents.iter().map(|damage| damage.reason.clone()).collect();
            repaired.mended.push(Mended { key, reasons, from: from.clone() });
        }
    }
    let report = repair.check(Some(repair.options.read_data.unwrap_or(Sample::DAMAGED_BEFORE))).await?;
    repaired.backups = report.backups.len() as u64;
    let manifests = manifests(&repair, &report).await?;
    let mut damaged = report.damaged_objects();
    // A list is needed to recreate its volume, so lists come first.
    damaged.sort_by_key(|damaged| !damaged.key.name().ends_with(".files.zst"));
    for damaged in damaged {
        if done.contains(&damaged.key) {
            continue;
        }
        let backups: Vec<BackupId> = damaged.backups.into_iter().map(|backup| backup.id).collect();
        let role = backups.iter().filter_map(|id| manifests.get(id)).find_map(|manifest| role(manifest, &damaged.key));
        let mut made = match (hopeless.remove(&damaged.key), &role) {
            (Some(why), _) => Err(why),
            (None, Some(role)) => recreate(&repair, role).await?.map(str::to_owned),
            (None, None) => Err("no other object describes it".to_owned()),
        };
        let mut named = backups.iter().filter_map(|id| manifests.get(id)).flat_map(Manifest::objects);
        if let (Err(_), Some(object)) = (&made, named.find(|object| object.key == damaged.key))
            && let Some(from) = others::take_object(&repair, object).await?
        {
            made = Ok(from);
        }
        let (key, reasons) = (damaged.key, damaged.reasons);
        match made {
            Ok(from) => repaired.mended.push(Mended { key, reasons, from }),
            Err(why) => repaired.beyond.push(Beyond { key, reasons, why, backups }),
        }
    }
    set_aside(&repair, &mut repaired, &manifests).await?;
    if repair.lock.is_some() {
        // What was stored was compared with its digest on the way.
        let noted = repair.repository.note_damage(repair.instance, false, |known| {
            known.retain(|key, _| !repaired.mended.iter().any(|one| one.key == *key));
            // Damage that only quarantined backups need is not reported as open.
            let is_open = |beyond: &Beyond| beyond.backups.iter().any(|id| !repaired.set_aside.contains(id));
            known.retain(|key, _| repaired.beyond.iter().filter(|beyond| beyond.key == *key).all(is_open));
        });
        if let Err(error) = noted.await {
            let reason = explain(&error);
            repair
                .run
                .progress
                .warn(&format!("unable to record what was repaired, so a check must find out: {reason}"));
        }
    }
    Ok(repaired)
}

/// Returns the readable manifests of the damaged backups.
async fn manifests(repair: &Repair<'_>, report: &CheckReport) -> Result<BTreeMap<BackupId, Manifest>, Error> {
    let mut manifests = BTreeMap::new();
    for backup in report.backups.iter().filter(|backup| !backup.damage.is_empty()) {
        match repair.repository.verified_manifest(&backup.backup).await {
            Ok(manifest) => manifests.insert(backup.backup.id.clone(), manifest),
            Err(error) if error.is_of_object() => None,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(manifests)
}

/// Quarantines the backups that need what could not be repaired.
async fn set_aside(
    repair: &Repair<'_>,
    repaired: &mut Repaired,
    manifests: &BTreeMap<BackupId, Manifest>,
) -> Result<(), Error> {
    let damaged: BTreeSet<&BackupId> = repaired.beyond.iter().flat_map(|beyond| &beyond.backups).collect();
    for id in damaged {
        let of_it = || repaired.beyond.iter().filter(|beyond| beyond.backups.contains(id));
        let is_dispensable = |beyond: &Beyond| {
            let role = manifests.get(id).and_then(|manifest| role(manifest, &beyond.key));
            matches!(role, Some(Role::Tables(_) | Role::Attachments))
        };
        let is_later = of_it().any(|beyond| beyond.why == documents::LATER);
        if is_later || of_it().all(is_dispensable) {
            repaired.left.push(id.clone());
            continue;
        }
        if let Some(lock) = repair.lock {
            lock.confirm().await?;
            let backup = BackupRef::new(repair.instance, id.clone());
            match repair.repository.quarantine(&backup).await {
                Ok(()) => {}
                Err(error) if error.is_of_object() => {
                    let reason = explain(&error);
                    repair.run.progress.warn(&format!("unable to quarantine {backup}: {reason}"));
                    repaired.left.push(id.clone());
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        repaired.set_aside.push(id.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
