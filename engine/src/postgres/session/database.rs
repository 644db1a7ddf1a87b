//! A database, and how to connect to it.

use std::path::PathBuf;

use crate::secret::Secret;

/// A database on a server, and how to connect to it. What libpq would take from the environment or
/// a password file stays `None`.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Host name or address, or a socket's folder where it begins with `/`. `None`: the local
    /// socket.
    pub host: Option<String>,
    /// `None`: `$PGPORT`, else 5432.
    pub port: Option<u16>,
    /// `None`: `$PGUSER`, else the operating system's user.
    pub user: Option<String>,
    /// `password`, the content of `password_file`, or odoo.conf's `db_password`. `None`:
    /// `$PGPASSWORD`, else the password file of libpq.
    pub password: Option<Secret>,
    /// `sslmode`, with libpq's words. Default `prefer`, as in libpq and Odoo.
    pub sslmode: SslMode,
    /// `sslrootcert`: a PEM file of trusted authorities; `None`: `~/.postgresql/root.crt` where it
    /// exists, else the system's.
    pub sslrootcert: Option<PathBuf>,
    /// A folder that is searched for pg_dump and pg_restore before all others (`pg_path`, also in
    /// odoo.conf).
    pub pg_path: Option<PathBuf>,
}

impl Database {
    /// Returns the database of this name at the default server, which the environment names.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            host: None,
            port: None,
            user: None,
            password: None,
            sslmode: SslMode::Prefer,
            sslrootcert: None,
            pg_path: None,
        }
    }
}

/// How far a TCP connection to PostgreSQL is encrypted and verified; libpq's words and meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Where the server offers it, without verification.
    Prefer,
    /// Always; the certificate is verified only if a root certificate file exists (as `verify-ca`,
    /// as in libpq).
    Require,
    /// Always, and the certificate must come from a trusted authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be for this host.
    VerifyFull,
}

impl SslMode {
    /// Every mode, the least demanding first.
    pub const ALL: [Self; 5] = [Self::Disable, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// Returns the mode of libpq's word; libpq's `allow` is not supported.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// Returns libpq's word for it, as `PGSSLMODE` takes it.
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
