//! What somebody is told, and in which words.

use std::collections::BTreeMap;
use std::fmt::Write;

use engine::config::{NotifyConfig, Occasion};
use engine::error::Explanation;
use engine::repository::BackupId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agenda::Job;
use crate::journal::{Outcome, RunId, RunRecord};
use crate::staleness::Staleness;

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is, the most urgent first: a recovery is a success as well.
    pub occasions: Vec<Occasion>,
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
    /// What became of a run; `None` where nobody need be told. `failed` is whether it had failed before.
    pub(super) fn of_run(run: &RunRecord, failed: bool) -> Option<Self> {
        let (instance, job) = (&run.instance, run.job);
        let at = run.ended_at?;
        let told = |occasions: Vec<Occasion>, summary: String| Self {
            job: Some(job),
            run: Some(run.id),
            ..Self::plain(occasions, instance, at, summary)
        };
        let good = |warnings: &[String]| {
            let mut occasions = Vec::new();
            occasions.extend(failed.then_some(Occasion::Recovered));
            occasions.extend((!warnings.is_empty()).then_some(Occasion::Warning));
            occasions.push(Occasion::Success);
            occasions
        };
        let again = if failed { " works again" } else { " done" };
        match run.outcome.as_ref()? {
            Outcome::Done { backup, warnings, figures } => {
                let with = match warnings.len() {
                    0 => String::new(),
                    1 => ", with a warning".into(),
                    several => format!(", with {several} warnings"),
                };
                let notice = told(good(warnings), format!("{instance}: {job}{again}{with}"));
                let (warnings, figures) = (warnings.clone(), figures.clone());
                Some(Self { backup: backup.clone(), warnings, figures, ..notice })
            }
            Outcome::Elsewhere => Some(told(good(&[]), format!("{instance}: {job}{again}, by another daemon"))),
            Outcome::Failed { error, attempts } => {
                let after = if *attempts > 1 { format!(" after {attempts} attempts") } else { String::new() };
                let notice = told(vec![Occasion::Failure], format!("{instance}: {job} failed{after}"));
                Some(Self { error: Some(error.clone()), ..notice })
            }
            Outcome::Lost => {
                let summary = format!("{instance}: {job} was cut off, with the daemon or the machine");
                Some(told(vec![Occasion::Failure], summary))
            }
            Outcome::Cancelled => None,
        }
    }

    /// An instance without a good backup that is young enough.
    pub(super) fn of_staleness(instance: &str, staleness: &Staleness, at: Timestamp) -> Self {
        Self::plain(vec![Occasion::Stale], instance, at, format!("{instance}: {staleness}"))
    }

    /// An instance that is no longer stale, by a backup that no run of this daemon made.
    pub(super) fn of_freshness(instance: &str, newest: Timestamp, at: Timestamp) -> Self {
        let summary = format!("{instance}: there is a good backup again, of {newest:.0}");
        Self::plain(vec![Occasion::Recovered], instance, at, summary)
    }

    /// Something that did not happen.
    pub(super) fn test(occasion: Occasion, instance: &str, at: Timestamp) -> Self {
        let summary = format!("{instance}: this is a test of `{}`; nothing happened", occasion.as_str());
        Self { test: true, job: Some(Job::Backup), ..Self::plain(vec![occasion], instance, at, summary) }
    }

    fn plain(occasions: Vec<Occasion>, instance: &str, at: Timestamp, summary: String) -> Self {
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

    /// What it is to somebody: the most urgent of what they want to be told; `None` where they want none of it.
    pub(super) fn occasion_for(&self, notifier: &NotifyConfig) -> Option<Occasion> {
        let wanted = self.occasions.iter().copied().find(|occasion| notifier.on.contains(occasion));
        wanted.filter(|_| notifier.covers(&self.instance))
    }

    /// All that a person needs, in lines.
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
        self.figures.iter().for_each(|(name, figure)| line(format!("{name}: {figure}")));
        self.run.iter().for_each(|run| line(format!("run: {run}, ended {:.0}", self.at)));
        text
    }
}
