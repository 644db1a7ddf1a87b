//! The interface to a running daemon.

use std::sync::Arc;

use config::{Config, ConfigError, ConfigFile, UnknownName, explain};
use engine::error::Explanation;
use engine::repository::{Repository, RepositoryError};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::agenda::Job;
use crate::clock::{Clock, SystemClock};
use crate::journal::{Journal, JournalError, RunId, RunOutcome, RunRecord, Trigger};
use crate::live::Live;
use crate::log::LogError;
use crate::shared::{Settings, Shared};
use crate::sources::Connection;
use crate::view::{Event, InstanceView, LiveRun, LogLine, Standing, instances};
use crate::work::{Engine, Order, Worker};

/// A running daemon. Clones refer to the same one. Everything that serves or watches uses only
/// this.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

/// Why a daemon cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No folder for its state is set.
    #[error("unable to find a folder for the daemon's state")]
    NoStateDir,
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl OpenError {
    /// Returns what the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoStateDir => Some("set `state_dir` in the [daemon] section".into()),
            Self::Journal(error) => error.hint().map(Into::into),
        }
    }
}

/// Why a run was not started.
#[derive(Debug, thiserror::Error)]
pub enum RefusedStart {
    /// The configuration has no such instance.
    #[error(transparent)]
    NoSuchInstance(#[from] UnknownName),
    /// The same job of the same instance is running or queued; or a restore into the same target
    /// is.
    #[error("{what} is already running or queued: run {run}")]
    AlreadyRunning {
        /// What is running, in words, with an article.
        what: String,
        /// The run.
        run: RunId,
    },
    /// The daemon ends.
    #[error("the daemon is stopping")]
    Stopping,
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// How a run ended, as far as lists of runs tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunResult {
    /// It has not ended.
    Running,
    /// It is done, without warnings.
    Done,
    /// It is done, with warnings.
    Warnings,
    /// It failed, or was interrupted.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunResult {
    /// Returns the result of a run that ended, or did not end, so.
    pub fn of(outcome: Option<&RunOutcome>) -> Self {
        match outcome {
            None => Self::Running,
            Some(RunOutcome::Done { warnings, .. }) if !warnings.is_empty() => Self::Warnings,
            Some(RunOutcome::Done { .. } | RunOutcome::Elsewhere) => Self::Done,
            Some(RunOutcome::Failed { .. } | RunOutcome::Lost) => Self::Failed,
            Some(RunOutcome::Cancelled) => Self::Cancelled,
        }
    }

    fn is_of(self, outcome: Option<&RunOutcome>) -> bool {
        self == Self::of(outcome)
    }
}

/// Which runs are asked for.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this instance alone.
    pub instance: Option<String>,
    /// Of this job alone.
    pub job: Option<Job>,
    /// Those alone that ended so, or have not ended.
    pub result: Option<RunResult>,
    /// Those that began before this one, for the next page.
    pub before: Option<RunId>,
    /// The most runs to return.
    pub limit: Option<usize>,
}

