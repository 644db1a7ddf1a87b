//! Notices and their texts.

use std::collections::BTreeMap;
use std::fmt::Write;

use config::{NotifyConfig, NotifyOccasion};
use engine::error::Explanation;
use engine::repository::BackupId;
use engine::text::size;
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
            RunOutcome::Done { backup, warnings, figures } => {
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

    /// Returns all details for a person, in lines.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.summary);
        let mut line = |line: String| _ = writeln!(text, "{line}");
        if let Some(error) = &self.error {
            line(format!("error: {}", error.message));
            error.causes.iter().for_each(|cause| line(format!("  because: {cause}")));
            error.hint.iter().for_each(|hint| line(format!("hint: {hint}")));
        }
        self.warnings.iter().for_each(|warning| line(format!("warning: {warning}")));
        self.backup.iter().for_each(|backup| line(format!("backup: {}/{backup}", self.instance)));
        self.figures.iter().for_each(|(name, figure)| line(figure_text(name, *figure)));
        self.run.iter().for_each(|run| line(format!("run: {run}, ended {:.0}", self.at)));
        text
    }
}

/// What the figures of runs are called.
const FIGURES: [(&str, &str); 13] = [
    ("stored_bytes", "stored"),
    ("database_bytes", "database"),
    ("filestore_bytes", "filestore"),
    ("filestore_files", "files in the filestore"),
    ("removed_backups", "backups removed by retention"),
    ("removed_bytes", "freed by retention"),
    ("removed_copies", "copies removed by retention"),
    ("removed_copies_bytes", "freed by retention in repositories of copies"),
    ("checked_backups", "backups checked"),
    ("read_bytes", "read back"),
    ("restored_files", "files restored"),
    ("restored_file_bytes", "size of the restored files"),
    ("restore_milliseconds", "time to restore"),
];

/// Returns a figure in words. Its name ends in its unit.
fn figure_text(name: &str, figure: u64) -> String {
    let ends = ["_bytes", "_milliseconds", "_seconds"];
    let unit = ends.into_iter().find(|unit| name.ends_with(unit)).unwrap_or_default();
    let figure = match unit {
        "_bytes" => size(figure),
        "_milliseconds" => duration(figure / 1000),
        "_seconds" => duration(figure),
        _ => figure.to_string(),
    };
    let known = FIGURES.iter().find(|(known, _)| *known == name).map(|(_, words)| (*words).to_owned());
    let words = known.unwrap_or_else(|| name[..name.len() - unit.len()].replace('_', " "));
    format!("{words}: {figure}")
}

/// Formats a duration: `67 s`, `16 min 40 s`, `2 h 5 min`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::figure_text;

    #[test]
    fn figures_have_words_and_units() {
        for (name, figure, expected) in [
            ("stored_bytes", 9_437_184, "stored: 9.00 MiB"),
            ("filestore_files", 634, "files in the filestore: 634"),
            ("removed_bytes", 0, "freed by retention: 0 B"),
            ("restore_milliseconds", 67_412, "time to restore: 67 s"),
            ("restore_milliseconds", 7_500_000, "time to restore: 2 h 5 min"),
            ("new_kind_bytes", 2048, "new kind: 2.00 KiB"),
        ] {
            assert_eq!(figure_text(name, figure), expected);
        }
    }

    #[test]
    fn every_figure_of_runs_has_words() {
        let sources =
            [include_str!("../work/backup.rs"), include_str!("../work/restore.rs"), include_str!("../work.rs")];
        let quoted = sources.iter().flat_map(|source| source.split('"').skip(1).step_by(2));
        let is_figure = |text: &&str| {
            let ends = ["_bytes", "_files", "_backups", "_copies", "_milliseconds"];
            text.chars().all(|c| c.is_ascii_lowercase() || c == '_') && ends.iter().any(|end| text.ends_with(end))
        };
        for name in quoted.filter(is_figure) {
            assert!(super::FIGURES.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
