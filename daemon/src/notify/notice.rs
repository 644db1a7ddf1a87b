//! Notices: what happened.

use std::collections::BTreeMap;

use config::{NotifyConfig, NotifyOccasion};
use engine::error::Explanation;
use engine::repository::BackupId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agenda::Job;
use crate::journal::{RunId, RunOutcome, RunRecord};

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is, the most urgent first: a recovery is a success as well.
    pub occasions: Vec<NotifyOccasion>,
    /// Of which instance.
    pub instance: String,
    /// What was done; a staleness is about no run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// When.
    pub at: Timestamp,
    /// All of it in a line.
    pub summary: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Explanation>,
    /// The backup that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupId>,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was counted, by names that end in their unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, u64>,
    /// Whether nothing happened, and somebody tries whether notices arrive.
    #[serde(default)]
    pub test: bool,
}

impl Notice {
    /// Returns the notice about a run; `None` if there is none. `failed` is whether the job had
    /// failed before.
    pub(super) fn of_run(run: &RunRecord, failed: bool) -> Option<Self> {
        let (instance, job) = (&run.instance, run.job);
        let at = run.ended_at?;
        let notice = |occasions: Vec<NotifyOccasion>, summary: String| Self {
            job: Some(job),
            run: Some(run.id),
            ..Self::plain(occasions, instance, at, summary)
        };
        let good = |warnings: &[String]| {
            let mut occasions = Vec::new();
            occasions.extend(failed.then_some(NotifyOccasion::Recovered));
            occasions.extend((!warnings.is_empty()).then_some(NotifyOccasion::Warning));
            occasions.push(NotifyOccasion::Success);
            occasions
        };
        let again = if failed { " works again" } else { " done" };
        match run.outcome.as_ref()? {
            RunOutcome::Done { backup, warnings, figures, .. } => {
                let with = match warnings.len() {
                    0 => String::new(),
                    1 => ", with 1 warning".into(),
                    several => format!(", with {several} warnings"),
                };
                let done = notice(good(warnings), format!("{instance}: {job}{again}{with}"));
                let (warnings, figures) = (warnings.clone(), figures.clone());
                Some(Self { backup: backup.clone(), warnings, figures, ..done })
            }
            RunOutcome::Elsewhere => Some(notice(good(&[]), format!("{instance}: {job}{again}, by another daemon"))),
            RunOutcome::Failed { error, attempts } => {
                let after = if *attempts > 1 { format!(" after {attempts} attempts") } else { String::new() };
                let failure = notice(vec![NotifyOccasion::Failure], format!("{instance}: {job} failed{after}"));
                Some(Self { error: Some(error.clone()), ..failure })
            }
            lost @ RunOutcome::Lost => Some(notice(vec![NotifyOccasion::Failure], format!("{instance}: {job} {lost}"))),
            RunOutcome::Cancelled => None,
        }
    }

    /// Returns a notice about an instance without a recent good backup.
    pub(super) fn of_staleness(instance: &str, staleness: &str, at: Timestamp) -> Self {
        Self::plain(vec![NotifyOccasion::Stale], instance, at, format!("{instance}: {staleness}"))
    }

    /// Returns a notice about a problem with an instance's backups, rather than with a run.
    pub(super) fn of_alarm(instance: &str, wrong: &str, at: Timestamp) -> Self {
        Self::plain(vec![NotifyOccasion::Failure], instance, at, format!("{instance}: {wrong}"))
    }

    /// Returns the notice that the daemon's own state is not on the disk. It concerns no instance;
    /// `instance` is any that the notifier covers.
    pub(super) fn of_state(instance: &str, trouble: &Explanation, at: Timestamp) -> Self {
        let summary = format!("the daemon's state is kept in memory alone: {}", trouble.message);
        Self { error: Some(trouble.clone()), ..Self::plain(vec![NotifyOccasion::Failure], instance, at, summary) }
    }

    /// Returns a notice about an instance that is no longer stale, by a backup that no run of this
    /// daemon made.
    pub(super) fn of_freshness(instance: &str, newest: Timestamp, at: Timestamp) -> Self {
        let summary = format!("{instance}: a good backup is available again, of {newest:.0}");
        Self::plain(vec![NotifyOccasion::Recovered], instance, at, summary)
    }

    /// Returns a test notice.
    pub(super) fn test(occasion: NotifyOccasion, instance: &str, at: Timestamp) -> Self {
        let summary = format!("{instance}: this is a test of `{}`; nothing happened", occasion.as_str());
        Self { test: true, job: Some(Job::Backup), ..Self::plain(vec![occasion], instance, at, summary) }
    }

