//! The keys of the daemon.

use super::Key;

pub(crate) const SERVICE: &[Key] = &[
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