impl Handle {
    /// Opens the state folder that `config` names. Nothing runs yet.
    ///
    /// # Errors
    /// [`OpenError::NoStateDir`]; [`JournalError::InUse`] where another daemon has it open.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let connection = Arc::new(Connection::default());
        let worker = Arc::new(Engine { connection: connection.clone() });
        Self::open_with(config, Arc::new(SystemClock), worker, connection)
    }

    pub(crate) fn open_with(
        config: Config,
        clock: Arc<dyn Clock>,
        worker: Arc<dyn Worker>,
        connection: Arc<Connection>,
    ) -> Result<Self, OpenError> {
        let state_dir = config.daemon.state_dir.clone().ok_or(OpenError::NoStateDir)?;
        let journal = Journal::open(&state_dir, clock.now())?;
        if let [first, ..] = journal.damaged_lines() {
            let count = journal.damaged_lines().len();
            tracing::warn!(first, count, folder = %state_dir.display(), "unable to read some lines of the journal");
        }
        Ok(Self(Arc::new(Shared::new(config, clock, worker, connection, state_dir, journal))))
    }

    /// Returns the current configuration.
    pub fn config(&self) -> Arc<Config> {
        self.0.settings().config
    }

    /// Returns when the daemon began.
    pub fn began_at(&self) -> Timestamp {
        self.0.began_at
    }

    /// Returns the time, by the daemon's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Returns the folder of its state.
    pub fn state_dir(&self) -> &std::path::Path {
        &self.0.state_dir
    }

    /// Returns the repository, opened once and kept.
    ///
    /// # Errors
    /// Those of [`Repository::at`]
    pub async fn repository(&self) -> Result<Repository, RepositoryError> {
        self.0.connection.repository(&self.config().repository).await
    }

    /// Returns every instance of the configuration, by name, with its jobs.
    pub fn instances(&self) -> Vec<InstanceView> {
        let Settings { config, agenda } = self.0.settings();
        let live = self.0.live().clone();
        let running = |name: &str, job| live.values().find(|run| run.is(name, job)).map(|run| run.id());
        instances(&config, &agenda, &self.0.journal(), running, self.now())
    }

    /// Returns the notifiers and their state.
    pub fn notifiers(&self) -> Vec<Standing> {
        self.0.notifiers()
    }

    /// Returns the runs that have not ended, oldest first.
    pub fn live(&self) -> Vec<LiveRun> {
        self.0.live().values().map(|run| run.view()).collect()
    }

    /// Returns a run that has not ended.
    pub fn live_run(&self, id: RunId) -> Option<LiveRun> {
        self.0.live().get(&id).map(|run| run.view())
    }

    /// Returns the run that is replacing a target or waits to, if any.
    pub fn replacing(&self, target: &str) -> Option<RunId> {
        self.0.live().values().find(|run| run.replaces(target)).map(|run| run.id())
    }

    /// Returns what the journal says of a run, ended or not.
    pub fn run(&self, id: RunId) -> Option<RunRecord> {
        self.0.journal().run(id).cloned()
    }

    /// Returns runs, newest first, ended or not.
    pub fn runs(&self, filter: &RunFilter) -> Vec<RunRecord> {
        let journal = self.0.journal();
        let wanted = |run: &&RunRecord| {
            filter.instance.as_ref().is_none_or(|name| *name == run.instance)
                && filter.job.is_none_or(|job| job == run.job)
                && filter.result.is_none_or(|result| result.is_of(run.outcome.as_ref()))
                && filter.before.is_none_or(|before| run.id < before)
        };
        journal.runs().rev().filter(wanted).take(filter.limit.unwrap_or(usize::MAX)).cloned().collect()
    }

    /// Passes the outcome of each run that ended at this time or later to `each`.
    pub(crate) fn each_ended_since(&self, since: Timestamp, each: impl FnMut(&RunOutcome)) {
        let journal = self.0.journal();
        let ended = journal.runs().filter(|run| run.ended_at.is_some_and(|at| at >= since));
        ended.filter_map(|run| run.outcome.as_ref()).for_each(each);
    }

    /// Looks again and returns why the daemon's state is not on the disk; `None` where it is. Runs
    /// continue either way.
    pub async fn state_trouble(&self) -> Option<Explanation> {
        let looked = self.0.write(|journal| {
            journal.settle();
            journal.trouble().map(JournalError::explain)
        });
        looked.await.unwrap_or_else(|error| Some(error.explain()))
    }

    /// Returns the lines of a run's log, ended or not; none if it logged nothing, or was removed.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn log(&self, id: RunId) -> Result<Vec<LogLine>, LogError> {
        crate::log::read(&self.0.state_dir, id)
    }

    /// Returns all events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// Starts a run. It is queued while the limit of concurrent runs is reached.
    ///
    /// # Errors
    /// [`RefusedStart`]
    pub async fn start(&self, instance: &str, order: Order) -> Result<RunId, RefusedStart> {
        self.begin(instance, order, Trigger::Request).await
    }

    pub(crate) async fn begin(&self, instance: &str, order: Order, trigger: Trigger) -> Result<RunId, RefusedStart> {
        let shared = &self.0;
        let _one_at_a_time = shared.starting.lock().await;
        if shared.stopping.is_cancelled() {
            return Err(RefusedStart::Stopping);
        }
        self.config().instance(instance)?;
        let (job, target) = (order.job(), order.target().map(ToOwned::to_owned));
        let is_same = |run: &&Arc<Live>| match &target {
            Some(target) => run.replaces(target),
            None => run.is(instance, job),
        };
        if let Some(run) = shared.live().values().find(is_same) {
            let article = if run.record.job == Job::Undo { "an" } else { "a" };
            return Err(RefusedStart::AlreadyRunning { what: format!("{article} {}", run.what()), run: run.id() });
        }
        let (name, now) = (instance.to_owned(), shared.clock.now());
        let record = shared
            .write(move |journal| {
                let id = journal.begin(&name, job, target.as_deref(), trigger.clone(), now);
                RunRecord::begun(id, (name, job, target), trigger, now)
            })
            .await?;
        let live = Arc::new(Live::new(record.clone(), order));
        shared.live().insert(record.id, live.clone());
        shared.tell(Event::Began { run: record.clone() });
        shared.tasks.spawn(crate::run::live(shared.clone(), live));
        Ok(record.id)
    }

    /// Stops a run, and returns whether it was running. The run cleans up after itself, which takes
    /// a moment.
    pub fn cancel(&self, id: RunId) -> bool {
        let live = self.0.live().get(&id).cloned();
        live.inspect(|run| run.cancel()).is_some()
    }

    /// Reloads the configuration. Running attempts continue with the former one; later attempts use
    /// the new one. `listen`, `token_file` and `state_dir` take effect when the daemon is
    /// restarted.
    ///
    /// # Errors
    /// What is wrong with it. The former configuration then stays in use.
    pub async fn reload(&self) -> Result<(), ConfigError> {
        let config = self.config();
        let path = config.path.clone();
        let file = ConfigFile { path: path.clone(), searched: config.searched };
        let read = tokio::task::spawn_blocking(move || file.load()).await;
        let read = read.unwrap_or_else(|error| Err(ConfigError::Unreadable { path, source: error.into() }));
        match read {
            Ok(config) => {
                for warning in &config.warnings {
                    tracing::warn!("{warning}");
                }
                self.0.permits.set_limit(config.daemon.max_concurrent);
                *self.0.lock_settings() = Settings::new(config);
                tracing::info!("configuration reloaded");
                self.0.tell(Event::Reloaded);
                self.0.changed.notify_one();
                Ok(())
            }
            Err(error) => {
                tracing::error!("unable to reload the configuration, the previous one stays in use: {error}");
                self.0.tell(Event::ReloadFailed { error: explain(&error) });
                Err(error)
            }
        }
    }

    /// Returns a token that is cancelled when the daemon is stopping: servers then accept nothing
    /// new.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }
}
