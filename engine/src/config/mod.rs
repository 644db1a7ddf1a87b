//! The configuration file, read and checked: every value resolved, nothing left to look up later.

mod anonymity;
mod copies;
mod daemon;
mod drill;
mod error;
pub mod keys;
mod load;
mod nesting;
mod neutral;
mod notify;
mod place;
mod repository;
mod retention;
mod routine;
mod secrets;
mod section;
pub mod template;
mod trust;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::secret::Secret;
use crate::stream::Level;

pub use self::retention::Retention;
pub use anonymity::Anonymize;
pub use copies::{CopyRepository, MAIN};
pub use daemon::DaemonConfig;
pub use drill::Drill;
pub(crate) use error::nearest;
pub use error::{ConfigError, Problem, UnknownName};
pub use load::ConfigFile;
pub use neutral::{Neutralize, Script};
pub use notify::{Channel, INSTANCE_IN_URL, MailConfig, NotifyConfig, Occasion, SmtpTls, WebhookFormat};
pub use place::is_instance_name;
pub use routine::{CheckRoutine, Routine};

/// A configuration that was read without an error. What is only worth a word is in `warnings`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// Whether that was found by searching rather than named, so that what it names had to be this user's or root's.
    pub searched: bool,
    /// `[repository]`: where backups are made to.
    pub repository: RepositoryConfig,
    /// `[repository.NAME]`, by name: where copies of them are kept.
    pub copies: BTreeMap<String, CopyRepository>,
    /// `[instance.NAME]`, by name.
    pub instances: BTreeMap<String, Instance>,
    /// `[target.NAME]`, by name.
    pub targets: BTreeMap<String, Target>,
    /// `[daemon]`, or what holds without it.
    pub daemon: DaemonConfig,
    /// `[[notify]]`, in the file's order.
    pub notify: Vec<NotifyConfig>,
    /// What should be mended but does not stop the work: a secret that others can read.
    pub warnings: Vec<String>,
}

/// `[repository]`: where backups are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryConfig {
    /// `file:///path`
    Local {
        /// Absolute path of the repository's folder.
        path: PathBuf,
    },
    /// `s3://bucket/prefix`
    S3(S3Config),
}

/// An S3-compatible bucket. What is `None` is left to AWS's own chain (environment, profile, web identity, instance role).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// Name of the bucket.
    pub bucket: String,
    /// What every key begins with, without slashes at its ends; empty where the bucket is the repository.
    pub prefix: String,
    /// URL of a server other than AWS's own.
    pub endpoint: Option<String>,
    /// Region; with an endpoint and none given, `us-east-1`.
    pub region: Option<String>,
    /// `https://host/bucket/key` rather than `https://bucket.host/key`; unset: where an endpoint is given.
    pub path_style: Option<bool>,
    /// Both or neither of the two keys are given.
    pub access_key_id: Option<String>,
    /// `secret_access_key`, or the content of `secret_access_key_file` without its line end.
    pub secret_access_key: Option<Secret>,
    /// Folder on this machine for copies of what each run would read again; `None`: there are none.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of each part of an upload; unset: chosen by what an object is expected to have.
    pub part_size: Option<usize>,
}

/// `[instance.NAME]`: one Odoo database and its filestore.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its name in the configuration; a valid segment of a [`crate::store::Key`].
    pub name: String,
    /// Where its database is.
    pub database: Database,
    /// The filestore's folder: `<data_dir>/filestore/<database>`, or what `filestore` says.
    pub filestore: PathBuf,
    /// Whether Odoo's collector is kept out while the filestore is read.
    pub hold_filestore_gc: HoldCollector,
    /// How hard its dump and its files are compressed.
    pub compression_level: Level,
    /// Which of its backups stay.
    pub retention: Retention,
    /// Whether they are pruned after each good backup, by the daemon and by `now --prune`.
    pub prune: bool,
    /// What the daemon does with it by itself, and when.
    pub routine: Routine,
    /// Where its backups are drilled, and how.
    pub drill: Drill,
}

impl Instance {
    /// Its own place as a target: what is restored there is production, and not neutralized.
    pub fn as_target(&self) -> Target {
        Target {
            name: self.name.clone(),
            database: self.database.clone(),
            filestore: self.filestore.clone(),
            instance: Some(self.name.clone()),
            neutralize: None,
            anonymize: None,
            trusted: false,
        }
    }

    /// One that is in no configuration: what is imported, while it is backed up under that name.
    pub(crate) fn scratch(name: &str, database: Database, filestore: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            database,
            filestore,
            hold_filestore_gc: HoldCollector::Never,
            compression_level: Level::default(),
            retention: Retention::default(),
            prune: false,
            routine: Routine::default(),
            drill: Drill::default(),
        }
    }
}

/// `hold_filestore_gc`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldCollector {
    /// Where it harms nobody: the series, the role and the server allow it.
    Auto,
    /// A backup that cannot keep it out fails.
    Always,
    /// It comes and goes as it likes.
    Never,
}

impl HoldCollector {
    /// Every setting, in the order of the reference.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// Its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// `[target.NAME]`: a place to restore to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the configuration.
    pub name: String,
    /// Where its database is, or is to be.
    pub database: Database,
    /// The filestore's folder, or what is to become it.
    pub filestore: PathBuf,
    /// Whose backups it takes where none is named; `None` where the configuration has several instances and this target names none.
    pub instance: Option<String>,
    /// How the copy is made harmless; `None`: it is not.
    pub neutralize: Option<Neutralize>,
    /// How the people in it are replaced; `None`: they are not.
    pub anonymize: Option<Anonymize>,
    /// Whether whoever can write to the repository may run anything on the server, with all rights of the role.
    pub trusted: bool,
}

/// A database on a server, and how to reach it. What libpq would take from the environment or a password file stays `None`.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Host name or address, or a socket's folder where it begins with `/`. `None`: the local socket.
    pub host: Option<String>,
    /// `None`: `$PGPORT`, else 5432.
    pub port: Option<u16>,
    /// `None`: `$PGUSER`, else the operating system's user.
    pub user: Option<String>,
    /// `password`, the content of `password_file`, or odoo.conf's `db_password`. `None`: `$PGPASSWORD`, else the password file of libpq.
    pub password: Option<Secret>,
    /// `sslmode`, with libpq's words. Default `prefer`, as in libpq and Odoo.
    pub sslmode: SslMode,
    /// `sslrootcert`: a PEM file of trusted authorities; `None`: `~/.postgresql/root.crt` where it exists, else the system's.
    pub sslrootcert: Option<PathBuf>,
    /// A folder that is searched for pg_dump and pg_restore before all others (`pg_path`, also in odoo.conf).
    pub pg_path: Option<PathBuf>,
}

/// How far a TCP connection to PostgreSQL is encrypted and verified; libpq's words and meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Where the server offers it, without verification.
    Prefer,
    /// Always; the certificate is verified only where a root certificate file is there (as `verify-ca`, as in libpq).
    Require,
    /// Always, and the certificate must come from a trusted authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be for this host.
    VerifyFull,
}

impl SslMode {
    /// Every mode, the least demanding first.
    pub const ALL: [Self; 5] = [Self::Disable, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// The mode of libpq's word; libpq's `allow` is none of ours.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// libpq's word for it, as `PGSSLMODE` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

#[cfg(test)]
mod tests;
