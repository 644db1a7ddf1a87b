//! Records of runs in the journal.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use engine::error::Explanation;
use engine::manifest::Depth;
use engine::repository::{BackupId, ProofName, ProofOutcome};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agenda::Job;

/// The number of a run, which rises within one journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct RunId(pub(super) u64);

impl RunId {
    /// Returns the number.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl From<u64> for RunId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What started a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Trigger {
    /// Its schedule.
    Schedule {
        /// The time at which the schedule fired.
        slot: Timestamp,
        /// Whether the slot was missed and is caught up.
        late: bool,
    },
    /// A request over HTTP.
    Request,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "result")]
#[schema(as = Outcome)]
pub enum RunOutcome {
    /// It succeeded.
    Done {
        /// The backup that it made, checked or restored, if it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        backup: Option<BackupId>,
        /// Warnings for operators, in sentences.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
        /// What was counted, by names that end in their unit: `stored_bytes`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        figures: BTreeMap<String, u64>,
        /// The backups that retention removed after it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<RemovedBackup>,
        /// The proof that it stored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        proof: Option<RunProof>,
    },
    /// It failed, after all attempts.
    Failed {
        /// Why.
        error: Explanation,
        /// The number of attempts.
        attempts: u32,
    },
    /// It was stopped, by a request or because the daemon ended.
    Cancelled,
    /// Another daemon had served the slot.
    Elsewhere,
    /// The daemon ended unexpectedly, and with it the run.
    Lost,
}

/// A backup that a run removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedBackup {
    /// The name of the repository.
    pub repository: String,
    /// The backup's id.
    pub backup: BackupId,
    /// Why it was removed.
    pub reason: String,
}

/// A proof that a run stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunProof {
    /// When the copy was verified.
    pub at: Timestamp,
    /// How much of it was read.
    pub depth: Depth,
    /// What it showed.
    pub outcome: ProofOutcome,
}

impl From<&ProofName> for RunProof {
    fn from(name: &ProofName) -> Self {
        Self { at: name.at, depth: name.depth, outcome: name.outcome }
    }
}

/// How long a phase of a run took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PhaseTook {
    /// What it was about: `database`, `filestore`, `verification`.
    pub name: String,
    /// From its start to its end. Phases can run in parallel.
    pub milliseconds: u64,
}

impl RunOutcome {
    /// Returns its `result`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::Elsewhere => "elsewhere",
            Self::Lost => "lost",
        }
    }

    /// Returns what a person should know of a run that is done.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Done { warnings, .. } => warnings,
            _ => &[],
        }
    }

    /// Returns whether the run succeeded, with or without warnings.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

impl fmt::Display for RunOutcome {
    /// Writes how the run ended, in a few words that follow its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { backup, warnings, .. } => {
                f.write_str("done")?;
                backup.iter().try_for_each(|id| write!(f, ": {id}"))?;
                f.write_str(if warnings.is_empty() { "" } else { ", with warnings" })
            }
            Self::Failed { error, .. } => write!(f, "failed: {error}"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Elsewhere => f.write_str("done by another daemon"),
            Self::Lost => f.write_str("was interrupted: the daemon ended during the run"),
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RunRecord {
    /// Its number.
    pub id: RunId,
    /// The instance.
    pub instance: String,
    /// Its job.
    pub job: Job,
    /// The target of a restore or an undo. Absent for other jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub target: Option<String>,
    /// What started it.
    pub trigger: Trigger,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended. Absent while it is running or queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_at: Option<Timestamp>,
    /// How it ended. Absent while it is running or queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub outcome: Option<RunOutcome>,
    /// How long its phases took in the last attempt, in the order in which they began. Absent while
    /// it is running, and for runs of earlier versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseTook>,
}

impl RunRecord {
    /// Returns the record of a run that has just begun; it has a target if it is a restore or an
    /// undo.
    pub(crate) fn begun(
        id: RunId,
        (instance, job, target): (String, Job, Option<String>),
        trigger: Trigger,
        at: Timestamp,
    ) -> Self {
        let (ended_at, outcome, phases) = (None, None, Vec::new());
        Self { id, instance, job, target, trigger, began_at: at, ended_at, outcome, phases }
    }

    /// Returns what it does, in words: `backup of production`, `restore of production to staging`,
    /// `undo of the last restore to staging`.
    pub fn what(&self) -> String {
        let Self { instance, job, .. } = self;
        match &self.target {
            Some(target) if *job == Job::Undo => format!("{job} of the last restore to {target}"),
            Some(target) => format!("{job} of {instance} to {target}"),
            None => format!("{job} of {instance}"),
        }
    }

    /// Returns the events from which this record follows.
    pub(super) fn events(&self) -> impl Iterator<Item = Event> {
        let began = Event::Began {
            run: self.id,
            instance: self.instance.clone(),
            job: self.job,
            target: self.target.clone(),
            trigger: self.trigger.clone(),
            at: self.began_at,
        };
        let ended = self.ended_at.zip(self.outcome.clone());
        let phases = self.phases.clone();
        let ended = ended.map(|(at, outcome)| Event::Ended { run: self.id, at, outcome, phases });
        std::iter::once(began).chain(ended)
    }
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(super) enum Event {
    Slot {
        instance: String,
        job: Job,
        slot: Timestamp,
    },
    Began {
        run: RunId,
        instance: String,
        job: Job,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        trigger: Trigger,
        at: Timestamp,
    },
    Ended {
        run: RunId,
        at: Timestamp,
        outcome: RunOutcome,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        phases: Vec<PhaseTook>,
    },
}
