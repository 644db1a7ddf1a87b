//! How an instance is, in a word, and what is wrong, in sentences.

use engine::error::Explanation;
use engine::repository::ProofOutcome;
use jiff::Timestamp;
use serde::Serialize;

use super::facts::InstanceFacts;
use crate::agenda::Job;
use crate::journal::Outcome;
use crate::staleness::Since;
use crate::view::{InstanceView, JobView};

/// How an instance is; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// The repository has not been read.
    Unknown,
    /// The latest backup failed.
    Failing,
    /// There is no good backup.
    Empty,
    /// Its newest good backup is older than it may be.
    Stale,
    /// Its newest backup is good; something else should be looked at.
    Warning,
    /// All is as it should be.
    Ok,
}

#[derive(Debug)]
pub(super) struct Condition {
    pub(super) state: State,
    pub(super) problems: Vec<String>,
}

impl Condition {
    /// Of what the journal says, and what is known of the repository; `unread` says why that is not known.
    pub(super) fn of(
        view: &InstanceView,
        facts: Option<&InstanceFacts>,
        unread: Option<&Explanation>,
        now: Timestamp,
    ) -> Self {
        let mut found: Vec<(State, String)> = Vec::new();
        for job in &view.jobs {
            if let Some(failure) = lasting_failure(job) {
                let state = if job.job == Job::Backup { State::Failing } else { State::Warning };
                found.push((state, format!("the last {} {failure}", job.job)));
            }
        }
        match facts {
            None => {
                let why = unread.map_or_else(|| "not yet".to_owned(), ToString::to_string);
                found.push((State::Unknown, format!("the repository has not been read: {why}")));
            }
            Some(facts) => {
                found.extend(of_backups(facts));
                found.extend(staleness(view, facts, now).map(|text| (State::Stale, text)));
                if let Some(error) = unread {
                    found.push((State::Warning, format!("the repository could not be read anew: {error}")));
                }
            }
        }
        found.sort_by_key(|(state, _)| *state);
        let state = found.first().map_or(State::Ok, |(state, _)| *state);
        Self { state, problems: found.into_iter().map(|(_, problem)| problem).collect() }
    }
}

/// How the job failed, where it did not go well since.
fn lasting_failure(job: &JobView) -> Option<String> {
    let failure = job.latest_failure.as_ref()?;
    if job.latest_success.as_ref().is_some_and(|success| success.id > failure.id) {
        return None;
    }
    Some(match &failure.outcome {
        Some(Outcome::Failed { error, .. }) => format!("failed: {error}"),
        _ => "broke off: the daemon ended while it ran".to_owned(),
    })
}

fn of_backups(facts: &InstanceFacts) -> Vec<(State, String)> {
    let mut found = Vec::new();
    let flawed = facts.backups.iter().filter(|backup| backup.is_future || backup.is_damaged);
    let flawed: Vec<_> = flawed.collect();
    if let [first, rest @ ..] = flawed.as_slice() {
        // Of a newest backup that is no good one it must not be said that all is well.
        let is_newest = facts.backups.first().is_some_and(|newest| newest.brief.id == first.brief.id);
        let state = if is_newest { State::Failing } else { State::Warning };
        let more = if rest.is_empty() { String::new() } else { format!("; and {} more are not good", rest.len()) };
        found.push((state, format!("{}: {}{more}", first.brief.id, first.flaws.join("; "))));
    }
    found.extend(facts.alarms.iter().map(|alarm| (State::Failing, alarm.clone())));
    found.extend(facts.clocks.disagreement().map(|text| (State::Warning, text)));
    let mut warn = |text: String| found.push((State::Warning, text));
    if let [first, ..] = facts.damaged.as_slice() {
        let count = facts.damaged.len();
        warn(format!("the manifests of {count} backups cannot be read, the first is {}: {}", first.id, first.error));
    }
    let refuted = facts.backups.iter().filter_map(|backup| Some((backup, backup.proof.as_ref()?)));
    for (backup, _) in refuted.filter(|(_, proof)| proof.outcome == ProofOutcome::Failed) {
        warn(format!("a restored copy of {} was not what had been backed up", backup.brief.id));
    }
    match &facts.plan {
        Ok(plan) => plan.holds.iter().for_each(|hold| warn(format!("no backup is removed: {hold}"))),
        Err(error) => warn(format!("no backup is removed: {error}")),
    }
    match facts.backups.first() {
        Some(newest) => newest.brief.warnings.iter().for_each(|warning| warn(format!("the newest backup: {warning}"))),
        None => found.push((State::Empty, "there is no backup yet".to_owned())),
    }
    if !facts.backups.is_empty() && facts.newest_good().is_none() {
        found.push((State::Empty, "none of its backups is good".to_owned()));
    }
    found
}

fn staleness(view: &InstanceView, facts: &InstanceFacts, now: Timestamp) -> Option<String> {
    let newest = facts.newest_good()?.brief.created_at;
    // By the repository's clock where this machine's is wrong: set back, it would make a backup young again.
    let now = now.checked_sub(facts.clocks.ahead()).unwrap_or(now);
    view.staleness(Since::Backup(newest), now).map(|staleness| staleness.to_string())
}
