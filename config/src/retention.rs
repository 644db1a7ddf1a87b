//! `[instance.NAME.retention]` and `[repository.NAME.retention]`

use ::retention::{Age, Percent, Policy, PolicyError, Zone};
use engine::instance::Retention;

use super::keys;
use super::section::{Reported, Section};
use super::surroundings::system_zone;

/// Reads the section inside `instance`, or says what holds without it. Where it names no zone of
/// its own, `timezone` holds.
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
    // Reads everything before the first `?`, so that all problems are reported at once.
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
        Ok(()) => Ok(Retention {
            policy,
            grace_period: grace?,
            repack: repack?.unwrap_or_default(),
            repack_limit: repack_below?,
        }),
        Err(error) => Err(refuse(section, &error)),
    }
}

fn refuse(section: &Section<'_>, error: &PolicyError) -> Reported {
    section.refuse_all(format!("{error}; {}", error.hint()))
}
