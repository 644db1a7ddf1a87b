//! The keys of an instance: how it is backed up, checked and drilled, and when.

use super::Key;

pub(crate) const BACKUP: &[Key] = &[
    Key {
        name: "hold_filestore_gc",
        kind: "string",
        default: "`auto`",
        about: "Whether Odoo's garbage collector is blocked while the files are read: `auto` (Odoo 17.0 and later, if role and server allow it), `always` (else the backup fails), `never`",
        example: "\"auto\"",
        also: &["hold_gc", "lock_filestore"],
    },
    Key {
        name: "compression_level",
        kind: "integer",
        default: "2",
        about: "Compression level of zstd: 1 (fastest) to 19 (smallest; much slower, and needs more memory)",
        example: "6",
        also: &["compression", "level", "compress_level", "compress"],
    },
    Key {
        name: "full_every",
        kind: "string",
        default: "`\"1 month\"`",
        about: "How long dumps build upon the same full one. Then the next backup stores its dump in full",
        example: "\"2 weeks\"",
        also: &["full", "full_interval", "full_backup_every"],
    },
    Key {
        name: "timezone",
        kind: "string",
        default: "the system's; UTC if that has no name",
        about: "Time zone of its schedules and days: a name of the IANA database",
        example: "\"Europe/Brussels\"",
        also: &["tz", "time_zone", "zone"],
    },
];

/// What the daemon does with an instance by itself.
pub(crate) const ROUTINE: &[Key] = &[
    Key {
        name: "schedule",
        kind: "string",
        default: "none: the daemon does not back it up",
        about: "When the daemon backs it up, as in crontab(5), in its time zone",
        example: "\"0 2 * * *\"",
        also: &["cron", "crontab", "when", "backup_schedule"],
    },
    Key {
        name: "prune",
        kind: "boolean",
        default: "`true`",
        about: "Whether the daemon and `now --prune` prune its backups after each good backup; `false` if another machine prunes",
        example: "true",
        also: &["auto_prune", "prune_after_backup", "autoprune"],
    },
    Key {
        name: "catch_up",
        kind: "boolean",
        default: "`true`",
        about: "Whether the daemon makes up once for runs that it missed while it was down or the machine asleep",
        example: "true",
        also: &["persistent", "catchup", "missed"],
    },
    Key {
        name: "splay",
        kind: "string",
        default: "`\"0s\"`",
        about: "Delay up to which runs are spread after their time, always the same for an instance, so that many instances do not start in the same second",
        example: "\"10 minutes\"",
        also: &["jitter", "randomized_delay", "delay"],
    },
    Key {
        name: "retries",
        kind: "integer",
        default: "3",
        about: "How often the daemon repeats a failed run, with growing pauses, before it counts as failed",
        example: "3",
        also: &["retry", "attempts", "tries"],
    },
    Key {
        name: "stall_timeout",
        kind: "string",
        default: "`\"30 minutes\"`",
        about: "How long a run of the daemon, or `now`, `restore`, `drill` or `import`, may make no progress before it is stopped; the whole run has no limit. It also limits each check of `doctor`, as two minutes do",
        example: "\"30 minutes\"",
        also: &["timeout", "stall", "hang_timeout"],
    },
    Key {
        name: "stale_after",
        kind: "string",
        default: "the longest pause of `schedule` and half of it more (at least an hour, at most a day); without a schedule, never",
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
        about: "How much of them is read back each time: a part (`\"5%\"`) or an amount (`\"10GB\"`), what was read longest ago first; `true`: all",
        example: "\"5%\"",
        also: &["read", "full", "deep"],
    },
];

pub(crate) const SCRATCH: &[Key] = &[
    Key {
        name: "schedule",
        kind: "string",
        default: "none: the daemon does not drill it",
        about: "When the daemon drills the instance's latest backup, as `schedule` of the instance",
        example: "\"0 5 * * 0\"",
        also: &["cron", "crontab", "when"],
    },
    Key {
        name: "target",
        kind: "string",
        default: "none: the instance's own server",
        about: "Name of a target: the copy is made on its server, next to its filestore, and neutralized as it says; the target itself is not touched",
        example: "\"staging\"",
        also: &["to", "server", "host"],
    },
    Key {
        name: "folder",
        kind: "path",
        default: "the folder that contains the target's or else the instance's filestore",
        about: "Folder for the filestore of the copy",
        example: "\"/mnt/scratch\"",
        also: &["filestore", "data_dir", "directory", "path"],
    },
    Key {
        name: "verify",
        kind: "string",
        default: "`\"quick\"`",
        about: "How deeply the copy is verified: `quick`, or `full`, which reads every file back",
        example: "\"full\"",
        also: &["depth"],
    },
    Key {
        name: "trusted",
        kind: "boolean",
        default: "`false`",
        about: "Whether everybody who can write to the repository is trusted with the drill's server: a role that may run programs there, such as a superuser, is accepted, and statements that pg_dump does not write are run",
        example: "true",
        also: &["trust", "trusted_repository"],
    },
];
