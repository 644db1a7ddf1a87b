//! `[instance.NAME.retention]` and `[repository.NAME.retention]`

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use retention::{Age, Percent, Policy, Zone};

use super::keys;
use super::place::system_zone;
use super::section::{Reported, Section};

/// Which backups of an instance stay, and how long what nobody needs is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Its `timezone` is set.
    pub policy: Policy,
    /// `grace`; `None`: 24 hours.
    grace: Option<Age>,
    /// Whether each prune also writes volumes anew of which little is needed.
    pub repack: bool,
    /// `repack_below`; `None`: half.
    repack_below: Option<Percent>,
}

impl Retention {
    /// Objects that nothing names stay until they are older than this.
    pub fn grace(&self) -> Duration {
        const DEFAULT: Duration = Duration::from_hours(24);
        let now = Timestamp::UNIX_EPOCH;
        let length = |age: Age| age.before(now, &TimeZone::UTC).map(|then| now.duration_since(then));
        // An age that reaches back before all time never ends.
        self.grace.map_or(DEFAULT, |age| length(age).unwrap_or(SignedDuration::MAX).unsigned_abs())
    }

    /// A volume is written anew where less than this part of its bytes is needed.
    pub fn repack_below(&self) -> Percent {
        self.repack_below.unwrap_or(Percent::HALF)
    }
}

/// Reads the section inside `instance`, or says what holds without it. Where it names no zone of its own, `timezone` holds.
pub(super) fn read(instance: &Section<'_>, timezone: &Zone) -> Result<Retention, Reported> {
    let section = instance.section("retention", &keys::RETENTION);
    match section? {
        Some(section) => read_section(&section, timezone),
        None => {
            let policy = Policy { timezone: Some(timezone.clone()), ..Policy::default() };
            Ok(Retention { policy, ..Retention::default() })
        }
    }
}

/// Reads the section inside a further repository, if there is one.
pub(super) fn read_for_copies(repository: &Section<'_>) -> Result<Option<Retention>, Reported> {
    let section = repository.section("retention", &keys::RETENTION)?;
    section.map(|section| read_section(&section, &system_zone())).transpose()
}

fn read_section(section: &Section<'_>, timezone: &Zone) -> Result<Retention, Reported> {
    let default = Policy::default();
    let count = |key, default| Ok::<u32, Reported>(section.optional(key)?.unwrap_or(default));
    // Everything is read before the first `?`, so that all that is wrong is said at once.
    let counts = [
        count("keep_last", default.keep_last),
        count("hourly", default.hourly),
        count("daily", default.daily),
        count("weekly", default.weekly),
        count("monthly", default.monthly),
        count("yearly", default.yearly),
    ];
    let keep_within = section.optional::<Age>("keep_within");
    let own_zone = section.optional::<Zone>("timezone");
    let stop_if_stale = section.optional::<Age>("stop_if_stale");
    let hold_if_shrunk = section.optional::<Percent>("hold_if_shrunk");
    let grace = section.optional::<Age>("grace");
    let repack = section.optional::<bool>("repack");
    let repack_below = section.optional::<Percent>("repack_below");
    let [keep_last, hourly, daily, weekly, monthly, yearly] = counts;
    let policy = Policy {
        keep_last: keep_last?,
        keep_within: keep_within?,
        hourly: hourly?,
        daily: daily?,
        weekly: weekly?,
        monthly: monthly?,
        yearly: yearly?,
        timezone: Some(own_zone?.unwrap_or_else(|| timezone.clone())),
        stop_if_stale: stop_if_stale?,
        hold_if_shrunk: hold_if_shrunk?.unwrap_or(default.hold_if_shrunk),
    };
    match policy.validate() {
        Ok(()) => {
            Ok(Retention { policy, grace: grace?, repack: repack?.unwrap_or_default(), repack_below: repack_below? })
        }
        Err(error) => Err(section.refuse_all(format!("{error}; {}", error.hint()))),
    }
}
