//! How long a failed operation waits before the next attempt.

use std::time::Duration;

/// Pauses between attempts: the first one, a factor by which each further one grows, and the
/// longest.
///
/// ```
/// # use std::time::Duration;
/// # use engine::backoff::Backoff;
/// let backoff = Backoff::new(Duration::from_secs(30), 4, Duration::from_hours(1));
/// let pauses = [0, 1, 2, 3, 4, 5].map(|failures| backoff.after(failures).as_secs());
/// assert_eq!(pauses, [0, 30, 120, 480, 1920, 3600]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    factor: u32,
    longest: Duration,
}

impl Backoff {
    /// Returns a backoff whose pauses grow.
    pub const fn new(first: Duration, factor: u32, longest: Duration) -> Self {
        Self { first, factor, longest }
    }

    /// Returns a backoff whose pauses are all equal.
    pub const fn constant(pause: Duration) -> Self {
        Self { first: pause, factor: 1, longest: pause }
    }

    /// Returns the pause after so many failures in a row: none where nothing has failed.
    pub fn after(self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(further) => self.first.saturating_mul(self.factor.saturating_pow(further)).min(self.longest),
        }
    }

    /// Returns the same pause, lengthened by up to its own length, so that operations that failed
    /// together do not all retry together. `random` is any number.
    pub fn spread(self, failures: u32, random: u32) -> Duration {
        self.after(failures).mul_f64(1.0 + f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pause_grows_to_longest() {
        let backoff = Backoff::new(SECOND, 2, SECOND * 20);
        let pauses = [0, 1, 2, 3, 4, 5, 6, 7, u32::MAX].map(|failures| backoff.after(failures).as_secs());
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 20, 20, 20]);
    }

    #[test]
    fn constant_pause_stays() {
        assert_eq!([1, 2, u32::MAX].map(|failures| Backoff::constant(SECOND).after(failures)), [SECOND; 3]);
    }

    #[test]
    fn spread_pause_is_at_most_doubled() {
        let spread = |random| Backoff::constant(SECOND).spread(1, random);
        assert_eq!((spread(0), spread(u32::MAX)), (SECOND, SECOND * 2));
        assert!((SECOND..SECOND * 2).contains(&spread(u32::MAX / 2)));
    }
}
