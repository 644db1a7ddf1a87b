//! The keys of an instance: how it is backed up, checked and drilled, and when.

use super::Key;

pub(crate) const BACKUP: &[Key] = &[
    Key {
        name: "hold_filestore_gc",
        kind: "string",
        default: "`auto`",
        about: "Whether Odoo's collector of deleted files is kept out while the files are read: `auto` (from series 17.0 on, where role and server allow it), `always` (a backup fails where it cannot be), `never`",
        example: "\"auto\"",
        also: &["hold_gc", "lock_filestore"],
    },
    Key {
        name: "compression_level",
        kind: "integer",
        default: "2",
        about: "How hard dump and files are compressed by zstd: 1 (fastest) to 19 (smallest; much slower, and in need of more memory)",
        example: "6",
        also: &["compression", "level", "compress_level", "compress"],
    },
    Key {
        name: "timezone",
        kind: "string",
        default: "the system's; UTC where that has no name",
        about: "Where its days begin: a name of the IANA database",
        example: "\"Europe/Brussels\"",
        also: &["tz", "time_zone", "zone"],
    },
];

/// What the daemon does with an instance by itself.
pub(crate) const ROUTINE: &[Key] = &[
    Key {
        name: "schedule",
        kind: "string",
        default: "none: the daemon makes no backup by itself",
        about: "When the daemon backs it up, in crontab(5)'s words and its own time zone",
        example: "\"0 2 * * *\"",
        also: &["cron", "crontab", "when", "backup_schedule"],
    },
    Key {
        name: "prune",
        kind: "boolean",
        default: "`true`",
        about: "Whether the daemon and `now --prune` prune its backups by its retention policy after each good backup; `false` where another machine prunes",
        example: "true",
        also: &["auto_prune", "prune_after_backup", "autoprune"],
    },
    Key {
        name: "catch_up",
        kind: "boolean",
        default: "`true`",
        about: "Whether the daemon does once, late, what it missed while it was down or the machine asleep",
        example: "true",
        also: &["persistent", "catchup", "missed"],
    },
    Key {
        name: "splay",
        kind: "string",
        default: "`\"0s\"`",
        about: "Within how long after its time a run begins, always at the same place in it, so that many instances do not begin at the same second",
        example: "\"10 minutes\"",
        also: &["jitter", "randomized_delay", "delay"],
    },
    Key {
        name: "retries",
        kind: "integer",
        default: "3",
        about: "How often the daemon tries again what failed, with growing pauses, before that counts as a failure",
        example: "3",
        also: &["retry", "attempts", "tries"],
    },
    Key {
        name: "stall_timeout",
        kind: "string",
        default: "`\"30 minutes\"`",
        about: "How long nothing may advance before a run of the daemon, or `now`, `restore`, `drill` or `import`, is stopped: no limit on the whole. No check of `doctor` takes longer, nor than two minutes",
        example: "\"30 minutes\"",
        also: &["timeout", "stall", "hang_timeout"],
    },
    Key {
        name: "stale_after",
        kind: "string",
        default: "half as long again as the longest pause of `schedule`, at least an hour and at most a day more; without one, never",
        about: "How old its newest good backup may become before it is stale",
        example: "\"36 hours\"",
        also: &["stale", "max_age", "rpo"],
    },
];

pub(crate) const CHECK_ROUTINE: &[Key] = &[
    Key {
        name: "schedule",
        kind: "string",
        default: "required",
        about: "When the daemon checks the instance's backups, as `schedule` of the instance",
        example: "\"30 4 * * *\"",
        also: &["cron", "crontab", "when"],
    },
    Key {
        name: "read_data",
        kind: "string or boolean",
        default: "`false`: nothing",
        about: "How much of them is read back each time, a part (`\"5%\"`) or so many bytes (`\"10GB\"`), what was read longest ago first; `true`: all",
        example: "\"5%\"",
        also: &["read", "full", "deep"],
    },
];

pub(crate) const SCRATCH: &[Key] = &[
    Key {
        name: "schedule",
        kind: "string",
        default: "none: the daemon drills nothing by itself",
        about: "When the daemon drills the instance's latest backup, as `schedule` of the instance",
        example: "\"0 5 * * 0\"",
        also: &["cron", "crontab", "when"],
    },
    Key {
        name: "target",
        kind: "string",
        default: "none: the instance's own server",
        about: "Name of a target on whose server and beside whose filestore the copy is made, and made harmless as it says; the target itself is left as it is",
        example: "\"staging\"",
        also: &["to", "server", "host"],
    },
    Key {
        name: "folder",
        kind: "path",
        default: "the folder that the target's, or else the instance's filestore lies in",
        about: "Folder in which the copy's filestore is made",
        example: "\"/mnt/scratch\"",
        also: &["filestore", "data_dir", "directory", "path"],
    },
    Key {
        name: "verify",
        kind: "string",
        default: "`\"quick\"`",
        about: "How much is read to verify the copy: `quick`, or `full`, which reads every file back",
        example: "\"full\"",
        also: &["depth"],
    },
    Key {
        name: "trusted",
        kind: "boolean",
        default: "`false`",
        about: "Whether whoever can write to the repository is trusted with the server of the drill: a role that may run programs on its server, as a superuser may, is not refused, and what pg_dump does not write is run",
        example: "true",
        also: &["trust", "trusted_repository"],
    },
];
