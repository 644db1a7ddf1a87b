//! Decides whether the thread of a put may still commit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The thread's side of the agreement.
///
/// A dropped future cannot stop the thread that works for it, and flushing a large file takes a
/// while. A rename after that would make an object appear although the caller has already cleaned
/// up.
#[derive(Debug, Default)]
pub(super) struct Consent(Mutex<Option<TaskTrackerToken>>);

impl Consent {
    /// Runs `commit` unless consent was withdrawn. Consent cannot be withdrawn in the meantime.
    pub(super) fn commit<T>(&self, commit: impl FnOnce() -> T) -> Option<T> {
        let withdrawn = self.lock();
        withdrawn.is_none().then(commit)
    }

    fn lock(&self) -> MutexGuard<'_, Option<TaskTrackerToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The future's side. Dropping it withdraws consent.
#[derive(Debug)]
pub(super) struct Caller {
    consent: Arc<Consent>,
    abandoned: TaskTracker,
}

impl Caller {
    /// Starts an agreement. If the caller drops its side first, `abandoned` tracks the thread until
    /// it drops its own.
    pub(super) fn new(abandoned: &TaskTracker) -> (Self, Arc<Consent>) {
        let consent = Arc::<Consent>::default();
        (Self { consent: consent.clone(), abandoned: abandoned.clone() }, consent)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        *self.consent.lock() = Some(self.abandoned.token());
    }
}
