//! The daily digest: what ran, what was stored, and what is wrong, in one message that stays short
//! for any number of instances.

use std::collections::BTreeMap;

use config::NotifyConfig;
use engine::text::{counted, size};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::text::{Detail, Text, Tone, dashboard, moment};
use super::watch::Seen;
use crate::agenda::Job;
use crate::condition::{Condition, Severity};
use crate::handle::Handle;
use crate::journal::{RunOutcome, RunRecord};

/// The most instances that are listed; those with problems come first.
const LISTED: usize = 100;
/// The most problems of an instance that are stated.
const STATED: usize = 2;

/// What happened between two moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Digest {
    /// After when.
    pub(super) from: Timestamp,
    /// Until when.
    pub(super) to: Timestamp,
    /// Instances without a problem.
    pub(super) ok: u64,
    /// Those with something to be read.
    pub(super) warning: u64,
    /// Those that need an action.
    pub(super) failed: u64,
    /// What ran.
    pub(super) runs: Runs,
    /// What backups added to the repository.
    pub(super) stored_bytes: u64,
    /// Why the repository cannot be read: then this is what the daemon knows without it.
    pub(super) unread: Option<String>,
    /// Instances, those with problems first.
    pub(super) instances: Vec<Row>,
    /// Whether it is one of `notify test`.
    #[serde(default)]
    pub(super) test: bool,
}

/// How runs ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Runs {
    /// Backups that succeeded, with or without warnings.
    pub(super) backups: u64,
    /// Checks that did.
    pub(super) checks: u64,
    /// Drills that did.
    pub(super) drills: u64,
    /// Successful runs with warnings.
    pub(super) with_warnings: u64,
    /// Runs that failed, or broke off.
    pub(super) failed: u64,
    /// Runs that were stopped.
    pub(super) cancelled: u64,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) instance: String,
    pub(super) severity: Severity,
    /// What is wrong, the worst first.
    pub(super) problems: Vec<String>,
    pub(super) runs: Runs,
    pub(super) stored_bytes: u64,
    /// The time that its newest good backup shows.
    pub(super) newest_good: Option<Timestamp>,
}

impl Runs {
    fn add(&mut self, run: &RunRecord) {
        match &run.outcome {
            Some(RunOutcome::Done { warnings, .. }) => {
                self.with_warnings += u64::from(!warnings.is_empty());
                match run.job {
                    Job::Backup => self.backups += 1,
                    Job::Check => self.checks += 1,
                    Job::Drill => self.drills += 1,
                    _ => {}
                }
            }
            Some(RunOutcome::Failed { .. } | RunOutcome::Lost) => self.failed += 1,
            Some(RunOutcome::Cancelled) => self.cancelled += 1,
            Some(RunOutcome::Elsewhere) | None => {}
        }
    }

    fn add_all(&mut self, other: Self) {
        self.backups += other.backups;
        self.checks += other.checks;
        self.drills += other.drills;
        self.with_warnings += other.with_warnings;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
    }

    /// Returns it in words: `2 backups, 1 check, 1 failed`.
    pub(super) fn words(self) -> String {
        let named = [(self.backups, "backup"), (self.checks, "check"), (self.drills, "drill")];
        let named = named.into_iter().filter(|(number, _)| *number > 0).map(|(number, noun)| counted(number, noun));
        let ends = [(self.failed, "failed"), (self.cancelled, "cancelled"), (self.with_warnings, "with warnings")];
        let ends = ends.into_iter().filter(|(number, _)| *number > 0).map(|(number, how)| format!("{number} {how}"));
        let words: Vec<_> = named.chain(ends).collect();
        if words.is_empty() { "nothing ran".into() } else { words.join(", ") }
    }
}

