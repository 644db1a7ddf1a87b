//! What the daemon shows of itself: copies as of one moment, ready for JSON.

use std::collections::{BTreeMap, HashMap};

use config::schedule::Schedule;
use config::{Config, InstanceConfig};
use engine::error::Explanation;
use engine::repository::is_future;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::agenda::{Due, Entry, Job, Slot};
use crate::journal::{History, RunId, RunOutcome, RunRecord};
use crate::progress::{PhaseState, TaskState};
use crate::staleness::{Since, Staleness, allowed_age};

/// An instance of the configuration.
#[derive(Debug, Clone, Serialize)]
pub struct InstanceView {
    /// Its name.
    pub name: String,
    /// How old its newest good backup may become before it is stale, in seconds; `None` without a
    /// limit.
    pub stale_after_seconds: Option<i64>,
    /// Each job that it has a schedule for or that ran for it; a backup always.
    pub jobs: Vec<JobView>,
}

/// A job of an instance.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = JobState)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// Its schedule; null without one.
    #[schema(required = true)]
    pub schedule: Option<Schedule>,
    /// The IANA name of the schedule's time zone.
    #[schema(required = true)]
    pub timezone: Option<String>,
    /// The next slot. It lies in the past while its run is about to start.
    #[schema(required = true)]
    pub next: Option<Slot>,
    /// The longest time between two slots, in seconds, not counting changes of clocks.
    #[schema(required = true, minimum = 0)]
    pub interval_seconds: Option<i64>,
    /// The run that is running or queued.
    #[schema(required = true)]
    pub running: Option<RunId>,
    /// The latest run.
    #[schema(required = true)]
    pub latest: Option<RunRecord>,
    /// The latest run that succeeded, or found that another daemon had served its slot.
    #[schema(required = true)]
    pub latest_success: Option<RunRecord>,
    /// The latest run that failed after all attempts, or whose end is not known.
    #[schema(required = true)]
    pub latest_failure: Option<RunRecord>,
}

impl JobView {
    /// Returns the latest run that has ended.
    pub(crate) fn ended(&self) -> Option<&RunRecord> {
        let runs = [&self.latest, &self.latest_success, &self.latest_failure].into_iter().flatten();
        runs.filter(|run| run.ended_at.is_some()).max_by_key(|run| run.id)
    }
}

impl InstanceView {
    /// Reports that its newest good backup is too old.
    pub fn staleness(&self, since: Since, now: Timestamp) -> Option<Staleness> {
        Staleness::of(since, SignedDuration::from_secs(self.stale_after_seconds?), now)
    }
}

/// A run that has not ended.
#[derive(Debug, Clone, Serialize)]
pub struct LiveRun {
    /// Its entry in the journal.
    #[serde(flatten)]
    pub record: RunRecord,
    /// What it is doing.
    pub phase: Phase,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Why the last attempt failed; `None` in the first attempt.
    pub last_failure: Option<Explanation>,
    /// Whether it is being stopped.
    pub stopping: bool,
    /// Its parts that count bytes.
    pub tasks: Vec<TaskState>,
    /// The phases of this attempt, in the order in which they began.
    pub phases: Vec<PhaseState>,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// It is queued.
    Waiting,
    /// It is running.
    Working,
    /// It waits for its next attempt.
    Pausing {
        /// When the next attempt begins.
        until: Timestamp,
    },
    /// It has ended, and the journal is being written.
    Ending,
}

/// A line that a run logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When it was logged.
    pub at: Timestamp,
    /// `error`, `warn`, `info`
    pub level: String,
    /// The message, followed by its fields as `name=value`.
    pub message: String,
}

/// A notifier of the configuration.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Notifier)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// `webhook`, `ping`, `telegram` or `mail`.
    #[schema(schema_with = channels)]
    pub channel: &'static str,
    /// Messages that wait for it.
    pub waiting: usize,
    /// What is wrong with it, in a sentence.
    #[schema(required = true)]
    pub problem: Option<String>,
    /// Whether it delivers messages.
    #[serde(flatten)]
    pub health: Health,
}

/// Returns the schema of the words for kinds of notifiers.
pub(crate) fn channels() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["webhook", "ping", "telegram", "mail"])).build()
}

