//! Describes an Odoo database and its filestore, as a backup reads them.

#[cfg(test)]
pub(crate) mod made_up;

use std::path::PathBuf;
use std::time::Duration;

use ::retention::{Age, Percent, Policy};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::odoo::HoldCollector;
use crate::postgres::Database;
use crate::stream::Level;

/// One Odoo database and its filestore.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The name in the repository, a valid segment of a [`crate::store::Key`].
    pub name: String,
    /// The database.
    pub database: Database,
    /// The filestore's folder: `<data_dir>/filestore/<database>`, or another. Empty where it is not
    /// known: see [`crate::filestore::known`].
    pub filestore: PathBuf,
    /// Whether Odoo's collector is paused while the filestore is read.
    pub hold_filestore_gc: HoldCollector,
    /// The compression level of its dump and files.
    pub compression_level: Level,
    /// How long dumps build upon the same full one. Counted in the time zone of the retention.
    pub full_every: Age,
    /// Which of its backups are kept.
    pub retention: Retention,
    /// The longest time between two backups by the schedule. `None` if there is no schedule.
    pub interval: Option<SignedDuration>,
}

impl Instance {
    /// Returns how long dumps build upon the same full one, unless configured: a month.
    pub fn full_every() -> Age {
        Age::months(1)
    }

    /// Returns an instance with default settings and without a schedule, such as an import while it
    /// is backed up.
    pub fn new(name: impl Into<String>, database: Database, filestore: PathBuf) -> Self {
        Self {
            name: name.into(),
            database,
            filestore,
            hold_filestore_gc: HoldCollector::Auto,
            compression_level: Level::default(),
            full_every: Self::full_every(),
            retention: Retention::default(),
            interval: None,
        }
    }
}

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
