//! The keys of the daemon.

use super::Key;

pub(crate) const SERVICE: &[Key] = &[
    Key {
        name: "listen",
        kind: "string",
        default: "`\"127.0.0.1:8479\"`",
        about: "Address and port of dashboard, API and metrics; other than this machine's own, it needs `token_file`",
        example: "\"127.0.0.1:8479\"",
        also: &["address", "bind", "port", "host"],
    },
    Key {
        name: "token_file",
        kind: "path",
        default: "–",
        about: "File that contains only the token that clients must send",
        example: "\"/etc/odoo-backup/token\"",
        also: &["token", "tokenfile", "secret_file"],
    },
    Key {
        name: "public_url",
        kind: "string",
        default: "–",
        about: "URL at which people reach the dashboard, through a proxy for example; notices link to it",
        example: "\"https://backup.example.com\"",
        also: &["url", "external_url", "base_url", "web_url"],
    },
    Key {
        name: "state_dir",
        kind: "path",
        default: "`$STATE_DIRECTORY`, which systemd sets; else `/var/lib/odoo-backup-state` if it exists; else `$XDG_STATE_HOME/odoo-backup`; else `~/.local/state/odoo-backup`",
        about: "Folder of the daemon: what ran, how it ended, and the logs of the runs",
        example: "\"/var/lib/odoo-backup-state\"",
        also: &["state", "statedir", "state_folder"],
    },
    Key {
        name: "max_concurrent",
        kind: "integer, 1 or more",
        default: "2",
        about: "How many runs may be running at once",
        example: "2",
        also: &["concurrency", "parallel", "workers", "jobs"],
    },
    Key {
        name: "shutdown_grace",
        kind: "string",
        default: "`\"1 minute\"`",
        about: "How long runs may continue after the daemon got a signal to end; then they are stopped and leave nothing visible",
        example: "\"1 minute\"",
        also: &["grace", "shutdown_timeout", "stop_timeout"],
    },
];