/// Whether a notifier delivers messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotifierHealth)]
pub struct Health {
    /// When it last accepted a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub delivered_at: Option<Timestamp>,
    /// Since when it has accepted nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failing_since: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<Explanation>,
    /// Attempts in a row that failed.
    #[serde(default)]
    #[schema(required = true)]
    pub failures: u32,
    /// Messages that it accepted, since the state was created.
    #[serde(default)]
    #[schema(required = true)]
    pub sent: u64,
    /// Attempts that failed, since the state was created.
    #[serde(default)]
    #[schema(required = true)]
    pub failed: u64,
    /// Messages that were given up, since the state was created.
    #[serde(default)]
    #[schema(required = true)]
    pub given_up: u64,
}

/// An event. A slow subscriber gets `RecvError::Lagged` for missed events, and can request the
/// state again.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A run was started; it may be queued.
    Began {
        /// The run.
        run: RunRecord,
    },
    /// The progress of a run: at each change of its phase, and every second while it works and
    /// there are subscribers.
    Progress {
        /// The run.
        run: LiveRun,
    },
    /// A run ended.
    Ended {
        /// The run, with its outcome.
        run: RunRecord,
    },
    /// A run logged a line.
    Log {
        /// The run.
        run: RunId,
        /// The line.
        line: LogLine,
    },
    /// A slot was missed, and its job does not catch up.
    Missed {
        /// The instance.
        instance: String,
        /// The job that should have run.
        job: Job,
        /// The slot.
        slot: Timestamp,
    },
    /// The configuration was reloaded.
    Reloaded,
    /// The configuration could not be reloaded; the previous one stays in use.
    ReloadFailed {
        /// What is wrong.
        error: Explanation,
    },
    /// No new runs start: the daemon ends.
    Stopping,
}

/// Returns every instance of `config` with its jobs, as of `now`; `running` says which run of a job
/// is running.
pub fn instances(
    config: &Config,
    agenda: &BTreeMap<(String, Job), Entry>,
    history: &History,
    running: impl Fn(&str, Job) -> Option<RunId>,
    now: Timestamp,
) -> Vec<InstanceView> {
    let mut latest = Latest::default();
    history.runs().for_each(|run| latest.see(run));
    let view = |name: &String, job: Job| {
        let entry = agenda.get(&(name.clone(), job));
        let key = (name.as_str(), job);
        // The scheduler ignores slots in the future.
        let last = history.last_slot(name, job).filter(|last| !is_future(*last, now)).unwrap_or(now);
        JobView {
            job,
            schedule: entry.map(|entry| entry.schedule.clone()),
            timezone: entry.and_then(|entry| entry.zone.iana_name().map(Into::into)),
            next: entry.and_then(|entry| match entry.due(last, now) {
                Due::Later(slot) => slot,
                Due::Now { slot, .. } => Some(slot),
                Due::Missed(slot) => entry.next_after(slot.time),
            }),
            interval_seconds: entry.map(|entry| entry.interval().as_secs()),
            running: running(name, job),
            latest: latest.any.get(&key).map(|run| (*run).clone()),
            latest_success: latest.success.get(&key).map(|run| (*run).clone()),
            latest_failure: latest.failure.get(&key).map(|run| (*run).clone()),
        }
    };
    let jobs = |name: &String| {
        let views = Job::SCHEDULED.into_iter().map(|job| view(name, job));
        views.filter(|view| view.job == Job::Backup || view.schedule.is_some() || view.latest.is_some()).collect()
    };
    let instance = |(name, instance): (&String, &InstanceConfig)| {
        let pause = agenda.get(&(name.clone(), Job::Backup)).map(Entry::interval);
        let stale_after_seconds = allowed_age(&instance.routine, pause).map(|age| age.as_secs());
        InstanceView { name: name.clone(), stale_after_seconds, jobs: jobs(name) }
    };
    config.instances.iter().map(instance).collect()
}

/// The latest runs of each job, by its instance.
#[derive(Default)]
struct Latest<'a> {
    any: HashMap<(&'a str, Job), &'a RunRecord>,
    success: HashMap<(&'a str, Job), &'a RunRecord>,
    failure: HashMap<(&'a str, Job), &'a RunRecord>,
}

impl<'a> Latest<'a> {
    /// Takes runs from the oldest on.
    fn see(&mut self, run: &'a RunRecord) {
        let key = (run.instance.as_str(), run.job);
        self.any.insert(key, run);
        match run.outcome {
            Some(RunOutcome::Done { .. } | RunOutcome::Elsewhere) => _ = self.success.insert(key, run),
            Some(RunOutcome::Failed { .. } | RunOutcome::Lost) => _ = self.failure.insert(key, run),
            Some(RunOutcome::Cancelled) | None => {}
        }
    }
}
