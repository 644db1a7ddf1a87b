//! What the repository shows about an instance, as far as its condition depends on it.

use std::collections::BTreeMap;

use config::explain;
use engine::error::Explanation;
use engine::prune::Plan;
use engine::repository::{BackupId, Clocks, Flaw, Listing};
use engine::store::StoreError;
use jiff::Timestamp;

use super::reason::{ConditionReason, ReasonKind};
use crate::agenda::Job;
use crate::staleness::Since;
use crate::view::InstanceView;

/// The most backups of an instance that are listed one by one.
const NAMED: usize = 3;

/// What the repository shows about an instance's backups.
#[derive(Debug, Clone, Default)]
pub struct Backups {
    /// The newest readable one, and its warnings.
    pub newest: Option<(BackupId, Vec<String>)>,
    /// The time that the newest good one shows.
    pub newest_good: Option<Timestamp>,
    /// The flaws of backups, newest first.
    pub flaws: Vec<(BackupId, Flaw)>,
    /// Why manifests cannot be read.
    pub unreadable: Vec<Explanation>,
    /// Folders that cannot be read, and why.
    pub unreadable_folders: Vec<String>,
    /// What is wrong with the listing.
    pub alarms: Vec<String>,
    /// When it was listed.
    pub clocks: Clocks,
    /// Why retention removes nothing, in sentences.
    pub holds: Vec<String>,
}

impl Backups {
    /// Returns what a listing shows about each instance in it, whether or not the configuration has
    /// it.
    pub fn by_instance(listing: &Listing) -> BTreeMap<String, Self> {
        fn entry<'a>(all: &'a mut BTreeMap<String, Backups>, instance: &str) -> &'a mut Backups {
            all.entry(instance.to_owned()).or_default()
        }
        let mut all = BTreeMap::new();
        for (instance, newest) in listing.newest_good() {
            entry(&mut all, instance).newest_good = Some(newest.created_at);
        }
        for backup in listing.backups.iter().rev() {
            let own = entry(&mut all, &backup.instance);
            own.newest.get_or_insert_with(|| (backup.id.clone(), backup.all_warnings()));
            own.flaws.extend(listing.flaws(backup).into_iter().map(|flaw| (backup.id.clone(), flaw)));
        }
        for damaged in &listing.damaged {
            entry(&mut all, &damaged.backup.instance).unreadable.push(explain(&damaged.error));
        }
        for (instance, error) in listing.unreadable.iter().filter_map(|error| Some((instance_of(error)?, error))) {
            entry(&mut all, instance).unreadable_folders.push(explain(error).with_hint());
        }
        for alarm in &listing.alarms {
            entry(&mut all, &alarm.instance).alarms.push(alarm.message.clone());
        }
        all.values_mut().for_each(|own| own.clocks = listing.clocks);
        all
    }

    /// Returns what a listing shows of one instance.
    pub fn of(instance: &str, listing: &Listing) -> Self {
        let own = Self::by_instance(listing).remove(instance);
        own.unwrap_or_else(|| Self { clocks: listing.clocks, ..Self::default() })
    }

    /// Adds what retention says: its plan, or why it cannot make one.
    pub fn with_plan(mut self, plan: Result<&Plan, &Explanation>) -> Self {
        self.holds = match plan {
            Ok(plan) => plan.holds.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        };
        self
    }

    /// Returns the problems of existing backups.
    pub fn reasons(&self) -> Vec<ConditionReason> {
        let mut reasons = Vec::new();
        let mut add = |kind, messages: Vec<String>, others: &str| {
            let more = messages.len().saturating_sub(NAMED);
            reasons.extend(messages.into_iter().take(NAMED).map(|message| ConditionReason::new(kind, message)));
            reasons.extend((more > 0).then(|| ConditionReason::new(kind, format!("{more} more {others}"))));
        };
        add(ReasonKind::Listing, self.alarms.clone(), "problems with the listing of the repository");
        add(ReasonKind::Clock, self.clocks.disagreement().into_iter().collect(), "");
        add(ReasonKind::FolderUnreadable, self.unreadable_folders.clone(), "of its folders cannot be read");
        for kind in [ReasonKind::BackupDamaged, ReasonKind::BackupFuture, ReasonKind::BackupRefuted] {
            let flaws = self.flaws.iter().filter(|(_, flaw)| kind_of(flaw) == kind);
            let others = match kind {
                ReasonKind::BackupDamaged => "of its backups are damaged",
                ReasonKind::BackupFuture => "of its backups are dated in the future",
                _ => "of its backups failed verification",
            };
            add(kind, flaws.map(|(id, flaw)| format!("{id}: {flaw}")).collect(), others);
        }
        add(
            ReasonKind::ManifestUnreadable,
            self.unreadable.iter().map(ToString::to_string).collect(),
            "of its manifests cannot be read",
        );
        let holds = self.holds.iter().map(|hold| format!("no backup is removed: {hold}"));
        reasons.extend(holds.map(|message| ConditionReason::new(ReasonKind::RetentionHeld, message)));
        reasons
    }

    /// Returns what the newest backup warned of.
    pub(super) fn warnings(&self) -> Option<ConditionReason> {
        let (id, warnings) = self.newest.as_ref().filter(|(_, warnings)| !warnings.is_empty())?;
        let number = match warnings.len() {
            1 => "1 warning".to_owned(),
            several => format!("{several} warnings"),
        };
        let text = format!("the newest backup, {id}, has {number}: {}", warnings.join("; "));
        Some(ConditionReason::new(ReasonKind::BackupWarnings, text))
    }

    /// Returns whether there is no good backup, or no recent one.
    pub(super) fn lack(&self, view: &InstanceView, now: Timestamp) -> Option<ConditionReason> {
        if let Some(newest) = self.newest_good {
            // Uses the repository's clock if this machine's is wrong: a clock that was set back
            // would make a backup young again.
            let now = now.checked_sub(self.clocks.ahead()).unwrap_or(now);
            let staleness = view.staleness(Since::Backup(newest), now);
            return staleness.map(|staleness| ConditionReason::new(ReasonKind::Stale, staleness.to_string()));
        }
        let is_made = view.jobs.iter().any(|job| job.job == Job::Backup && job.running.is_some());
        match (is_made, &self.newest) {
            (true, _) => None,
            (false, None) => Some(ConditionReason::new(ReasonKind::NoBackup, "there is no backup")),
            (false, Some(_)) => Some(ConditionReason::new(ReasonKind::NoGoodBackup, "none of its backups is good")),
        }
    }
}

fn kind_of(flaw: &Flaw) -> ReasonKind {
    match flaw {
        Flaw::Damaged(_) => ReasonKind::BackupDamaged,
        Flaw::Future => ReasonKind::BackupFuture,
        Flaw::Refuted => ReasonKind::BackupRefuted,
    }
}

/// Returns the instance in whose folder something cannot be read.
fn instance_of(error: &StoreError) -> Option<&str> {
    error.key.as_ref()?.segments().next()
}

/// Returns what is wrong with the repository as a whole, by a listing of all of it.
pub fn of_repository(listing: &Listing) -> Vec<ConditionReason> {
    let clock = listing.clocks.disagreement().map(|message| ConditionReason::new(ReasonKind::Clock, message));
    let folders = listing.unreadable.iter().filter(|error| instance_of(error).is_none());
    let folders = folders.map(|error| ConditionReason::new(ReasonKind::FolderUnreadable, explain(error).with_hint()));
    clock.into_iter().chain(folders).collect()
}
