//! The state that all of the daemon shares.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use config::Config;
use jiff::Timestamp;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agenda::{Entry, Job, entries};
use crate::clock::Clock;
use crate::journal::{Journal, JournalError, RunId};
use crate::live::Live;
use crate::permits::Permits;
use crate::sources::Connection;
use crate::view::{Event, Standing};
use crate::work::Worker;

/// Events that a subscriber may lag behind.
const EVENTS: usize = 1024;

/// What every handle of a daemon stands for.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) worker: Arc<dyn Worker>,
    pub(crate) permits: Permits,
    /// Woken when what is due may have changed.
    pub(crate) changed: Notify,
    /// Cancelled when the daemon is to end: nothing new begins.
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) connection: Arc<Connection>,
    settings: Mutex<Settings>,
    journal: Arc<Mutex<Journal>>,
    pub(crate) state_dir: PathBuf,
    live: Mutex<BTreeMap<RunId, Arc<Live>>>,
    /// Only one run of a job of an instance may start at a time.
    pub(crate) starting: tokio::sync::Mutex<()>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) began_at: Timestamp,
    notifiers: Mutex<Vec<Standing>>,
}

/// What follows from the configuration.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    pub(crate) agenda: Arc<BTreeMap<(String, Job), Entry>>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        worker: Arc<dyn Worker>,
        connection: Arc<Connection>,
        state_dir: PathBuf,
        journal: Journal,
    ) -> Self {
        Self {
            began_at: clock.now(),
            clock,
            worker,
            permits: Permits::new(config.daemon.max_concurrent),
            changed: Notify::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            connection,
            settings: Mutex::new(Settings::new(config)),
            journal: Arc::new(Mutex::new(journal)),
            state_dir,
            live: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
            events: broadcast::channel(EVENTS).0,
            notifiers: Mutex::default(),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.lock_settings().clone()
    }

    pub(crate) fn lock_settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        self.settings().config
    }

    pub(crate) fn agenda(&self) -> Arc<BTreeMap<(String, Job), Entry>> {
        self.settings().agenda
    }

    pub(crate) fn notifiers(&self) -> Vec<Standing> {
        self.notifiers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_notifiers(&self, notifiers: Vec<Standing>) {
        *self.notifiers.lock().unwrap_or_else(PoisonError::into_inner) = notifiers;
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, BTreeMap<RunId, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to the journal on a thread: each line waits for the disk.
    ///
    /// # Errors
    /// A panic on that thread.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Journal) -> T + Send + 'static,
    ) -> Result<T, JournalError> {
        let journal = self.journal.clone();
        let written =
            tokio::task::spawn_blocking(move || write(&mut journal.lock().unwrap_or_else(PoisonError::into_inner)));
        let path = || self.state_dir.join("journal.jsonl");
        written.await.map_err(|error| JournalError::Io { action: "write", path: path(), source: error.into() })
    }

    /// Sends an event to all subscribers.
    pub(crate) fn tell(&self, event: Event) {
        // There may be no subscriber.
        let _ = self.events.send(event);
    }

    pub(crate) fn has_listeners(&self) -> bool {
        self.events.receiver_count() > 0
    }

    /// Removes a run that has ended: its job can start again.
    pub(crate) fn gone(&self, id: RunId) {
        self.live().remove(&id);
        self.changed.notify_one();
    }
}

impl Settings {
    pub(crate) fn new(config: Config) -> Self {
        let agenda = entries(&config);
        Self { config: Arc::new(config), agenda: Arc::new(agenda) }
    }
}
