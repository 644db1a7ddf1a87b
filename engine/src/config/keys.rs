//! Every section and key that a configuration may hold, in one place: what is unknown is told from it, what is nearest is found in it,
//! `init` writes its comments from it, and a test holds the reference in `docs/configuration.md` against it.

use super::error::nearest;

/// One key of a section.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The type of its value, in the reference's words.
    pub kind: &'static str,
    /// What holds where it is left out, in the reference's words.
    pub default: &'static str,
    /// What it means, in a sentence without its final stop.
    pub about: &'static str,
    /// A value, written as TOML.
    pub example: &'static str,
    /// What people write for it when they know other tools' words, odoo.conf's first.
    pub also: &'static [&'static str],
}

/// A kind of section.
#[derive(Debug)]
pub struct SectionKeys {
    /// Its header: `repository`, `instance.NAME`.
    pub header: &'static str,
    /// Its keys; sections share groups of them.
    pub groups: &'static [&'static [Key]],
    /// The sections inside it.
    pub sections: &'static [Key],
    /// Whether sections of any name stand inside it.
    pub named: bool,
}

impl SectionKeys {
    /// Every key, in the order of the reference.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.groups.iter().copied().flatten()
    }

    /// Whether there is a key or a section of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.all().any(|key| key.name == name)
    }

    fn all(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.keys().chain(self.sections)
    }

    /// The key that an unknown name was most likely meant to be.
    pub(super) fn nearest(&self, name: &str) -> Option<&'static str> {
        let same_thing = self.all().find(|key| key.also.contains(&name)).map(|key| key.name);
        same_thing.or_else(|| nearest(name, self.all().map(|key| key.name)))
    }
}

/// The file itself: its sections.
pub const FILE: SectionKeys = SectionKeys { header: "", groups: &[], sections: SECTIONS, named: false };

/// `[repository]`
pub const REPOSITORY: SectionKeys =
    SectionKeys { header: "repository", groups: &[PLACE, S3], sections: &[], named: true };

/// `[repository.NAME]`
pub const COPIES: SectionKeys =
    SectionKeys { header: "repository.NAME", groups: &[PLACE, S3, COPY], sections: &[KEPT], named: false };

/// `[instance.NAME]`
pub const INSTANCE: SectionKeys = SectionKeys {
    header: "instance.NAME",
    groups: &[ODOO, DATABASE, FILESTORE, BACKUP, ROUTINE],
    sections: INSIDE,
    named: false,
};

/// `[instance.NAME.retention]`
pub const RETENTION: SectionKeys =
    SectionKeys { header: "instance.NAME.retention", groups: &[SLOTS, LIMITS], sections: &[], named: false };

/// `[instance.NAME.check]`
pub const CHECK: SectionKeys =
    SectionKeys { header: "instance.NAME.check", groups: &[CHECK_ROUTINE], sections: &[], named: false };

/// `[instance.NAME.drill]`
pub const DRILL: SectionKeys =
    SectionKeys { header: "instance.NAME.drill", groups: &[SCRATCH], sections: &[], named: false };

/// `[target.NAME]`
pub const TARGET: SectionKeys = SectionKeys {
    header: "target.NAME",
    groups: &[ODOO, DATABASE, FILESTORE, SOURCE, NEUTRAL, ANONYMITY],
    sections: &[],
    named: false,
};

/// `[daemon]`
pub const DAEMON: SectionKeys = SectionKeys { header: "daemon", groups: &[SERVICE], sections: &[], named: false };

/// `[target.NAME.anonymize]`
pub const ANONYMIZE: SectionKeys =
    SectionKeys { header: "target.NAME.anonymize", groups: &[ANONYMIZATION], sections: &[], named: false };

/// `[[notify]]`
pub const NOTIFY: SectionKeys =
    SectionKeys { header: "notify", groups: &[TOLD, WEBHOOK, PING, MAIL], sections: &[], named: false };

const fn section(name: &'static str, about: &'static str, also: &'static [&'static str]) -> Key {
    Key { name, kind: "section", default: "", about, example: "", also }
}

const SECTIONS: &[Key] = &[
    section("repository", "Where backups are kept", &["storage", "destination", "store", "s3"]),
    section("instance", "One Odoo database and its filestore", &["instances", "source", "database", "odoo"]),
    section("target", "A place to restore to", &["targets", "restore"]),
    section("daemon", "The service that runs the schedules", &["service", "server", "scheduler", "http"]),
    section("notify", "Whom the daemon tells", &["notification", "notifications", "notifier", "alert", "alerts"]),
];

