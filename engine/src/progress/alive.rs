//! Detects whether an operation still advances.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Counter, Observer, Progress, Task};

/// Watches reports for activity, and passes them on.
pub(crate) struct Alive {
    inner: Progress,
    /// The counters of all tasks that were started.
    counters: Mutex<Vec<Counter>>,
    /// How many reports there were. A report is activity, as a byte is.
    reports: AtomicU64,
}

impl Alive {
    /// Creates a watch that passes reports on to `inner`.
    pub(crate) fn over(inner: Progress) -> Self {
        Self { inner, counters: Mutex::default(), reports: AtomicU64::new(0) }
    }

    /// Returns when nothing has advanced for `timeout`, or at most a tenth longer.
    pub(crate) async fn stalled(&self, timeout: Duration) {
        let (mut seen, mut still) = (self.mark(), 0);
        while still < 10 {
            tokio::time::sleep(timeout / 10).await;
            let mark = self.mark();
            still = if mark == seen { still + 1 } else { 0 };
            seen = mark;
        }
    }

    fn mark(&self) -> (u64, u64) {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        (counters.iter().map(Counter::get).sum(), self.reports.load(Ordering::Relaxed))
    }
}

impl Observer for Alive {
    fn began(&self, task: &Task) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).push(task.counter());
        self.inner.0.iter().for_each(|inner| inner.began(task));
    }

    fn ended(&self, task: &Task) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        self.inner.0.iter().for_each(|inner| inner.ended(task));
    }

    fn warned(&self, message: &str) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        self.inner.0.iter().for_each(|inner| inner.warned(message));
    }

    fn beat(&self) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        self.inner.0.iter().for_each(|inner| inner.beat());
    }
}
