//! What can fail in the communication with a PostgreSQL server.

use std::io;
use std::path::PathBuf;

use super::{Endpoint, Misunderstood};

/// A failure of PostgreSQL, of a connection to it, or of one of its programs.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No connection, or a refused log-in.
    #[error("unable to connect to {server}")]
    Connect {
        /// [`super::Endpoint`], as text.
        server: String,
        /// Why.
        #[source]
        source: tokio_postgres::Error,
    },
    /// There is no socket of that name.
    #[error("unable to connect to {server}: there is no socket {}", socket.display())]
    NoSocket {
        /// [`super::Endpoint`], as text.
        server: String,
        /// The socket's path.
        socket: PathBuf,
        /// Sockets of other ports in the same folder, by name.
        others: Vec<String>,
    },
    /// The server accepted a connection and did not answer.
    #[error("unable to connect to {server}: no answer within {seconds} s")]
    NoAnswer {
        /// [`super::Endpoint`], as text.
        server: String,
        /// How long the program waited.
        seconds: u64,
    },
    /// Something other than PostgreSQL itself answers.
    #[error("unable to use {server}: a connection pooler answers in its place: {sign}")]
    Pooler {
        /// [`super::Endpoint`], as text.
        server: String,
        /// How it was recognised.
        sign: String,
    },
    /// A setting that would skip rows, triggers or foreign keys, and that the role may not change.
    #[error("unable to restore on {server}: {name} is set to {value} there")]
    Setting {
        /// [`super::Endpoint`], as text.
        server: String,
        /// The setting: `session_replication_role`.
        name: String,
        /// Its value: `replica`.
        value: String,
    },
    /// A statement failed.
    #[error("unable to {action} on {server}")]
    Query {
        /// What was being done: `read the server's version`.
        action: String,
        /// [`super::Endpoint`], as text.
        server: String,
        /// Why.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A lock without effect: a hot standby grants it, and the primary does not know of it.
    #[error(
        "{server} is a hot standby: a lock there does not stop Odoo's garbage collector, which runs on the primary"
    )]
    Standby {
        /// [`super::Endpoint`], as text.
        server: String,
    },
    /// Trusted certificates could not be read, or TLS could not be set up.
    #[error("unable to set up TLS for {server}: {reason}")]
    Tls {
        /// [`super::Endpoint`], as text.
        server: String,
        /// Why.
        reason: String,
    },
    /// There is no usable pg_dump or pg_restore.
    #[error("unable to find {program} of version {wanted} or later; found: {found}")]
    NoTool {
        /// `pg_dump` or `pg_restore`.
        program: &'static str,
        /// The major version needed.
        wanted: u32,
        /// The installed ones, with their versions.
        found: String,
    },
    /// A script contains what is not run.
    #[error("{subject}, line {line}: {reason}")]
    Script {
        /// What it is: `dump.sql of production.zip`.
        subject: String,
        /// The line, from 1.
        line: u64,
        /// What is not run, and why.
        reason: String,
    },
    /// The input of a program could not be read.
    #[error("unable to read {subject}")]
    Read {
        /// What it is.
        subject: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An archive's data is malformed.
    #[error("unable to understand {subject}: {reason}")]
    Archive {
        /// What it is.
        subject: String,
        /// Why.
        reason: Misunderstood,
    },
    /// A table has rows that the server cannot write out.
    #[error("pg_dump cannot dump {table}: these rows exceed PostgreSQL's limit of 1 GiB of text: {rows}")]
    LargeRows {
        /// Its schema and its name.
        table: String,
        /// Their keys and sizes.
        rows: String,
    },
    /// A dump contains what pg_dump does not write. Nothing of it was run.
    #[error("refused to run {subject}: {reason}")]
    Refused {
        /// What it is.
        subject: String,
        /// Its content.
        reason: String,
    },
    /// A program could not be started, or the communication with it failed.
    #[error("unable to run {}", program.display())]
    Run {
        /// Its path.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{program} failed ({status}) on {subject}: {stderr}")]
    Failed {
        /// `pg_dump`, `pg_restore`.
        program: String,
        /// Its exit status as text.
        status: String,
        /// What it worked on.
        subject: String,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
}

impl PostgresError {
    /// Returns the error for a failed connection to `endpoint`.
    pub(super) fn connecting(endpoint: &Endpoint, source: tokio_postgres::Error) -> Self {
        let server = endpoint.to_string();
        let Some(socket) = endpoint.socket().filter(|socket| !socket.exists()) else {
            return Self::Connect { server, source };
        };
        let names = socket.parent().and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut others: Vec<_> =
            names.filter(|name| name.starts_with(".s.PGSQL.") && !name.ends_with(".lock")).collect();
        others.sort();
        Self::NoSocket { server, socket, others }
    }

    /// Returns whether a program rejects its input, rather than that it could not do its work: it
    /// was not killed, and lacked no memory, files or disk space.
    pub(crate) fn is_verdict(&self) -> bool {
        const TROUBLE: [&str; 9] = [
            "out of memory",
            "Cannot allocate memory",
            "Too many open files",
            "No space left on device",
            "Stale file handle",
            "Input/output error",
            "Resource temporarily unavailable",
            "error while loading shared libraries",
            "Permission denied",
        ];
        let Self::Failed { status, stderr, .. } = self else { return false };
        status == "exit status: 1"
            && stderr.contains("error:")
            && !TROUBLE.iter().any(|trouble| stderr.contains(trouble))
    }

    /// Returns how the operator fixes it, if known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Connect { source, .. } => return hint_to_connect(source),
            Self::NoSocket { others, .. } if others.is_empty() => {
                "check that the server is running, and that `host` names the folder of its socket (`SHOW unix_socket_directories`)".into()
            }
            Self::NoSocket { others, .. } => {
                format!("check `port`: the folder contains {}", others.join(", "))
            }
            Self::NoAnswer { .. } => "check that the server is not stopped and that no firewall drops packets; `psql` to the same host and port must connect".into(),
            Self::Pooler { .. } => "set `port` (and `host`) of the database in odoo-backup's configuration to PostgreSQL's own, usually 5432, instead of those of pgbouncer or another pooler: a backup needs one session from start to end".into(),
            Self::Setting { name, .. } => format!(
                "remove the setting from the role, the database or postgresql.conf as a superuser: ALTER ROLE … RESET {name}"
            ),
            Self::NoTool { wanted, .. } => format!(
                "install the package postgresql-client-{wanted} (or later; the PostgreSQL project's own repository has every version), or set `pg_path` to the folder of its programs"
            ),
            Self::Standby { .. } => "back up from the primary, or set `hold_filestore_gc` to `auto`".into(),
            Self::Archive { .. } => "run `odoo-backup check --read-data` to see whether it is damaged; if it is intact, restore it by hand and report this".into(),
            Self::LargeRows { .. } => "move the values into files and empty them, or delete the rows; the manual (troubleshooting) shows how to back up everything else first".into(),
            Self::Refused { .. } => "nothing of it was run. Another program may have written it: find out who can write there, and restore another backup; if you trust its author, add --trusted".into(),
            Self::Tls { .. } => "check `sslmode` and `sslrootcert` in the configuration".into(),
            Self::Failed { program, stderr, .. } if program == "pg_dump" && stderr.contains("row-level security") => {
                "run ALTER ROLE … BYPASSRLS, or back up as the owner of the table or a superuser".into()
            }
            Self::Failed { program, stderr, .. } if program == "pg_dump" && stderr.contains("permission denied") => {
                "use the owner of the database, or grant the role pg_read_all_data: it must read every table"
                    .into()
            }
            Self::Failed { stderr, .. }
                if stderr.contains("must be marked IMMUTABLE") || stderr.contains("expression is not immutable") =>
            {
                "restore as a superuser, who may alter the function: the source made it immutable".into()
            }
            Self::Failed { stderr, .. } if stderr.contains("No space left on device") => {
                "free some space where PostgreSQL keeps its data".into()
            }
            Self::Failed { program, stderr, .. } if program == "pg_restore" && is_of_post_data(stderr) => {
                "add --skip-failed-post-data to restore everything else".into()
            }
            // It reads decoded data, and may fail before the digest of the whole can be compared.
            Self::Failed { program, .. } if program == "pg_restore" => {
                "if that does not say why, run `odoo-backup check --read-data` to see whether the dump is damaged".into()
            }
            Self::Query { action, source, .. }
                if action.starts_with("drop the database")
                    && source.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE)
                    && crate::cause::line(source).contains("subscription") =>
            {
                "connect to it, and run for each subscription: ALTER SUBSCRIPTION … DISABLE; ALTER SUBSCRIPTION … SET (slot_name = NONE); DROP SUBSCRIPTION …; its slot stays on the publisher".into()
            }
            Self::Query { action, .. } if action.starts_with("end the sessions") => {
                "end the sessions of other roles yourself, or GRANT pg_signal_backend to the role; only a superuser can end those of superusers".into()
            }
            Self::Query { source, .. }
                if source.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) =>
            {
                "grant the role the privilege, or use another role; a restore needs CREATEDB".into()
            }
            _ => return None,
        })
    }
}

