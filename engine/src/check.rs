//! `check`: whether what the manifests name is there, and, if asked, every byte of it or a part.
//!
//! Damage is a finding, not an error: the check goes on and names all of it. An error is what keeps
//! it from looking.

mod data;
mod known;
mod met;
mod rotation;
mod sample;
mod structure;

use std::collections::{BTreeMap, BTreeSet};

pub use crate::repository::Damage;
pub use sample::{InvalidSample, Sample};

use self::data::{Findings, read_back};
pub(crate) use self::met::{look_again, settle, take_note, warn_of_unwritten, write_down};
use self::structure::{Survey, survey};
use crate::error::Error;
use crate::postgres::Tools;
use crate::repository::{BackupId, BackupRef, Listed, Repository};
use crate::run::Run;
use crate::store::{Key, Object};

/// How deep a check goes.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// How much is read back, rather than looked at by its size alone.
    pub read_data: Option<Sample>,
    /// Where pg_restore is looked for.
    pub tools: Tools,
}

/// What was found of one backup.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The backup.
    pub backup: BackupRef,
    /// Objects that it stands on, those of earlier backups included.
    pub objects: u64,
    /// Their stored size in bytes, together.
    pub bytes: u64,
    /// What is wrong with it; empty where it is sound.
    pub damage: Vec<Damage>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Of each backup.
    pub backups: Vec<Checked>,
    /// Objects that no backup needs, of the instances all of whose backups were looked at. They are
    /// no damage: `prune` comes for them.
    pub unnamed: Vec<Unnamed>,
    /// Backups that a repair has set aside: they are not checked.
    pub set_aside: Vec<BackupRef>,
    /// Backups that are dated in the future. They are checked like others.
    pub future: Vec<BackupRef>,
    /// What is wrong with the repository as a whole, or with what it shows: backups may be missing
    /// from this report.
    pub alarms: Vec<String>,
    /// How much was read back; `None` where nothing was to be.
    pub read: Option<ReadBack>,
}

/// Objects of an instance that no backup needs: of interrupted runs, or of backups that were
/// removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnamed {
    /// The instance.
    pub instance: String,
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How much was read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// Objects that were read now.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Objects that there are to read.
    pub of_objects: u64,
    /// Their stored bytes.
    pub of_bytes: u64,
    /// Those of them that no check has read to this day.
    pub never_read: u64,
    /// When the one of the others was read that was read longest ago.
    pub oldest: Option<jiff::Timestamp>,
}

/// An object that is damaged, and what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedObject {
    /// The object.
    pub key: Key,
    /// What is wrong with it, in sentences.
    pub reasons: Vec<String>,
    /// The backups that need it.
    pub backups: Vec<BackupRef>,
}

impl Report {
    /// Returns whether no damage was found.
    pub fn is_sound(&self) -> bool {
        self.backups.iter().all(|backup| backup.damage.is_empty())
    }

    /// Returns what is damaged, by object.
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

/// Checks backups. An object that several of them stand on is read once.
///
/// # Errors
/// As the cause of [`Error::Verb`], what kept it from looking: the store is not available,
/// pg_restore is missing.
pub async fn check(
    repository: &Repository,
    backups: &[BackupRef],
    options: &CheckOptions,
    run: &Run,
) -> Result<Report, Error> {
    let work = async {
        let mut instances: BTreeMap<&str, Vec<BackupId>> = BTreeMap::new();
        for BackupRef { instance, id } in backups {
            instances.entry(instance).or_default().push(id.clone());
        }
        let mut wanted = Vec::new();
        for (instance, ids) in instances {
            let listed = repository.listed(instance).await?;
            wanted.push(Wanted { ids, lost: Vec::new(), listed, alarms: Vec::new() });
        }
        look(repository, wanted, options, run).await
    };
    run.until_cancelled(work).await.map_err(|error| error.during(format!("check {}", repository.store().location())))
}

/// Checks all backups of one instance, or of all. What is there is listed once.
///
/// # Errors
/// Those of [`check`]
pub async fn check_all(
    repository: &Repository,
    instance: Option<&str>,
    options: &CheckOptions,
    run: &Run,
) -> Result<Report, Error> {
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
                wanted.push(Wanted { ids, lost, listed, alarms });
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

/// What is to be looked at of an instance.
struct Wanted {
    ids: Vec<BackupId>,
    /// Backups whose manifest was lost.
    lost: Vec<BackupId>,
    /// Everything that lies in its folder.
    listed: Listed,
    /// What is wrong with the listing.
    alarms: Vec<String>,
}

/// Looks at backups by what is listed of their instances, and reads of them what is to be read.
async fn look(
    repository: &Repository,
    wanted: Vec<Wanted>,
    options: &CheckOptions,
    run: &Run,
) -> Result<Report, Error> {
    // Who wants to read, reads the manifests as well.
    let repository = if options.read_data.is_some() { &repository.without_cache() } else { repository };
    let mut surveys = Vec::new();
    for wanted in wanted {
        surveys.push(survey(repository, wanted).await?);
    }
    let (findings, read) = match options.read_data {
        None => (Findings::default(), None),
        Some(sample) => {
            let (findings, read) = read_back(repository, &surveys, sample, &options.tools, run).await?;
            (findings, Some(read))
        }
    };
    let mut report = Report { read, ..Report::default() };
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

/// Returns what the look at an instance and the reading say of each backup.
async fn conclude(repository: &Repository, survey: &Survey, findings: &Findings) -> Result<Vec<Checked>, Error> {
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
        // One that was pruned under the check's eyes is no damage.
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
