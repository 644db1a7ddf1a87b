//! How far a run is.

mod phases;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::progress::{Counter, Observer, Task};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::phases::PhaseState;
use self::phases::Phases;
use crate::journal::PhaseTook;

/// More warnings of one attempt are in its log alone.
const MOST_WARNINGS: usize = 100;

/// A part of a run that counts bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskState {
    /// What it is about: `database`.
    pub name: String,
    /// Bytes so far.
    pub done_bytes: u64,
    /// Bytes in all, where that is known or can be guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_bytes: Option<u64>,
}

/// What the engine reports of one run.
#[derive(Debug, Default)]
pub(crate) struct RunProgress {
    tasks: Mutex<Vec<(TaskState, Counter)>>,
    phases: Mutex<Phases>,
    /// Bytes of the tasks that have ended.
    ended: AtomicU64,
    /// Everything that was reported: a sign of life like a byte.
    reports: AtomicU64,
    warnings: Mutex<Vec<String>>,
}

impl RunProgress {
    /// Returns the running tasks, in the order in which they started.
    pub(crate) fn tasks(&self) -> Vec<TaskState> {
        let tasks = self.lock();
        tasks.iter().map(|(task, counter)| TaskState { done_bytes: counter.get(), ..task.clone() }).collect()
    }

    /// Takes the warnings that were reported since this was last asked.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the phases of this attempt, in the order in which they began.
    pub(crate) fn phases(&self) -> Vec<PhaseState> {
        // In this order everywhere: a task that ends in between would count twice.
        let tasks = self.lock();
        let seen: Vec<_> = tasks.iter().map(|(task, counter)| (task.name.as_str(), counter.get())).collect();
        self.lock_phases().seen(&seen)
    }

    /// Returns how long they took.
    pub(crate) fn took(&self) -> Vec<PhaseTook> {
        self.lock_phases().took()
    }

    /// Forgets the phases and warnings of an earlier attempt.
    pub(crate) fn begin_attempt(&self) {
        self.take_warnings();
        *self.lock_phases() = Phases::default();
    }

    fn lock_phases(&self) -> MutexGuard<'_, Phases> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when nothing has advanced for `timeout`.
    pub(crate) async fn stalled(&self, timeout: Duration) {
        // Ten looks: what it notices, it notices within a tenth more than the timeout.
        let pause = timeout / 10;
        let (mut seen, mut still) = (self.mark(), 0);
        while still < 10 {
            tokio::time::sleep(pause).await;
            let mark = self.mark();
            still = if mark == seen { still + 1 } else { 0 };
            seen = mark;
        }
    }

    fn mark(&self) -> (u64, u64) {
        let tasks = self.lock();
        let running: u64 = tasks.iter().map(|(_, counter)| counter.get()).sum();
        (self.ended.load(Ordering::Relaxed) + running, self.reports.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(TaskState, Counter)>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for RunProgress {
    fn began(&self, task: &Task) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        let state = TaskState { name: task.name().to_owned(), done_bytes: 0, total_bytes: task.total() };
        let mut tasks = self.lock();
        self.lock_phases().began(&state.name, state.total_bytes);
        tasks.push((state, task.counter()));
    }

    fn ended(&self, task: &Task) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        let mut tasks = self.lock();
        // Several may have one name; which of them ended does not matter as long as as many bytes
        // went with it.
        let same = |(state, counter): &(TaskState, Counter)| state.name == task.name() && counter.get() == task.done();
        if let Some(at) = tasks.iter().position(same) {
            tasks.remove(at);
            self.lock_phases().ended(task.name(), task.done());
            self.ended.fetch_add(task.done(), Ordering::Relaxed);
        }
    }

    fn warned(&self, message: &str) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.len() < MOST_WARNINGS {
            warnings.push(message.to_owned());
        }
    }

    fn beat(&self) {
        self.reports.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::progress::Progress;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_missing_progress_is_stall() {
        let progress = Arc::new(RunProgress::default());
        let reported = Progress::new(progress.clone());
        let watch = tokio::spawn({
            let progress = progress.clone();
            async move { progress.stalled(Duration::from_secs(60)).await }
        });
        let task = reported.task("database", Some(100));
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            task.advance(1);
        }
        assert!(!watch.is_finished());
        assert_eq!(progress.tasks(), [TaskState { name: "database".into(), done_bytes: 10, total_bytes: Some(100) }]);
        drop(task);
        assert_eq!(progress.tasks(), []);
        let before = tokio::time::Instant::now();
        watch.await.unwrap();
        assert!(before.elapsed() >= Duration::from_secs(54), "{:?}", before.elapsed());
    }
}
