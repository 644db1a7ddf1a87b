//! Which backups of an instance are kept, and how long unreferenced objects stay.

use std::time::Duration;

use ::retention::{Age, Percent, Policy};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Which backups of an instance are kept, and how long unreferenced objects stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// The policy, with its `timezone` set.
    pub policy: Policy,
    /// `grace`. `None`: 24 hours.
    pub grace_period: Option<Age>,
    /// Whether each prune also repacks volumes of which little is needed.
    pub repack: bool,
    /// `repack_below`. `None`: half.
    pub repack_limit: Option<Percent>,
}

impl Retention {
    /// Returns how old unreferenced objects must be before they are removed.
    pub fn grace(&self) -> Duration {
        const DEFAULT: Duration = Duration::from_hours(24);
        let now = Timestamp::UNIX_EPOCH;
        let length = |age: Age| age.before(now, &TimeZone::UTC).map(|then| now.duration_since(then));
        // An age beyond the beginning of time never ends.
        self.grace_period.map_or(DEFAULT, |age| length(age).unwrap_or(SignedDuration::MAX).unsigned_abs())
    }

    /// Returns the part of a volume's bytes below which it is repacked.
    pub fn repack_below(&self) -> Percent {
        self.repack_limit.unwrap_or(Percent::HALF)
    }
}
