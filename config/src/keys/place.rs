//! The keys that say where an Odoo is: its configuration, its database, its filestore.

use super::Key;

pub(crate) const ODOO: &[Key] = &[Key {
    name: "odoo_conf",
    kind: "path",
    default: "–",
    about: "Odoo's own configuration file; it supplies whatever is not set here",
    example: "\"/etc/odoo/odoo.conf\"",
    also: &["conf", "config", "odoo_config", "odoorc"],
}];

pub(crate) const DATABASE: &[Key] = &[
    Key {
        name: "database",
        kind: "string",
        default: "`db_name` of odoo.conf, if it names exactly one",
        about: "Name of the database",
        example: "\"production\"",
        also: &["db_name", "dbname", "db", "name"],
    },
    Key {
        name: "host",
        kind: "string",
        default: "`db_host`; else `$PGHOST`; else the local socket",
        about: "Host name or address of PostgreSQL, or the folder of its socket if it begins with `/`; one server, not a list",
        example: "\"db.example.com\"",
        also: &["db_host", "hostname", "server", "socket"],
    },
    Key {
        name: "port",
        kind: "integer, 1 to 65535",
        default: "`db_port`; else `$PGPORT`; else 5432",
        about: "Port of PostgreSQL itself, not of a pooler",
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
        about: "File that contains only the password; instead of `password`",
        example: "\"/etc/odoo-backup/production.password\"",
        also: &["passfile", "passwordfile"],
    },
    Key {
        name: "sslmode",
        kind: "string",
        default: "`db_sslmode`; else `prefer`",
        about: "How a TCP connection is encrypted and verified, as in libpq: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
        example: "\"verify-full\"",
        also: &["db_sslmode", "ssl", "tls"],
    },
    Key {
        name: "sslrootcert",
        kind: "path",
        default: "`~/.postgresql/root.crt` if it exists; else the system's",
        about: "PEM file of the authorities to trust for PostgreSQL's certificate",
        example: "\"/etc/ssl/postgresql-ca.pem\"",
        also: &["ca", "cafile", "root_cert"],
    },
    Key {
        name: "pg_path",
        kind: "path",
        default: "`pg_path` of odoo.conf",
        about: "Folder to search first for pg_dump and pg_restore",
        example: "\"/usr/lib/postgresql/16/bin\"",
        also: &["bindir", "pg_bin", "pg_dump"],
    },
];

pub(crate) const FILESTORE: &[Key] = &[
    Key {
        name: "data_dir",
        kind: "path",
        default: "`data_dir` of odoo.conf; else Odoo's [default](#where-the-filestore-is)",
        about: "Odoo's data folder; the filestore is `filestore/DATABASE` in it",
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
