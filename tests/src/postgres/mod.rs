//! PostgreSQL clusters for tests: fresh, in a temporary folder, removed when dropped.

mod binaries;
pub mod detached;
mod server;
mod template;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

pub use binaries::Binaries;
pub use server::Server;

/// The role that owns the databases of the tests. Like the role of an Odoo server should, it may
/// create databases and is not a superuser.
pub const USER: &str = "odoo";
/// The cluster's superuser.
pub const SUPERUSER: &str = "postgres";
/// The password of both roles if [`ClusterOptions::password`] asks for one. It needs quoting in a
/// connection string, a password file, an INI file, a TOML file and a shell.
pub const PASSWORD: &str = r#"se:cr'et\ "%1$x"#;

/// Drives the connections of the tests independently of a test's own runtime. A runtime that is
/// blocked by psql could not even close a connection, and psql would then wait for the end of the
/// session.
static CONNECTIONS: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime for the tests' connections")
});

/// Settings of a cluster. The default is the newest PostgreSQL found, without passwords.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// Require [`PASSWORD`] for every connection (`scram-sha-256`). Otherwise every client is
    /// trusted.
    pub password: bool,
    /// The major version. `None` for the newest found.
    pub version: Option<u32>,
    /// More settings of `postgresql.conf`, such as `("ssl", "on")`. They override those of the
    /// harness.
    pub settings: Vec<(String, String)>,
    /// Files of the data folder by their names: `pg_hba.conf` instead of initdb's, `server.crt`,
    /// `server.key`.
    pub files: Vec<(String, String)>,
}

/// A running PostgreSQL server with its own cluster, on loopback and on a socket in its own folder.
/// Dropping it kills the server.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: the server must have ended before its folder is removed.
    server: Server,
    folder: TempDir,
    password: bool,
}

impl Cluster {
    /// Starts the newest PostgreSQL on this machine. It trusts every connection.
    pub fn start() -> Self {
        Self::with(&ClusterOptions::default())
    }

    /// Starts a cluster with these options: a copy of a fresh one, with its own
    /// `system_identifier`, by which the program distinguishes servers.
    pub fn with(options: &ClusterOptions) -> Self {
        let binaries = Binaries::find(options.version);
        // A short name: the whole path of a socket may have at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("obpg-").tempdir().expect("temporary folder for a cluster");
        server::give_to_server_user(folder.path());
        let server = Server::start(&binaries, folder.path(), options);
        let cluster = Self { server, folder, password: options.password };
        cluster.create_role();
        cluster
    }

    /// Starts a hot standby of this cluster, which must not require a password. It follows by
    /// streaming, and has the same access rights.
    pub fn standby(&self) -> Self {
        assert!(!self.password, "a standby that would need a password");
        let folder = tempfile::Builder::new().prefix("obpg-").tempdir().expect("temporary folder for a standby");
        server::give_to_server_user(folder.path());
        let server = Server::start_standby(self.server.binaries(), folder.path(), self.socket_dir(), self.port());
        Self { server, folder, password: false }
    }

    fn create_role(&self) {
        let password = if self.password { format!("PASSWORD {}", quote_literal(PASSWORD)) } else { String::new() };
        self.psql_as(SUPERUSER, SUPERUSER, &format!("CREATE ROLE {USER} LOGIN CREATEDB {password}"));
    }

    /// Returns the TCP address it listens on.
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// Returns the port, both of TCP and in the name of the socket.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Returns the folder of its socket, as libpq takes it in place of a host name.
    pub fn socket_dir(&self) -> &Path {
        self.folder.path()
    }