const KEPT: Key = section("retention", "Which of its backups stay", &["keep", "policy", "prune", "rotation", "forget"]);

const INSIDE: &[Key] = &[
    KEPT,
    section("check", "When the daemon checks its backups", &["verify", "verification"]),
    section(
        "drill",
        "Where its backups are restored to, to prove that they can be, and when",
        &["drills", "rehearsal", "scratch"],
    ),
];

const PLACE: &[Key] = &[Key {
    name: "url",
    kind: "string",
    default: "required",
    about: "Where backups are kept: `file:///folder` or `s3://bucket/prefix`",
    example: "\"file:///var/lib/odoo-backup\"",
    also: &["path", "location", "bucket", "folder"],
}];

/// The keys of [`REPOSITORY`] that only an S3 repository takes.
pub(super) const S3: &[Key] = &[
    Key {
        name: "endpoint",
        kind: "string",
        default: "AWS's own",
        about: "URL of an S3-compatible server",
        example: "\"https://s3.example.com\"",
        also: &["endpoint_url", "host", "server"],
    },
    Key {
        name: "region",
        kind: "string",
        default: "AWS's chain; with `endpoint`, `us-east-1`",
        about: "Region of the bucket",
        example: "\"eu-central-1\"",
        also: &["aws_region"],
    },
    Key {
        name: "path_style",
        kind: "boolean",
        default: "`true` with `endpoint`, else `false`",
        about: "Whether the bucket stands in the URL's path rather than in its host name",
        example: "true",
        also: &["force_path_style", "use_path_style"],
    },
    Key {
        name: "access_key_id",
        kind: "string",
        default: "AWS's chain",
        about: "Key to sign in with; together with a secret one",
        example: "\"${S3_ACCESS_KEY_ID}\"",
        also: &["access_key", "aws_access_key_id", "key_id"],
    },
    Key {
        name: "secret_access_key",
        kind: "string",
        default: "AWS's chain",
        about: "Secret to sign in with",
        example: "\"${S3_SECRET_ACCESS_KEY}\"",
        also: &["secret_key", "aws_secret_access_key", "secret"],
    },
    Key {
        name: "secret_access_key_file",
        kind: "path",
        default: "–",
        about: "File that holds the secret and nothing else; instead of `secret_access_key`",
        example: "\"/etc/odoo-backup/s3-secret\"",
        also: &["secret_key_file"],
    },
    Key {
        name: "cache_dir",
        kind: "path or `false`",
        default: "`$CACHE_DIRECTORY`, which systemd sets; else `$XDG_CACHE_HOME/odoo-backup`; else `~/.cache/odoo-backup`",
        about: "Folder on this machine for copies of lists and manifests, which each run would download again; `false`: none are kept",
        example: "\"/var/cache/odoo-backup\"",
        also: &["cache", "cache_folder", "cachedir"],
    },
];

const ODOO: &[Key] = &[Key {
    name: "odoo_conf",
    kind: "path",
    default: "–",
    about: "Odoo's own configuration file, which fills in whatever is not said here",
    example: "\"/etc/odoo/odoo.conf\"",
    also: &["conf", "config", "odoo_config", "odoorc"],
}];

const DATABASE: &[Key] = &[
    Key {
        name: "database",
        kind: "string",
        default: "`db_name` of odoo.conf, where it names exactly one",
        about: "Name of the database",
        example: "\"production\"",
        also: &["db_name", "dbname", "db", "name"],
    },
    Key {
        name: "host",
        kind: "string",
        default: "`db_host`; else `$PGHOST`; else the local socket",
        about: "Host name or address of PostgreSQL, or the folder of its socket where it begins with `/`",
        example: "\"db.example.com\"",
        also: &["db_host", "hostname", "server", "socket"],
    },
    Key {
        name: "port",
        kind: "integer, 1 to 65535",
        default: "`db_port`; else `$PGPORT`; else 5432",
        about: "Port of PostgreSQL",
        example: "5432",
        also: &["db_port"],
    },
    Key {
        name: "user",
        kind: "string",
        default: "`db_user`; else `$PGUSER`; else the operating system's user",
        about: "Role to connect as",
        example: "\"odoo\"",
        also: &["db_user", "username", "role", "login"],
    },
    Key {
        name: "password",
        kind: "string",
        default: "`db_password`; else `$PGPASSWORD`; else libpq's password file",
        about: "Password of that role",
        example: "\"${PRODUCTION_DB_PASSWORD}\"",
        also: &["db_password", "passwd"],
    },
    Key {
        name: "password_file",
        kind: "path",
        default: "–",
        about: "File that holds the password and nothing else; instead of `password`",
        example: "\"/etc/odoo-backup/production.password\"",
        also: &["passfile", "passwordfile"],
    },
    Key {
        name: "sslmode",
        kind: "string",
        default: "`db_sslmode`; else `prefer`",
        about: "How far a TCP connection is encrypted and verified: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`, as in libpq",
        example: "\"verify-full\"",
        also: &["db_sslmode", "ssl", "tls"],
    },
    Key {
        name: "sslrootcert",
        kind: "path",
        default: "`~/.postgresql/root.crt` where it exists; else the system's",
        about: "PEM file of the authorities that are trusted for PostgreSQL's certificate",
        example: "\"/etc/ssl/postgresql-ca.pem\"",
        also: &["ca", "cafile", "root_cert"],
    },
    Key {
        name: "pg_path",
        kind: "path",
        default: "`pg_path` of odoo.conf",
        about: "Folder that is searched for pg_dump and pg_restore before all others",
        example: "\"/usr/lib/postgresql/16/bin\"",
        also: &["bindir", "pg_bin", "pg_dump"],
    },
];

