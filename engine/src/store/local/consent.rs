//! Whether a put's thread may still commit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The thread's end of the agreement.
///
/// A future that is dropped cannot stop the thread that works for it, and flushing a large file to
/// the disk takes a while. A rename after that would make an object appear which the caller, who
/// has cleaned up since, believes not to be there.
#[derive(Debug, Default)]
pub(super) struct Consent(Mutex<Option<TaskTrackerToken>>);

impl Consent {
    /// Runs `commit` unless consent was withdrawn; it is not withdrawn in between.
    pub(super) fn commit<T>(&self, commit: impl FnOnce() -> T) -> Option<T> {
        let withdrawn = self.lock();
        withdrawn.is_none().then(commit)
    }

    fn lock(&self) -> MutexGuard<'_, Option<TaskTrackerToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The future's end: consent is withdrawn when it is dropped.
#[derive(Debug)]
pub(super) struct Caller {
    consent: Arc<Consent>,
    abandoned: TaskTracker,
}

impl Caller {
    /// Begins an agreement. Where the caller goes first, `abandoned` tracks the thread until it has
    /// let go of its end.
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