    /// Returns [`USER`].
    pub fn user(&self) -> &'static str {
        USER
    }

    /// Returns [`PASSWORD`] if the cluster requires one.
    pub fn password(&self) -> Option<&'static str> {
        self.password.then_some(PASSWORD)
    }

    /// Returns the major version.
    pub fn version(&self) -> u32 {
        self.server.binaries().major()
    }

    /// Returns the path of a program of the cluster's version: `pg_dump`, `psql`, …
    pub fn bin(&self, name: &str) -> PathBuf {
        self.server.binaries().program(name)
    }

    /// Returns a command of the cluster's version that connects to it as `user`. The caller adds
    /// the database and the other arguments.
    pub fn command(&self, name: &str, user: &str) -> Command {
        let mut command = Command::new(self.bin(name));
        self.set_environment(&mut command, user);
        command
    }

    /// Sets the variables by which libpq connects to this cluster, by its socket and as `user`, in
    /// the environment of a command.
    pub fn set_environment(&self, command: &mut Command, user: &str) {
        clear_environment(command);
        command.env("PGHOST", self.socket_dir()).env("PGPORT", self.port().to_string()).env("PGUSER", user);
        if self.password {
            command.env("PGPASSWORD", PASSWORD);
        }
    }

    /// Returns one database of this cluster, existing or not, as the comparisons take it.
    pub fn database<'a>(&'a self, name: &'a str) -> Database<'a> {
        Database { cluster: self, name }
    }

    /// Connects through the socket as [`USER`].
    pub async fn connect(&self, database: &str) -> Client {
        self.connect_as(USER, database).await
    }

    /// Connects through the socket as any role.
    pub async fn connect_as(&self, user: &str, database: &str) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.socket_dir()).port(self.port()).user(user).dbname(database);
        if self.password {
            config.password(PASSWORD);
        }
        let connected = CONNECTIONS.spawn(async move {
            let (client, connection) = config.connect(NoTls).await?;
            // An error of the connection reaches the next caller that uses the client.
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        });
        let client = connected.await.expect("the task that connects");
        client.unwrap_or_else(|error| panic!("connecting to the test's database {database}: {error:?}"))
    }

    /// Creates an empty database owned by [`USER`], as Odoo does: from `template0`, in UTF-8.
    pub fn create_database(&self, name: &str) {
        let sql = format!("CREATE DATABASE {} ENCODING 'unicode' TEMPLATE template0", quote_identifier(name));
        self.psql_as(USER, SUPERUSER, &sql);
    }

    /// Returns whether a database of this name exists.
    pub fn has_database(&self, name: &str) -> bool {
        self.databases().iter().any(|there| there == name)
    }

    /// Returns the sorted names of all databases except those that initdb creates.
    pub fn databases(&self) -> Vec<String> {
        let sql = "SELECT datname FROM pg_database WHERE datname !~ '^(postgres|template[01])$' ORDER BY 1";
        self.psql_as(SUPERUSER, SUPERUSER, sql).lines().map(str::to_owned).collect()
    }

    /// Runs SQL with psql as [`USER`] and stops at the first error. Returns the output, unaligned
    /// and without headers.
    pub fn execute(&self, database: &str, sql: &str) -> String {
        self.psql_as(USER, database, sql)
    }

    /// Runs SQL like [`Cluster::execute`], as any role.
    pub fn psql_as(&self, user: &str, database: &str, sql: &str) -> String {
        let mut psql = self.command("psql", user);
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--dbname", database, "--command", sql]);
        run(&mut psql)
    }

    /// Stops the server as a crash would: every session ends at once. [`Cluster::restart`] starts
    /// it again.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Stops the server if it is running, and starts it again on the same port and the same data.
    pub fn restart(&mut self) {
        self.server.restart();
    }

    /// Returns the process id of the server, the parent of all its sessions.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Returns what the server has logged so far.
    pub fn log(&self) -> String {
        self.server.log()
    }
}

/// One database of a [`Cluster`].
#[derive(Debug, Clone, Copy)]
pub struct Database<'a> {
    /// The cluster that it belongs to.
    pub cluster: &'a Cluster,
    /// Its name.
    pub name: &'a str,
}

/// Removes the variables that would lead libpq elsewhere from the environment of a command.
pub(crate) fn clear_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
}

/// Runs a command until it ends and returns its stdout. Panics with its output if it fails.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed, {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Quotes an SQL identifier.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes an SQL string for `standard_conforming_strings = on`, the default.
pub fn quote_literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests;