impl Digest {
    /// Returns what happened to the instances of a notifier.
    pub(super) fn of(handle: &Handle, notifier: &NotifyConfig, seen: &Seen, from: Timestamp, to: Timestamp) -> Self {
        let mut ran: BTreeMap<String, (Runs, u64)> = BTreeMap::new();
        for run in handle.0.journal().runs().filter(|run| run.ended_at.is_some_and(|end| from < end && end <= to)) {
            let (runs, stored) = ran.entry(run.instance.clone()).or_default();
            runs.add(run);
            if let Some(RunOutcome::Done { figures, .. }) = &run.outcome {
                *stored += figures.get("stored_bytes").copied().unwrap_or_default();
            }
        }
        let mut digest = Self { from, to, unread: seen.unread.as_ref().map(ToString::to_string), ..Self::default() };
        for view in handle.instances().into_iter().filter(|view| notifier.covers(&view.name)) {
            let backups = seen.backups.get(&view.name);
            let condition = Condition::of(&view, backups, None, to);
            let (runs, stored_bytes) = ran.remove(&view.name).unwrap_or_default();
            let severity = condition.severity();
            match severity {
                Severity::Ok => digest.ok += 1,
                Severity::Warning => digest.warning += 1,
                Severity::Failed => digest.failed += 1,
            }
            digest.runs.add_all(runs);
            digest.stored_bytes += stored_bytes;
            let problems = condition.reasons.into_iter().map(|reason| reason.message).collect();
            let newest_good = backups.and_then(|backups| backups.newest_good);
            digest.instances.push(Row { instance: view.name, severity, problems, runs, stored_bytes, newest_good });
        }
        digest.instances.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.instance.cmp(&b.instance)));
        digest.instances.truncate(LISTED);
        digest
    }

    /// Returns a digest that says that it is a test.
    pub(super) fn test(now: Timestamp) -> Self {
        Self { from: now, to: now, test: true, ..Self::default() }
    }

    /// Returns how many instances it is about.
    pub(super) fn all(&self) -> u64 {
        self.ok + self.warning + self.failed
    }

    /// Returns it as a notifier gets it.
    pub(super) fn text(&self, to: &NotifyConfig) -> Text {
        let tone = match (self.failed, self.warning) {
            _ if self.unread.is_some() => Tone::Bad,
            (0, 0) => Tone::Good,
            (0, _) => Tone::Warning,
            _ => Tone::Bad,
        };
        let mut details = Vec::new();
        let mut add = |label: &str, value: &str| details.push(Detail::new(label, value));
        if let Some(error) = &self.unread {
            add("repository", &format!("unable to read it, so this is what the daemon knows: {error}"));
        }
        if !self.test {
            add("ran", &self.runs.words());
            add("stored", &size(self.stored_bytes));
            add("period", &format!("{} to {}", moment(self.from, &to.zone), moment(self.to, &to.zone)));
        }
        self.instances.iter().for_each(|row| add(&row.instance, &row.words(to)));
        let left = self.all().saturating_sub(self.instances.len() as u64);
        if left > 0 {
            let problems = self.instances.iter().filter(|row| row.severity > Severity::Ok).count() as u64;
            let with = (self.warning + self.failed).saturating_sub(problems);
            let with = if with > 0 { format!(", {with} of them with problems") } else { " without problems".into() };
            add("not shown", &format!("{}{with}", counted(left, "more instance")));
        }
        let links = dashboard(to.public_url.as_deref()).into_iter().collect();
        Text { tone, at: self.to, headline: self.headline(), details, links }
    }

    /// Returns the sentence that matters.
    pub(super) fn headline(&self) -> String {
        let (all, problems) = (self.all(), self.warning + self.failed);
        let states = [(self.failed, "failed"), (self.warning, "warning")].into_iter().filter(|(number, _)| *number > 0);
        let states: Vec<_> = states.map(|(number, state)| format!("{number} {state}")).collect();
        let state = match (problems, all) {
            _ if self.test => return "this is a test of `digest`; nothing happened".into(),
            (0, 1) => "the instance is ok".into(),
            (0, _) => format!("all {all} instances are ok"),
            _ => format!("{problems} of {} with problems ({})", counted(all, "instance"), states.join(", ")),
        };
        let known = match self.unread {
            Some(_) => "the repository cannot be read; as far as the daemon knows, ",
            None => "",
        };
        format!("daily digest: {known}{state}")
    }
}

impl Row {
    fn words(&self, to: &NotifyConfig) -> String {
        let ran = format!("{}, {} stored", self.runs.words(), size(self.stored_bytes));
        match self.problems.as_slice() {
            [] => match self.newest_good {
                Some(newest) => format!("ok: {ran}; newest backup {}", moment(newest, &to.zone)),
                None => format!("ok: {ran}"),
            },
            problems => {
                let stated: Vec<_> = problems.iter().take(STATED).map(|one| super::text::shorten(one, 160)).collect();
                let more = problems.len().saturating_sub(STATED);
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                format!("{}: {}{more} ({ran})", self.severity.as_str(), stated.join("; "))
            }
        }
    }
}
