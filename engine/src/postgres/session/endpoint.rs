//! The place of a database, with everything resolved that libpq would look up.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::passfile;
use crate::postgres::{Database, SslMode};
use crate::secret::Secret;

/// An idle connection is probed, so that a dead peer is noticed although nothing is sent.
pub(in crate::postgres) struct Keepalive {
    /// Silence before the first probe.
    pub(in crate::postgres) idle: Duration,
    /// Time between two probes.
    pub(in crate::postgres) interval: Duration,
    /// Probes without an answer that end the connection.
    pub(in crate::postgres) count: u32,
}

/// Two minutes, while the system's defaults are more than two hours.
pub(in crate::postgres) const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(60), interval: Duration::from_secs(10), count: 6 };

/// Unacknowledged data ends the connection after this time. A busy server takes data in again
/// earlier.
pub(in crate::postgres) const LOST_AFTER: Duration = Duration::from_mins(10);

/// Where libpq's builds for Debian, for others, and from source look for the socket.
const SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

/// A database, and how to connect to it, for connections of this program and for PostgreSQL's
/// programs.
///
/// `Display` is the database and its server as an operator would name them, without secrets.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Name of the database.
    pub database: String,
    /// Host name or address, or the socket's folder where it begins with `/`.
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Its password, if one is known.
    pub password: Option<Secret>,
    /// Never anything but `disable` on a socket.
    pub sslmode: SslMode,
    /// Trusted authorities, PEM.
    pub sslrootcert: Option<PathBuf>,
}

impl Endpoint {
    /// Resolves a configured database with this process's environment and password file.
    pub fn resolve(database: &Database) -> Self {
        Self::resolve_with(database, &|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn resolve_with(database: &Database, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let port = database.port.or_else(|| env("PGPORT")?.parse().ok()).unwrap_or(5432);
        let host = database.host.clone().or_else(|| env("PGHOST")).unwrap_or_else(|| default_socket_folder(port));
        let user = database.user.clone().or_else(|| env("PGUSER")).unwrap_or_else(|| operating_system_user(env));
        let home = env("HOME").map(PathBuf::from);
        let password = database.password.clone().or_else(|| env("PGPASSWORD").map(Secret::new)).or_else(|| {
            let file = env("PGPASSFILE").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".pgpass")))?;
            // libpq looks up a socket's password under `localhost`, unless the folder is not the
            // default one.
            let host = if SOCKET_FOLDERS.contains(&host.as_str()) { "localhost" } else { &host };
            passfile::find(&file, host, port, &database.name, &user)
        });
        let sslmode = if host.starts_with('/') { SslMode::Disable } else { database.sslmode };
        let sslrootcert = database
            .sslrootcert
            .clone()
            .or_else(|| home.map(|home| home.join(".postgresql/root.crt")).filter(|file| file.is_file()));
        Self { database: database.name.clone(), host, port, user, password, sslmode, sslrootcert }
    }

    /// Returns another database on the same server with the same role.
    pub fn with_database(&self, name: impl Into<String>) -> Self {
        Self { database: name.into(), ..self.clone() }
    }

    /// Returns the path of the server's socket; `None` for TCP.
    pub(in crate::postgres) fn socket(&self) -> Option<PathBuf> {
        self.host.starts_with('/').then(|| Path::new(&self.host).join(format!(".s.PGSQL.{}", self.port)))
    }

    /// Returns whether the server is on this machine, as far as the address shows.
    pub fn is_local(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host.starts_with('/') || self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Returns the database and its keepalive settings, as an argument of PostgreSQL's programs.
    /// Server and role follow from the environment that [`Self::pass_to`] sets.
    pub(in crate::postgres) fn connection_string(&self) -> String {
        let Keepalive { idle, interval, count } = KEEPALIVE;
        format!(
            "dbname='{}' keepalives_idle={} keepalives_interval={} keepalives_count={count} tcp_user_timeout={}",
            self.database.replace('\\', r"\\").replace('\'', r"\'"),
            idle.as_secs(),
            interval.as_secs(),
            LOST_AFTER.as_millis()
        )
    }

    /// Sets the environment from which a program that uses libpq knows where to connect: every user
    /// of the machine can read arguments.
    pub(crate) fn pass_to(&self, command: &mut Command) {
        for name in [
            "PGSERVICE",
            "PGSERVICEFILE",
            "PGHOSTADDR",
            "PGOPTIONS",
            "PGPASSWORD",
            "PGSSLROOTCERT",
            "PGTARGETSESSIONATTRS",
        ] {
            command.env_remove(name);
        }
        command
            .env("PGDATABASE", &self.database)
            .env("PGHOST", &self.host)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user)
            .env("PGSSLMODE", self.sslmode.as_str())
            .env("PGAPPNAME", "odoo-backup")
            .env("PGCONNECT_TIMEOUT", "30")
            .env("PGCLIENTENCODING", "UTF8");
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password.expose());
        }
        match (&self.sslrootcert, self.sslmode) {
            (Some(file), _) => {
                command.env("PGSSLROOTCERT", file);
            }
            // Without a root certificate file, libpq (16 and later) needs this to use the system's
            // authorities.
            (None, SslMode::VerifyFull) => {
                command.env("PGSSLROOTCERT", "system");
            }
            _ => {}
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database {:?} at {}:{} as {:?}", self.database, self.host, self.port, self.user)
    }
}

