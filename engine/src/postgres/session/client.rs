//! A connection to PostgreSQL.

use std::ops::Deref;
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode as Negotiation;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::endpoint::{KEEPALIVE, LOST_AFTER};
use super::settings::Settings;
use super::{backend, tls};
use crate::postgres::SslMode;
use crate::postgres::{Endpoint, PostgresError};

/// Time limit for everything before the first statement: TCP, TLS, the password.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open connection; closed when dropped.
#[derive(Debug)]
pub struct Session {
    client: Client,
    endpoint: Endpoint,
    settings: Settings,
    connection: JoinHandle<()>,
}

impl Session {
    /// Returns what it is connected to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns whether its role is a superuser.
    pub fn is_superuser(&self) -> bool {
        self.settings.superuser
    }

    /// Returns the error for a failed statement: `action` completes "unable to …".
    pub fn failed<A: Into<String>>(&self, action: A) -> impl FnOnce(tokio_postgres::Error) -> PostgresError + use<A> {
        let (action, server) = (action.into(), self.endpoint.to_string());
        move |source| PostgresError::Query { action, server, source }
    }

    /// Lets a program that uses libpq connect as this session did, with `more` options in addition
    /// to the settings of every session.
    pub(in crate::postgres) fn pass_to(&self, command: &mut Command, more: Option<String>) {
        self.endpoint.pass_to(command);
        let options: Vec<_> = std::iter::once(self.settings.options()).chain(more).collect();
        command.env("PGOPTIONS", options.join(" "));
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Connects to the server itself, with the settings of every session. Refuses a pooler: it gives
/// each transaction another session, so that settings and locks would be lost, or would stay for
/// the next client.
///
/// # Errors
/// [`PostgresError::Connect`], [`PostgresError::NoAnswer`], [`PostgresError::Tls`],
/// [`PostgresError::Pooler`]
pub async fn connect(endpoint: &Endpoint) -> Result<Session, PostgresError> {
    let no_answer = || PostgresError::NoAnswer { server: endpoint.to_string(), seconds: PATIENCE.as_secs() };
    let connected = tokio::time::timeout(PATIENCE, async {
        let first = open(endpoint, Settings::UNKNOWN).await?;
        let missing = first.settings.statements_beyond(Settings::UNKNOWN);
        match prepare(&first, &missing).await {
            // A time limit that was not switched off yet may have ended it. Now the server's
            // settings are known.
            Err(PostgresError::Query { .. }) if !missing.is_empty() => {
                let again = open(endpoint, first.settings).await?;
                prepare(&again, "").await.map(|()| again)
            }
            other => other.map(|()| first),
        }
    });
    connected.await.unwrap_or_else(|_| Err(no_answer()))
}

/// Makes sure that the server itself answers, then applies the settings that could not be sent
/// before.
async fn prepare(session: &Session, statements: &str) -> Result<(), PostgresError> {
    // With the simple protocol, because a prepared statement would stay in a pooler.
    let asked = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('search_path')";
    let answer = session.simple_query(asked).await.map_err(session.failed("prepare the connection"))?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let pooler = |sign: &str| PostgresError::Pooler { server: session.endpoint.to_string(), sign: sign.to_owned() };
    let column = |column| row.and_then(|row| row.get(column));
    if column(1) != Some(Settings::SEARCH_PATH) {
        return Err(pooler("it ignores connection options"));
    }
    if let Some(process) = backend::process(session).await
        && column(0) != Some(&process.to_string())
    {
        return Err(pooler("the session runs in another server process than announced"));
    }
    if statements.is_empty() {
        return Ok(());
    }
    session.batch_execute(statements).await.map_err(session.failed("prepare the connection"))
}

/// Opens a connection with these settings, and learns which further ones the server knows.
async fn open(endpoint: &Endpoint, settings: Settings) -> Result<Session, PostgresError> {
    let mut config = tokio_postgres::Config::new();
    config
        .dbname(&endpoint.database)
        .user(&endpoint.user)
        .port(endpoint.port)
        .application_name("odoo-backup")
        .options(settings.options())
        .connect_timeout(Duration::from_secs(30))
        .keepalives_idle(KEEPALIVE.idle)
        .keepalives_interval(KEEPALIVE.interval)
        .keepalives_retries(KEEPALIVE.count)
        .tcp_user_timeout(LOST_AFTER)
        .ssl_mode(match endpoint.sslmode {
            SslMode::Disable => Negotiation::Disable,
            SslMode::Prefer => Negotiation::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiation::Require,
        });
    if endpoint.host.starts_with('/') {
        config.host_path(&endpoint.host);
    } else {
        config.host(&endpoint.host);
    }
    if let Some(password) = &endpoint.password {
        config.password(password.expose());
    }
    let connected = match config.connect(tls::connector(endpoint)?).await {
        // As libpq does: if TLS is only preferred, and the server has it but refuses connections
        // that use it (`hostnossl`), go without.
        Err(refused) if endpoint.sslmode == SslMode::Prefer && is_refused(&refused) => {
            config.ssl_mode(Negotiation::Disable);
            // If that fails as well, the first answer counts.
            config.connect(tls::connector(endpoint)?).await.map_err(|_| refused)
        }
        other => other,
    };
    let (client, connection) = connected.map_err(|source| {
        let server = endpoint.to_string();
        match source.as_db_error().filter(|error| error.message().contains("unsupported startup parameter")) {
            Some(error) => PostgresError::Pooler { server, sign: error.message().to_owned() },
            None => PostgresError::connecting(endpoint, source),
        }
    })?;
    let version = connection.parameter("server_version").unwrap_or_default();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let settings =
        Settings { major: digits.parse().unwrap_or(0), superuser: connection.parameter("is_superuser") == Some("on") };
    // Its errors are returned by the client's calls as well.
    let connection = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to PostgreSQL ended");
        }
    });
    Ok(Session { client, endpoint: endpoint.clone(), settings, connection })
}

