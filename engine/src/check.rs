//! `check`: finds out whether the objects that the manifests name exist and, on request, reads all
//! or part of their bytes.
//!
//! Damage is a finding, not an error: the check continues and reports all of it. An error is what
//! prevents the check.

mod data;
mod known;
mod met;
mod rotation;
mod sample;
mod structure;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub use crate::repository::Damage;
pub use sample::{InvalidSample, Sample};

use self::data::{ReadFindings, read_back};
pub(crate) use self::met::{look_again, settle, take_note, warn_of_unwritten, write_down};
use self::structure::{Survey, survey};
use crate::error::Error;
use crate::postgres::Tools;
use crate::repository::{BackupId, BackupRef, ObjectListing, Repository};
use crate::run::Run;
use crate::store::{Key, Object};

/// How deep a check goes.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// How much is read back. Otherwise only sizes are compared.
    pub read_data: Option<Sample>,
    /// Where to find pg_restore.
    pub tools: Tools,
}

/// The result for one backup.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CheckedBackup)]
pub struct Checked {
    /// The backup.
    #[serde(flatten)]
    pub backup: BackupRef,
    /// How many objects it references, including those of earlier backups.
    pub objects: u64,
    /// Their stored bytes together.
    pub bytes: u64,
    /// Its damage. Empty if it is intact.
    pub damage: Vec<Damage>,
}

/// The result of a check.
#[derive(Debug, Clone, Default)]
pub struct CheckReport {
    /// The result for each backup.
    pub backups: Vec<Checked>,
    /// Objects that no backup needs, for instances of which all backups were checked. They are not
    /// damage: `prune` removes them.
    pub unnamed: Vec<Unnamed>,
    /// Quarantined backups, which are not checked.
    pub set_aside: Vec<BackupRef>,
    /// Backups that are dated in the future. They are checked like others.
    pub future: Vec<BackupRef>,
    /// Problems of the repository or its listing: backups may be missing from this report.
    pub alarms: Vec<String>,
    /// How much was read back. `None` if nothing was requested.
    pub read: Option<ReadBack>,
}

/// Objects of an instance that no backup needs. Interrupted runs or removed backups left them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Unnamed {
    /// The instance.
    pub instance: String,
    /// How many objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How much was read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadBack {
    /// How many objects were read now.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// How many objects there are to read.
    pub of_objects: u64,
    /// Their stored bytes.
    pub of_bytes: u64,
    /// How many of them no check has ever read.
    pub never_read: u64,
    /// When the least recently read of the others was read.
    #[schema(required = true)]
    pub oldest: Option<jiff::Timestamp>,
}

/// A damaged object, and the backups that it affects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DamagedObject {
    /// The object.
    #[serde(rename = "object")]
    pub key: Key,
    /// The reasons, in sentences.
    pub reasons: Vec<String>,
    /// The backups that need it.
    #[serde(serialize_with = "in_words")]
    #[schema(value_type = Vec<String>)]
    pub backups: Vec<BackupRef>,
}

/// Writes backups as `INSTANCE/ID`.
fn in_words<S: Serializer>(backups: &[BackupRef], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(backups.iter().map(ToString::to_string))
}

impl CheckReport {
    /// Returns whether no damage was found.
    pub fn is_sound(&self) -> bool {
        self.backups.iter().all(|backup| backup.damage.is_empty())
    }

    /// Returns the damage by object.
    pub fn damaged_objects(&self) -> Vec<DamagedObject> {
        let mut objects: BTreeMap<&Key, DamagedObject> = BTreeMap::new();
        for backup in &self.backups {
            for Damage { key, reason } in &backup.damage {
                let new = || DamagedObject { key: key.clone(), reasons: Vec::new(), backups: Vec::new() };
                let object = objects.entry(key).or_insert_with(new);
                if !object.reasons.contains(reason) {
                    object.reasons.push(reason.clone());
                }
                if object.backups.last() != Some(&backup.backup) {
                    object.backups.push(backup.backup.clone());
                }
            }
        }
        objects.into_values().collect()
    }
}

/// Checks backups. An object that several backups reference is read once.
///
/// # Errors
/// What prevented the check, as the cause of [`Error::Verb`]: the store is not available,
/// pg_restore is missing
pub async fn check(
    repository: &Repository,
    backups: &[BackupRef],
    options: &CheckOptions,
    run: &Run,
) -> Result<CheckReport, Error> {
    let work = async {
        let mut instances: BTreeMap<&str, Vec<BackupId>> = BTreeMap::new();
        for BackupRef { instance, id } in backups {
            instances.entry(instance).or_default().push(id.clone());
        }
        let mut wanted = Vec::new();
        for (instance, ids) in instances {
            let listed = repository.listed(instance).await?;
            wanted.push(InstanceCheck { ids, lost: Vec::new(), listed, alarms: Vec::new() });
        }
        look(repository, wanted, options, run).await
    };
    run.until_cancelled(work).await.map_err(|error| error.during(format!("check {}", repository.store().location())))
}

