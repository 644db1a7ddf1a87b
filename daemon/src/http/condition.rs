//! How an instance is, in a word, and what is wrong, in sentences.

use engine::config::Instance;
use engine::error::Explanation;
use engine::repository::ProofOutcome;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::facts::InstanceFacts;
use crate::agenda::Job;
use crate::journal::Outcome;
use crate::view::{InstanceView, JobView};

/// How an instance is; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// The repository has not been read.
    Unknown,
    /// The latest backup failed.
    Failing,
    /// There is no backup.
    Empty,
    /// There is no backup as young as the schedule should have made.
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
        instance: &Instance,
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
                found.extend(staleness(instance, view, facts, now).map(|text| (State::Stale, text)));
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
    found
}

/// Whether the newest backup is older than one and a half times the longest pause of the schedule.
fn staleness(instance: &Instance, view: &InstanceView, facts: &InstanceFacts, now: Timestamp) -> Option<String> {
    let newest = &facts.backups.first()?.brief;
    let backup = view.jobs.iter().find(|job| job.job == Job::Backup)?;
    let pause = SignedDuration::from_secs(backup.interval_seconds?);
    let splay = SignedDuration::try_from(instance.routine.splay).unwrap_or(SignedDuration::MAX);
    let limit = pause.saturating_add(pause / 2).saturating_add(splay);
    let age = now.duration_since(newest.created_at);
    let hours = |duration: SignedDuration| duration.as_secs() / 3600;
    (age > limit)
        .then(|| format!("the newest backup is {} hours old, its schedule allows {}", hours(age), hours(limit)))
}