/// Returns whether pg_hba.conf refuses every session of this kind, whatever its password.
fn is_refused(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&tokio_postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

/// Connects to a database that every server has, to create, rename or drop others from there.
///
/// # Errors
/// As [`connect`]
pub(crate) async fn connect_maintenance(endpoint: &Endpoint) -> Result<Session, PostgresError> {
    match connect(&endpoint.with_database("postgres")).await {
        Err(PostgresError::Connect { source, .. })
            if source.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_DATABASE) =>
        {
            connect(&endpoint.with_database("template1")).await
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use harness::postgres::{Cluster, SUPERUSER, USER};

    use super::*;

    async fn session(cluster: &Cluster) -> Session {
        let endpoint = Endpoint {
            database: SUPERUSER.into(),
            host: cluster.host().into(),
            port: cluster.port(),
            user: USER.into(),
            password: None,
            sslmode: SslMode::Disable,
            sslrootcert: None,
        };
        connect(&endpoint).await.unwrap()
    }

    #[tokio::test]
    async fn server_quotes_are_shortened() {
        let cluster = Cluster::start();
        let session = session(&cluster).await;
        let cast = "SELECT ('begin ' || repeat('é', 100000) || ' end')::int";
        let error = session.batch_execute(cast).await.map_err(session.failed("cast")).unwrap_err();
        let said = crate::cause::line(&error);
        assert!(said.len() < 600, "{} bytes", said.len());
        assert!(said.contains("invalid input syntax for type integer: \"begin éé"), "{said}");
        assert!(said.ends_with("é end\""), "{said}");
    }

    #[tokio::test]
    async fn missing_socket_names_existing_ones() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".s.PGSQL.5433"), "").unwrap();
        let endpoint = Endpoint {
            database: "x".into(),
            host: folder.path().to_str().unwrap().into(),
            port: 5432,
            user: USER.into(),
            password: None,
            sslmode: SslMode::Disable,
            sslrootcert: None,
        };
        let error = connect(&endpoint).await.unwrap_err();
        assert!(error.to_string().ends_with(&format!("there is no socket {}/.s.PGSQL.5432", endpoint.host)), "{error}");
        assert_eq!(error.hint().unwrap(), "check `port`: the folder contains .s.PGSQL.5433");
    }

    #[tokio::test]
    async fn role_and_database_settings_are_overridden() {
        let cluster = Cluster::start();
        let names = "SELECT name FROM pg_settings WHERE name LIKE '%\\_timeout' AND category ~ 'Statement Behavior'";
        let timeouts = cluster.psql_as(SUPERUSER, SUPERUSER, names);
        for name in timeouts.lines() {
            cluster.psql_as(SUPERUSER, SUPERUSER, &format!("ALTER ROLE {USER} SET {name} = '1h'"));
        }
        let others = [
            ("search_path", "public"),
            ("array_nulls", "off"),
            ("datestyle", "'SQL, DMY'"),
            ("intervalstyle", "sql_standard"),
            ("extra_float_digits", "-15"),
            ("bytea_output", "escape"),
            ("xmloption", "document"),
            ("standard_conforming_strings", "off"),
            ("transform_null_equals", "on"),
            ("quote_all_identifiers", "on"),
            ("row_security", "on"),
            ("default_transaction_isolation", "serializable"),
            ("client_min_messages", "debug5"),
            ("default_tablespace", "pg_default"),
            // Last, because nothing more can be changed after it.
            ("default_transaction_read_only", "on"),
        ];
        for (name, value) in others {
            cluster.psql_as(
                SUPERUSER,
                SUPERUSER,
                &format!("ALTER ROLE {USER} IN DATABASE postgres SET {name} = {value}"),
            );
            cluster.psql_as(SUPERUSER, SUPERUSER, &format!("ALTER DATABASE postgres SET {name} = {value}"));
        }
        let session = session(&cluster).await;
        for name in timeouts.lines() {
            assert_eq!(show(&session, name).await, "0", "{name}");
        }
        for (name, value) in others {
            assert_ne!(show(&session, name).await.to_lowercase(), value.trim_matches('\'').to_lowercase(), "{name}");
        }
        assert!(show(&session, "DateStyle").await.starts_with("ISO"));
    }

    async fn show(session: &Session, name: &str) -> String {
        let row = session.query_one("SELECT current_setting($1)", &[&name]).await.unwrap();
        row.get(0)
    }

    #[tokio::test]
    async fn short_time_limits_are_overridden() {
        let cluster = Cluster::start();
        for name in
            ["statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout"]
        {
            let known = format!("SELECT count(*) FROM pg_settings WHERE name = '{name}'");
            if cluster.psql_as(SUPERUSER, SUPERUSER, &known).trim() == "1" {
                cluster.psql_as(SUPERUSER, SUPERUSER, &format!("ALTER ROLE {USER} SET {name} = '1ms'"));
            }
        }
        for _ in 0..20 {
            let session = session(&cluster).await;
            session.batch_execute("SELECT pg_sleep(0.01)").await.unwrap();
        }
    }

    #[tokio::test]
    async fn superuser_session_has_working_triggers() {
        let cluster = Cluster::start();
        cluster.psql_as(SUPERUSER, SUPERUSER, "ALTER DATABASE postgres SET session_replication_role = replica");
        let endpoint = session(&cluster).await.endpoint().clone();
        let powerful = connect(&Endpoint { user: SUPERUSER.into(), ..endpoint.clone() }).await.unwrap();
        assert!(powerful.is_superuser());
        assert_eq!(show(&powerful, "session_replication_role").await, "origin");
        let ordinary = connect(&endpoint).await.unwrap();
        assert!(!ordinary.is_superuser());
        let stubborn = crate::postgres::stubborn_settings(&ordinary).await.unwrap();
        assert_eq!((stubborn[0].name.as_str(), stubborn[0].value.as_str()), ("session_replication_role", "replica"));
    }
}
