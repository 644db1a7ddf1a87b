//! A run that has not ended: what it is, what it does at this moment, and how it is stopped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::error::Explanation;
use tokio_util::sync::CancellationToken;

use crate::agenda::Job;
use crate::journal::{RunId, RunOutcome, RunRecord, Trigger};
use crate::progress::RunProgress;
use crate::view::{LiveRun, Phase};
use crate::work::Order;

/// A run that has not ended.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) record: RunRecord,
    pub(crate) order: Order,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: Arc<RunProgress>,
    moment: Mutex<Moment>,
}

/// What changes while it is running.
#[derive(Debug)]
struct Moment {
    phase: Phase,
    attempt: u32,
    last_failure: Option<Explanation>,
    /// Whether a user cancelled this run, rather than the daemon.
    cancelled: bool,
}

impl Live {
    pub(crate) fn new(record: RunRecord, order: Order) -> Self {
        Self {
            record,
            order,
            cancel: CancellationToken::new(),
            progress: Arc::default(),
            moment: Mutex::new(Moment { phase: Phase::Waiting, attempt: 1, last_failure: None, cancelled: false }),
        }
    }

    pub(crate) fn id(&self) -> RunId {
        self.record.id
    }

    /// Returns whether it is this job of this instance.
    pub(crate) fn is(&self, instance: &str, job: Job) -> bool {
        self.record.instance == instance && self.record.job == job
    }

    /// Returns whether it is a restore to this target, or an undo of one.
    pub(crate) fn replaces(&self, target: &str) -> bool {
        self.record.target.as_deref() == Some(target)
    }

    /// Returns what it does, in words.
    pub(crate) fn what(&self) -> String {
        self.record.what()
    }

    /// Stops it on request.
    pub(crate) fn cancel(&self) {
        self.moment().cancelled = true;
        self.cancel.cancel();
    }

    /// Stops it, because the daemon ends.
    pub(crate) fn interrupt(&self) {
        self.cancel.cancel();
    }

    /// Returns how a stopped run ends.
    pub(crate) fn stopped(&self) -> End {
        if self.moment().cancelled { End::RunOutcome(RunOutcome::Cancelled) } else { End::Stopping }
    }

    pub(crate) fn view(&self) -> LiveRun {
        let moment = self.moment();
        LiveRun {
            record: self.record.clone(),
            phase: moment.phase,
            attempt: moment.attempt,
            last_failure: moment.last_failure.clone(),
            stopping: self.cancel.is_cancelled(),
            tasks: self.progress.tasks(),
            phases: self.progress.phases(),
        }
    }

    /// Returns which attempt it is at, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.moment().attempt
    }

    /// Notes what it does from now on.
    pub(crate) fn enter(&self, phase: Phase) {
        self.moment().phase = phase;
    }

    /// Notes why an attempt failed, and that `next` is the one that follows.
    pub(crate) fn try_again(&self, next: u32, failure: Explanation) {
        let mut moment = self.moment();
        moment.attempt = next;
        moment.last_failure = Some(failure);
    }

    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.moment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the slot that it serves.
    pub(crate) fn slot(&self) -> Option<jiff::Timestamp> {
        match self.record.trigger {
            Trigger::Schedule { slot, .. } => Some(slot),
            Trigger::Request => None,
        }
    }
}

/// What ends a run.
#[derive(Debug)]
pub(crate) enum End {
    /// It is over.
    RunOutcome(RunOutcome),
    /// The daemon ends before it: its slot is not served.
    Stopping,
}