fn default_socket_folder(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    let folder = SOCKET_FOLDERS.iter().find(|folder| Path::new(folder).join(&socket).exists());
    folder.unwrap_or(&SOCKET_FOLDERS[0]).to_string()
}

/// Returns the name of the user of this process from `/etc/passwd`: libpq's default role.
fn operating_system_user(env: &dyn Fn(&str) -> Option<String>) -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    // Users of a directory service are not in the file.
    user.or_else(|| env("USER")).unwrap_or(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Database {
        Database::named("production")
    }

    fn resolve(database: &Database, env: &[(&str, &str)]) -> Endpoint {
        Endpoint::resolve_with(database, &|name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn configuration_overrides_environment() {
        let env = [("PGHOST", "db"), ("PGPORT", "6432"), ("PGUSER", "odoo"), ("PGPASSWORD", "secret")];
        let from_env = resolve(&database(), &env);
        assert_eq!((from_env.host.as_str(), from_env.port, from_env.user.as_str()), ("db", 6432, "odoo"));
        assert_eq!(from_env.password, Some(Secret::new("secret")));
        let configured = Database {
            host: Some("127.0.0.1".into()),
            port: Some(5433),
            user: Some("backup".into()),
            password: Some(Secret::new("other")),
            ..database()
        };
        let configured = resolve(&configured, &env);
        assert_eq!(
            (configured.host.as_str(), configured.port, configured.user.as_str()),
            ("127.0.0.1", 5433, "backup")
        );
        assert_eq!(configured.password, Some(Secret::new("other")));
        assert_eq!(resolve(&database(), &[]).port, 5432);
    }

    #[test]
    fn connection_string_quotes_the_database() {
        let endpoint = resolve(&Database { name: r"it's a=b \ c".into(), ..database() }, &[]);
        let expected = r"dbname='it\'s a=b \\ c' keepalives_idle=60 keepalives_interval=10 keepalives_count=6 ";
        assert!(endpoint.connection_string().starts_with(expected), "{}", endpoint.connection_string());
    }

    #[test]
    fn socket_needs_no_tls() {
        let endpoint = resolve(
            &Database { sslmode: SslMode::VerifyFull, ..database() },
            &[("PGHOST", "/run/postgresql"), ("PGPASSWORD", "s3cret")],
        );
        assert_eq!(endpoint.sslmode, SslMode::Disable);
        assert!(!format!("{endpoint} {endpoint:?}").contains("s3cret"));
    }
}
