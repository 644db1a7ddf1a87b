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
    slots("keep_last", "0", "Keep this many of the newest backups, whatever their dates", "3", &["last"]),
    Key {
        name: "keep_within",
        kind: "string",
        default: "–",
        about: "Keep all backups that were younger than this when the newest was made",
        example: "\"36 hours\"",
        also: &["within"],
    },
    slots("hourly", "0", "Keep the last backup of each of this many hours", "24", &["keep_hourly", "hours"]),
    slots("daily", "7", "Keep the last backup of each of this many days", "7", &["keep_daily", "days"]),
    slots("weekly", "4", "Keep the last backup of each of this many weeks", "4", &["keep_weekly", "weeks"]),
    slots("monthly", "3", "Keep the last backup of each of this many months", "12", &["keep_monthly", "months"]),
    slots("yearly", "0", "Keep the last backup of each of this many years", "10", &["keep_yearly", "years"]),
];

pub(crate) const LIMITS: &[Key] = &[
    Key {
        name: "timezone",
        kind: "string",
        default: "the instance's",
        about: "Time zone in which days begin: a name of the IANA database",
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
        about: "Nothing is removed after rows, attachments or bytes fell by more than this, until somebody accepts it; `\"100%\"` turns it off",
        example: "\"30%\"",
        also: &["shrunk"],
    },
    Key {
        name: "grace",
        kind: "string",
        default: "`\"24 hours\"`",
        about: "Unreferenced objects stay until they are older than this",
        example: "\"24 hours\"",
        also: &["grace_period"],
    },
    Key {
        name: "repack",
        kind: "boolean",
        default: "`false`",
        about: "Whether each prune also rewrites volumes with little that backups still need, as `prune --repack` does",
        example: "true",
        also: &["compact"],
    },
    Key {
        name: "repack_below",
        kind: "percentage",
        default: "`\"50%\"`",
        about: "A volume is rewritten if less than this part of its bytes is needed",
        example: "\"50%\"",
        also: &["repack_threshold", "max_unused"],
    },
];
