//! What time it is. Pauses are tokio's, whose time a test can pause, too.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// Tells the time of day.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the time now.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The longest time between two looks at the clock. Timers stop while a machine sleeps, and ignore
/// that a clock was set.
const LOOK: Duration = Duration::from_mins(1);

/// Returns when `clock` shows `moment`, or was set back: what is due next may have changed then.
/// Never for `None`, unless it is set back.
pub(crate) async fn until(clock: &dyn Clock, moment: Option<Timestamp>) {
    loop {
        let before = clock.now();
        let left = moment.map_or(LOOK, |moment| moment.duration_since(before).try_into().unwrap_or_default());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
        if clock.now() < before {
            return;
        }
    }
}

/// Follows the time of tokio, which passes in a test that pauses it as soon as there is nothing
/// else to do.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct PausedClock {
    began_at: std::sync::Mutex<Timestamp>,
    began: tokio::time::Instant,
}

#[cfg(test)]
impl PausedClock {
    pub(crate) fn at(began_at: Timestamp) -> Self {
        Self { began_at: std::sync::Mutex::new(began_at), began: tokio::time::Instant::now() }
    }

    /// Sets the clock, while time passes as before.
    pub(crate) fn step(&self, by: jiff::SignedDuration) {
        *self.began_at.lock().unwrap() += by;
    }
}

#[cfg(test)]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        *self.began_at.lock().unwrap() + self.began.elapsed()
    }
}