    fn plain(occasions: Vec<NotifyOccasion>, instance: &str, at: Timestamp, summary: String) -> Self {
        Self {
            occasions,
            instance: instance.to_owned(),
            job: None,
            run: None,
            at,
            summary,
            error: None,
            backup: None,
            warnings: Vec::new(),
            figures: BTreeMap::new(),
            test: false,
        }
    }

    /// Returns the most urgent occasion that this notifier wants; `None` if it wants none of them.
    pub(super) fn occasion_for(&self, notifier: &NotifyConfig) -> Option<NotifyOccasion> {
        let wanted = self.occasions.iter().copied().find(|occasion| notifier.on.contains(occasion));
        wanted.filter(|_| notifier.covers(&self.instance))
    }
}

/// Returns a notice of each kind under a title, with content from outside that tries to be more.
#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, Notice)> {
    let at = |time: &str| format!("2026-12-01T{time}Z").parse().unwrap();
    let run = |id: u64, ended: &str, outcome: RunOutcome| RunRecord {
        id: id.into(),
        instance: "production".into(),
        job: Job::Backup,
        target: None,
        trigger: crate::journal::Trigger::Request,
        began_at: at("00:59:00"),
        ended_at: Some(at(ended)),
        outcome: Some(outcome),
        phases: Vec::new(),
    };
    let error = |message: &str, causes: &[&str], hint: Option<&str>| Explanation {
        message: message.into(),
        causes: causes.iter().map(|cause| (*cause).to_owned()).collect(),
        hint: hint.map(Into::into),
        obstacles: Vec::new(),
    };
    let refused = error(
        "unable to connect to PostgreSQL at db.example.com:5432",
        &["Connection refused"],
        Some("check that the server is running and that `host` and `port` are correct"),
    );
    let hostile = error(
        "database \"<!here> @channel <@U1> @everyone [x](https://evil.example) *b* `c` <script>alert(1)</script>\" \
         does not exist\r\nBcc: evil@example.com",
        &["<at>all</at> & \u{1b}[31m \u{202e}txet"],
        Some("check `database`"),
    );
    let done = |warnings: Vec<String>| RunOutcome::Done {
        backup: Some("20261201T010000Z-1a2b".parse().unwrap()),
        warnings,
        figures: [("stored_bytes", 9_437_184), ("filestore_files", 634), ("removed_backups", 1)]
            .map(|(name, figure)| (name.to_owned(), figure))
            .into(),
        removed: Vec::new(),
        proof: None,
    };
    let lost = (1..=12).map(|number| format!("the file ab/{number:040x} is missing from the filestore")).collect();
    let failed = |error, attempts| RunOutcome::Failed { error, attempts };
    let of = |run: &RunRecord, had_failed| Notice::of_run(run, had_failed).unwrap();
    let trouble = error("unable to write /var/lib/odoo-backup-state/journal.jsonl", &["No space left on device"], None);
    vec![
        ("A failure after all attempts", of(&run(17, "01:00:31", failed(refused, 4)), false)),
        ("A failure with content that tries to be more", of(&run(18, "01:00:31", failed(hostile, 1)), false)),
        ("An interrupted run", of(&run(19, "06:30:00", RunOutcome::Lost), false)),
        (
            "A stale instance",
            Notice::of_staleness("production", "no good backup since 2026-11-29T01:00:00Z", at("03:00:00")),
        ),
        ("Something is wrong with the backups", Notice::of_alarm("production", "1 backup is damaged", at("03:00:00"))),
        ("The daemon's state is not on the disk", Notice::of_state("production", &trouble, at("03:00:00"))),
        ("A recovery", of(&run(20, "01:10:00", done(Vec::new())), true)),
        ("A good backup by another machine", Notice::of_freshness("production", at("01:00:00"), at("03:00:00"))),
        ("A backup with many warnings", of(&run(21, "01:10:00", done(lost)), false)),
        ("A success", of(&run(22, "01:10:00", done(Vec::new())), false)),
        ("A test", Notice::test(NotifyOccasion::Failure, "production", at("03:00:00"))),
    ]
}

/// Returns a notice whose texts are all as long as can be, of characters that take most space.
#[cfg(test)]
pub(super) fn longest() -> Notice {
    let text = "<@\"&\u{1f600}".repeat(2000);
    let at = "2026-12-01T01:00:00Z".parse().unwrap();
    let error = Explanation {
        message: text.clone(),
        causes: vec![text.clone(); 20],
        hint: Some(text.clone()),
        obstacles: Vec::new(),
    };
    let notice = Notice::plain(vec![NotifyOccasion::Failure], &"a".repeat(100), at, text.clone());
    let figures = (0..30).map(|number| (format!("figure_{number}"), number)).collect();
    let warnings = vec![text; 30];
    Notice { job: Some(Job::Backup), run: Some(u64::MAX.into()), error: Some(error), warnings, figures, ..notice }
}