/// Checks all backups of one instance, or of all instances. Lists each instance once.
///
/// # Errors
/// Those of [`check`]
pub async fn check_all(
    repository: &Repository,
    instance: Option<&str>,
    options: &CheckOptions,
    run: &Run,
) -> Result<CheckReport, Error> {
    let work = async {
        let (mut wanted, mut marked) = (Vec::new(), BTreeSet::new());
        for (instance, mut listed) in repository.listed_by_instance(instance).await? {
            let gaps = repository.gaps(&listed, false).await?;
            let unlisted: Vec<Object> = gaps.unlisted.iter().map(|unlisted| unlisted.object.clone()).collect();
            let mut alarms: Vec<String> = Vec::new();
            for object in unlisted {
                alarms.push(format!("a listing omitted {}, which exists", object.key));
                listed.insert(object);
            }
            let ids: Vec<BackupId> = listed.backups().collect();
            let is_one = !ids.is_empty() || listed.quarantined().next().is_some();
            let lost: Vec<BackupId> = gaps.lost.into_iter().map(|backup| backup.id).collect();
            if listed.has_traces() {
                marked.insert(instance);
            }
            if is_one || !lost.is_empty() {
                wanted.push(InstanceCheck { ids, lost, listed, alarms });
            }
        }
        let shown: BTreeSet<String> = wanted.iter().map(|wanted| wanted.listed.instance().to_owned()).collect();
        let vanished = repository.vanished(instance, &shown, &marked).await?;
        let mut report = look(repository, wanted, options, run).await?;
        report.alarms.extend(vanished.into_iter().map(|alarm| format!("{}: {}", alarm.instance, alarm.message)));
        Ok::<_, Error>(report)
    };
    run.until_cancelled(work).await.map_err(|error| error.during(format!("check {}", repository.store().location())))
}

/// What to check of an instance.
struct InstanceCheck {
    ids: Vec<BackupId>,
    /// Backups whose manifest was lost.
    lost: Vec<BackupId>,
    /// All objects in its folder.
    listed: ObjectListing,
    /// Problems of the listing.
    alarms: Vec<String>,
}

/// Checks backups by the listings of their instances, and reads what is to be read.
async fn look(
    repository: &Repository,
    wanted: Vec<InstanceCheck>,
    options: &CheckOptions,
    run: &Run,
) -> Result<CheckReport, Error> {
    // A check that reads objects also reads the manifests from the repository.
    let repository = if options.read_data.is_some() { &repository.without_cache() } else { repository };
    let mut surveys = Vec::new();
    for wanted in wanted {
        surveys.push(survey(repository, wanted).await?);
    }
    let (findings, read) = match options.read_data {
        None => (ReadFindings::default(), None),
        Some(sample) => {
            let (findings, read) = read_back(repository, &surveys, sample, &options.tools, run).await?;
            (findings, Some(read))
        }
    };
    let mut report = CheckReport { read, ..CheckReport::default() };
    let clocks = repository.clocks().await;
    report.alarms.extend(clocks.disagreement());
    for survey in surveys {
        report.unnamed.extend(survey.unnamed());
        report.set_aside.extend(survey.aside.ids().map(|id| BackupRef::new(survey.instance(), id.clone())));
        let future = survey.backups.iter().filter(|backup| backup.is_future(clocks.now()));
        report.future.extend(future.map(|backup| backup.backup.clone()));
        report.alarms.extend(survey.alarms.iter().cloned());
        let mut checked = conclude(repository, &survey, &findings).await?;
        if !known::conclude(repository, &survey, &findings, options.read_data, &mut checked, run).await? {
            let hint = "run `odoo-backup check --read-data` to find it again";
            report.alarms.push(format!("{}: unable to tell what damage was found before; {hint}", survey.instance()));
        }
        report.backups.extend(checked);
    }
    Ok(report)
}

/// Returns the result for each backup of an instance, from the survey and from what was read.
async fn conclude(repository: &Repository, survey: &Survey, findings: &ReadFindings) -> Result<Vec<Checked>, Error> {
    let mut all = Vec::new();
    for backup in &survey.backups {
        let (name, damage) = (backup.backup.clone(), backup.damage.clone());
        let mut checked = Checked { backup: name, objects: 0, bytes: 0, damage };
        if let Some(manifest) = &backup.manifest {
            checked.objects = manifest.objects().count() as u64;
            checked.bytes = manifest.objects().map(|object| object.stored.size).sum();
            checked.damage.extend(manifest.objects().flat_map(|object| findings.of(object)).cloned());
        }
        checked.damage.sort();
        checked.damage.dedup();
        // A backup that was pruned during the check is not damaged.
        let manifest = checked.backup.manifest();
        let is_there =
            backup.is_lost || checked.damage.is_empty() || repository.store().head(&manifest).await?.is_some();
        if is_there {
            all.push(checked);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
