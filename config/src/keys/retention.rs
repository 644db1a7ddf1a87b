//! The keys that say which backups stay.

use super::Key;

const fn slots(
    name: &'static str,
    default: &'static str,
    about: &'static str,
    example: &'static str,
    also: &'static [&'static str],
) -> Key {
    Key { name, kind: "integer", default, about, example, also }
}

pub(crate) const SLOTS: &[Key] = &[
    slots("keep_last", "0", "The newest so many backups stay, whatever their dates", "3", &["last"]),
    Key {
        name: "keep_within",
        kind: "string",
        default: "–",
        about: "All backups that were younger than this when the newest was made stay",
        example: "\"36 hours\"",
        also: &["within"],
    },
    slots("hourly", "0", "The last backup of each of so many hours stays", "24", &["keep_hourly", "hours"]),
    slots("daily", "7", "The last backup of each of so many days stays", "7", &["keep_daily", "days"]),
    slots("weekly", "4", "The last backup of each of so many weeks stays", "4", &["keep_weekly", "weeks"]),
    slots("monthly", "3", "The last backup of each of so many months stays", "12", &["keep_monthly", "months"]),
    slots("yearly", "0", "The last backup of each of so many years stays", "10", &["keep_yearly", "years"]),
];

pub(crate) const LIMITS: &[Key] = &[
    Key {
        name: "timezone",
        kind: "string",
        default: "the instance's",
        about: "Where days begin: a name of the IANA database",
        example: "\"Europe/Brussels\"",
        also: &["tz", "time_zone", "zone"],
    },
    Key {
        name: "stop_if_stale",
        kind: "string",
        default: "three times the longest interval of `schedule`",
        about: "Nothing is removed while the newest backup is older than this",
        example: "\"3 days\"",
        also: &["stale"],
    },
    Key {
        name: "hold_if_shrunk",
        kind: "percentage",
        default: "`\"30%\"`",
        about: "Nothing is removed after rows, attachments or bytes fell by more than this, until a person accepts it; `\"100%\"` switches it off",
        example: "\"30%\"",
        also: &["shrunk"],
    },
    Key {
        name: "grace",
        kind: "string",
        default: "`\"24 hours\"`",
        about: "Objects that nothing names stay until they are older than this",
        example: "\"24 hours\"",
        also: &["grace_period"],
    },
    Key {
        name: "repack",
        kind: "boolean",
        default: "`false`",
        about: "Whether each prune also writes volumes anew most of whose content no backup needs any more, as `prune --repack` does",
        example: "true",
        also: &["compact"],
    },
    Key {
        name: "repack_below",
        kind: "percentage",
        default: "`\"50%\"`",
        about: "Such a volume is written anew where less than this part of its bytes is needed",
        example: "\"50%\"",
        also: &["repack_threshold", "max_unused"],
    },
];
