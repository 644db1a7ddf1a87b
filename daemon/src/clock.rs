//! What time it is. Pauses are tokio's, whose time a test can pause, too.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// Tells the time of day.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
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

/// Timers stand still while a machine sleeps, and know nothing of a clock that is set: no longer than this goes by between two looks at it.
const LOOK: Duration = Duration::from_mins(1);

/// Returns when `clock` shows `moment`; never for `None`.
pub(crate) async fn until(clock: &dyn Clock, moment: Option<Timestamp>) {
    let Some(moment) = moment else { return std::future::pending().await };
    loop {
        let left = moment.duration_since(clock.now());
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => tokio::time::sleep(left.min(LOOK)).await,
            _ => return,
        }
    }
}

/// Goes with tokio's time, which a test that pauses it lets pass as soon as there is nothing else to do.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct PausedClock {
    began_at: Timestamp,
    began: tokio::time::Instant,
}

#[cfg(test)]
impl PausedClock {
    pub(crate) fn at(began_at: Timestamp) -> Self {
        Self { began_at, began: tokio::time::Instant::now() }
    }
}

#[cfg(test)]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        self.began_at + self.began.elapsed()
    }
}