const FILESTORE: &[Key] = &[
    Key {
        name: "data_dir",
        kind: "path",
        default: "`data_dir` of odoo.conf; else where Odoo's default lies on this machine",
        about: "Odoo's data folder, in which the filestore is `filestore/DATABASE`",
        example: "\"/var/lib/odoo\"",
        also: &["datadir", "data"],
    },
    Key {
        name: "filestore",
        kind: "path",
        default: "–",
        about: "Folder of the filestore itself; instead of `data_dir`",
        example: "\"/srv/attachments/production\"",
        also: &["filestore_path", "attachments", "files"],
    },
];

const BACKUP: &[Key] = &[
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

const fn slots(
    name: &'static str,
    default: &'static str,
    about: &'static str,
    example: &'static str,
    also: &'static [&'static str],
) -> Key {
    Key { name, kind: "integer", default, about, example, also }
}

const SLOTS: &[Key] = &[
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

const LIMITS: &[Key] = &[
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

/// What the daemon does with an instance by itself.
const ROUTINE: &[Key] = &[
    Key {
        name: "schedule",
        kind: "string",
        default: "none: the daemon makes no backup by itself",
        about: "When the daemon backs it up, in crontab(5)'s words and its own time zone",
        example: "\"0 2 * * *\"",
        also: &["cron", "crontab", "when", "backup_schedule"],
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
        about: "How long nothing may advance before the daemon stops a run: no limit on the whole",
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

const TOLD: &[Key] = &[
    Key {
        name: "name",
        kind: "string",
        default: "what it is, and its number: `webhook-1`",
        about: "What it is called in logs and in what is printed",
        example: "\"admins\"",
        also: &["id", "title"],
    },
    Key {
        name: "on",
        kind: "array of strings",
        default: "all but `success`",
        about: "What is told: `failure`, `stale`, `recovered`, `warning`, `success`; not for `ping`, which is told of every backup",
        example: "[\"failure\", \"stale\", \"recovered\"]",
        also: &["events", "when", "occasions"],
    },
    Key {
        name: "instances",
        kind: "array of strings",
        default: "all",
        about: "Of which instances",
        example: "[\"production\"]",
        also: &["instance", "of"],
    },
];

const WEBHOOK: &[Key] = &[
    Key {
        name: "webhook",
        kind: "string",
        default: "–",
        about: "URL that is sent a POST with JSON",
        example: "\"${WEBHOOK_URL}\"",
        also: &["url", "hook", "slack"],
    },
    Key {
        name: "webhook_file",
        kind: "path",
        default: "–",
        about: "File that holds that URL and nothing else; instead of `webhook`",
        example: "\"/etc/odoo-backup/webhook\"",
        also: &["url_file"],
    },
    Key {
        name: "format",
        kind: "string",
        default: "`json`",
        about: "What a webhook is sent: `json`, all that is known, or `slack`, a text as Slack and Mattermost take it",
        example: "\"slack\"",
        also: &["type", "kind"],
    },
    Key {
        name: "token",
        kind: "string",
        default: "–",
        about: "What a webhook is signed with, as `Authorization: Bearer`",
        example: "\"${WEBHOOK_TOKEN}\"",
        also: &["bearer", "authorization"],
    },
    Key {
        name: "token_file",
        kind: "path",
        default: "–",
        about: "File that holds that token and nothing else; instead of `token`",
        example: "\"/etc/odoo-backup/webhook-token\"",
        also: &[],
    },
];

const PING: &[Key] = &[
    Key {
        name: "ping",
        kind: "string",
        default: "–",
        about: "URL of a dead man's switch; `{instance}` in it is replaced by the instance's name",
        example: "\"https://hc-ping.com/${PING_KEY}/{instance}\"",
        also: &["ping_url", "healthcheck", "heartbeat"],
    },
    Key {
        name: "ping_file",
        kind: "path",
        default: "–",
        about: "File that holds that URL and nothing else; instead of `ping`",
        example: "\"/etc/odoo-backup/ping\"",
        also: &[],
    },
];

const MAIL: &[Key] = &[
    Key {
        name: "mail_to",
        kind: "array of strings",
        default: "–",
        about: "Addresses that are sent mail",
        example: "[\"admin@example.com\"]",
        also: &["email", "to", "mail", "recipients"],
    },
    Key {
        name: "mail_from",
        kind: "string",
        default: "required for mail",
        about: "Address that it comes from",
        example: "\"odoo-backup@example.com\"",
        also: &["from", "sender"],
    },
    Key {
        name: "smtp_host",
        kind: "string",
        default: "required for mail",
        about: "Server that takes the mail",
        example: "\"mail.example.com\"",
        also: &["host", "smtp", "smtp_server"],
    },
    Key {
        name: "smtp_port",
        kind: "integer, 1 to 65535",
        default: "587; with `smtp_tls`: `tls` 465, `none` 25",
        about: "Its port",
        example: "587",
        also: &["port"],
    },
    Key {
        name: "smtp_tls",
        kind: "string",
        default: "`starttls`",
        about: "How it is spoken to: `starttls`, which must then be offered, `tls` from the begin, or `none`",
        example: "\"starttls\"",
        also: &["tls", "ssl", "smtp_ssl", "starttls"],
    },
    Key {
        name: "smtp_user",
        kind: "string",
        default: "–",
        about: "Whom to sign in as",
        example: "\"odoo-backup\"",
        also: &["smtp_username", "user", "username"],
    },
    Key {
        name: "smtp_password",
        kind: "string",
        default: "–",
        about: "Password of that user",
        example: "\"${SMTP_PASSWORD}\"",
        also: &["smtp_pass", "password"],
    },
    Key {
        name: "smtp_password_file",
        kind: "path",
        default: "–",
        about: "File that holds that password and nothing else; instead of `smtp_password`",
        example: "\"/etc/odoo-backup/smtp.password\"",
        also: &["password_file"],
    },
    Key {
        name: "smtp_root_cert",
        kind: "path",
        default: "the system's",
        about: "PEM file of the authorities that are trusted for the server's certificate",
        example: "\"/etc/ssl/mail-ca.pem\"",
        also: &["smtp_ca", "ca", "sslrootcert"],
    },
];

const CHECK_ROUTINE: &[Key] = &[
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

const SERVICE: &[Key] = &[
    Key {
        name: "listen",
        kind: "string",
        default: "`\"127.0.0.1:8479\"`",
        about: "Address and port that the daemon serves; another than this machine's own needs `token_file`",
        example: "\"127.0.0.1:8479\"",
        also: &["address", "bind", "port", "host"],
    },
    Key {
        name: "token_file",
        kind: "path",
        default: "–",
        about: "File that holds the token which clients show, and nothing else",
        example: "\"/etc/odoo-backup/token\"",
        also: &["token", "tokenfile", "secret_file"],
    },
    Key {
        name: "state_dir",
        kind: "path",
        default: "`$STATE_DIRECTORY`, which systemd sets; else `/var/lib/odoo-backup-state` where it is; else `$XDG_STATE_HOME/odoo-backup`; else `~/.local/state/odoo-backup`",
        about: "Folder of the daemon's own: what ran, how it ended, and the logs of the runs",
        example: "\"/var/lib/odoo-backup-state\"",
        also: &["state", "statedir", "state_folder"],
    },
    Key {
        name: "max_concurrent",
        kind: "integer, 1 or more",
        default: "2",
        about: "How many runs go on at once",
        example: "2",
        also: &["concurrency", "parallel", "workers", "jobs"],
    },
    Key {
        name: "shutdown_grace",
        kind: "string",
        default: "`\"1 minute\"`",
        about: "How long runs may go on after the daemon was told to end; then they are stopped and leave nothing visible",
        example: "\"1 minute\"",
        also: &["grace", "shutdown_timeout", "stop_timeout"],
    },
];

const COPY: &[Key] = &[Key {
    name: "copy",
    kind: "string",
    default: "`on_request`",
    about: "When backups are copied here: `after_backup` (by `now` and the daemon, once they have made one), `on_request` (by `copy` alone)",
    example: "\"after_backup\"",
    also: &["auto", "when", "sync", "mirror"],
}];

const SCRATCH: &[Key] = &[
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
];

const SOURCE: &[Key] = &[Key {
    name: "instance",
    kind: "string",
    default: "the only instance, where there is one",
    about: "Whose backups the target takes where a restore names none",
    example: "\"production\"",
    also: &["source", "from"],
}];

/// What [`TARGET`] says of making the copy harmless.
pub(super) const NEUTRAL: &[Key] = &[
    Key {
        name: "neutralize",
        kind: "boolean",
        default: "`true`",
        about: "Whether the copy is made harmless before it gets the target's name: no mail, no scheduled action, no payment, no credentials",
        example: "true",
        also: &["neutralise", "neutralized", "neutral"],
    },
    Key {
        name: "odoo_bin",
        kind: "path",
        default: "–",
        about: "Odoo's own program, of the copy's series (16.0 or later), which is asked for its neutralization",
        example: "\"/usr/bin/odoo\"",
        also: &["odoo", "odoo-bin", "odoo_path"],
    },
    Key {
        name: "addons_path",
        kind: "array of paths",
        default: "`addons_path` of odoo.conf",
        about: "Folders with Odoo's modules, whose `data/neutralize.sql` are run where there is no `odoo_bin`",
        example: "[\"/usr/lib/python3/dist-packages/odoo/addons\"]",
        also: &["addons", "modules"],
    },
    Key {
        name: "base_url",
        kind: "string",
        default: "–",
        about: "Address of the copy, for `web.base.url`, which is then frozen; without it Odoo takes the one that an administrator signs in at",
        example: "\"https://staging.example.com\"",
        also: &["web_base_url", "url"],
    },
    Key {
        name: "admin_password",
        kind: "string",
        default: "as in the original",
        about: "New password of the administrator (`base.user_admin`), whose second factor is taken away",
        example: "\"${STAGING_ADMIN_PASSWORD}\"",
        also: &["admin_passwd"],
    },
    Key {
        name: "admin_password_file",
        kind: "path",
        default: "–",
        about: "File that holds that password and nothing else; instead of `admin_password`",
        example: "\"/etc/odoo-backup/staging-admin.password\"",
        also: &[],
    },
    Key {
        name: "sql",
        kind: "array of strings",
        default: "`[]`",
        about: "SQL of your own, run last: statements, or paths of files that end in `.sql`",
        example: "[\"UPDATE res_company SET name = 'Staging'\", \"/etc/odoo-backup/staging.sql\"]",
        also: &["post_sql", "queries"],
    },
    Key {
        name: "keep_credentials",
        kind: "array of strings",
        default: "`[]`",
        about: "Columns (`table.column`) and system parameters (`parameter:key`) that look like credentials and are to stay",
        example: "[\"asset.serial_secret\", \"parameter:shop.api_key\"]",
        also: &["keep", "keep_secrets"],
    },
];

const ANONYMITY: &[Key] = &[Key {
    name: "anonymize",
    kind: "boolean or section",
    default: "`false`",
    about: "Whether the people in the copy are replaced by fakes before it gets the target's name; as a section, how",
    example: "true",
    also: &["anonymise", "anonymized", "anonymous", "pseudonymize"],
}];

const ANONYMIZATION: &[Key] = &[
    Key {
        name: "columns",
        kind: "table of strings",
        default: "`{}`",
        about: "Further columns and the kinds of their fakes, or other kinds for those of the page",
        example: "{ \"res_partner.x_passport\" = \"identifier\" }",
        also: &["fields", "column"],
    },
    Key {
        name: "keep",
        kind: "array of strings",
        default: "`[]`",
        about: "Columns (`table.column`) and attachments (`attachments:model`) that are left as they are",
        example: "[\"res_partner.city\", \"attachments:account.move\"]",
        also: &["keep_columns", "exclude", "except"],
    },
    Key {
        name: "attachments",
        kind: "array of strings",
        default: "`[]`",
        about: "Further models whose attachments become placeholders",
        example: "[\"x_visit\"]",
        also: &["models", "files"],
    },
    Key {
        name: "seed",
        kind: "string",
        default: "a random key for each restore, which is kept nowhere",
        about: "What the fakes follow from: the same seed makes the same fakes again, and whoever knows it can try which fake a name has",
        example: "\"${STAGING_SEED}\"",
        also: &["key", "salt"],
    },
    Key {
        name: "seed_file",
        kind: "path",
        default: "–",
        about: "File that holds the seed and nothing else; instead of `seed`",
        example: "\"/etc/odoo-backup/staging.seed\"",
        also: &["key_file"],
    },
];