/// Returns whether pg_restore failed on an index, a constraint, a trigger or the like.
fn is_of_post_data(stderr: &str) -> bool {
    const MADE_LAST: [&str; 7] = [
        "CREATE INDEX",
        "CREATE UNIQUE INDEX",
        "CREATE TRIGGER",
        "CREATE CONSTRAINT TRIGGER",
        "CREATE POLICY",
        "CREATE STATISTICS",
        "REFRESH MATERIALIZED VIEW",
    ];
    let Some((_, command)) = stderr.split_once("Command was: ") else { return false };
    let adds_constraint = command.starts_with("ALTER TABLE") && command.contains("ADD CONSTRAINT");
    adds_constraint || MADE_LAST.iter().any(|begin| command.starts_with(begin))
}

fn hint_to_connect(source: &tokio_postgres::Error) -> Option<String> {
    let text = crate::cause::line(source);
    Some(match source.code().map(tokio_postgres::error::SqlState::code) {
        Some("28000") if text.contains("Peer authentication") => {
            "run as the system user with the role's name (`sudo -u odoo …`), as peer authentication requires; or set `host` and `password`".into()
        }
        Some("28000") if text.contains("pg_hba.conf") => {
            "add a line for this host, database and role to the server's pg_hba.conf, or set `sslmode` as its lines require".into()
        }
        Some("28P01" | "28000") => "check user and password in the configuration, in odoo.conf, or in the password file (~/.pgpass)".into(),
        Some("3D000") => "check the name of the database in the configuration; `psql -l` lists those that exist".into(),
        Some(_) => return None,
        None if text.contains("invalid peer certificate") => {
            "set `sslrootcert` to the certificate of the authority that signed the server's, and `host` to a name in the server's certificate".into()
        }
        None if text.contains("server does not support TLS") => {
            "set `ssl = on` in the server's postgresql.conf, or `sslmode = \"prefer\"` in the configuration".into()
        }
        None => "check that the server is running, and `host`, `port` and `sslmode` in the configuration; `odoo-backup doctor` checks every connection".into(),
    })
}
