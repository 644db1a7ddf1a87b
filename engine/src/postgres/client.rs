//! A connection to PostgreSQL.

use std::ops::Deref;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::config::SslMode as Negotiation;

use super::{Endpoint, PostgresError, tls};
use crate::config::SslMode;

/// An open connection; closed when dropped.
#[derive(Debug)]
pub struct Session {
    client: Client,
    endpoint: Endpoint,
    connection: JoinHandle<()>,
}

impl Session {
    /// What it is connected to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Makes an error of a failed statement: `action` completes "unable to …".
    pub fn failed<A: Into<String>>(&self, action: A) -> impl FnOnce(tokio_postgres::Error) -> PostgresError + use<A> {
        let (action, server) = (action.into(), self.endpoint.to_string());
        move |source| PostgresError::Query { action, server, source }
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

/// Connects.
///
/// # Errors
/// [`PostgresError::Connect`], [`PostgresError::Tls`]
pub async fn connect(endpoint: &Endpoint) -> Result<Session, PostgresError> {
    let mut config = tokio_postgres::Config::new();
    config
        .dbname(&endpoint.database)
        .user(&endpoint.user)
        .port(endpoint.port)
        .application_name("odoo-backup")
        .connect_timeout(Duration::from_secs(30))
        .keepalives_idle(Duration::from_secs(60))
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
        // As libpq does: where TLS is only preferred, and the server has it but lets nobody in by it (`hostnossl`), go without.
        Err(refused) if endpoint.sslmode == SslMode::Prefer && is_refused(&refused) => {
            config.ssl_mode(Negotiation::Disable);
            // Where that fails as well, the first answer is the one that counts.
            config.connect(tls::connector(endpoint)?).await.map_err(|_| refused)
        }
        other => other,
    };
    let (client, connection) = connected.map_err(|source| PostgresError::connecting(endpoint, source))?;
    // Its errors come back through the client's calls as well.
    let connection = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to PostgreSQL ended");
        }
    });
    let session = Session { client, endpoint: endpoint.clone(), connection };
    // Settings of a role or database that are meant for applications must not end a backup, nor a session that waits for one.
    // Which of them there are depends on the server's version.
    let settings = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
         WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout');
         SET search_path = pg_catalog, public";
    session.batch_execute(settings).await.map_err(session.failed("prepare the connection"))?;
    Ok(session)
}

/// Whether the server lets no session in that comes this way (pg_hba.conf), whatever its password.
fn is_refused(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&tokio_postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

/// Connects to a database of the same server that is there on every server, to create, rename or drop others from.
///
/// # Errors
/// As [`connect`]
pub async fn connect_maintenance(endpoint: &Endpoint) -> Result<Session, PostgresError> {
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
    async fn what_a_server_quotes_is_told_in_short() {
        let cluster = Cluster::start();
        let session = session(&cluster).await;
        let cast = "SELECT ('begin ' || repeat('é', 100000) || ' end')::int";
        let error = session.batch_execute(cast).await.map_err(session.failed("cast")).unwrap_err();
        let said = crate::error::explain(&error).to_string();
        assert!(said.len() < 600, "{} bytes", said.len());
        assert!(said.contains("invalid input syntax for type integer: \"begin éé"), "{said}");
        assert!(said.ends_with("é end\""), "{said}");
    }

    #[tokio::test]
    async fn missing_socket_names_those_that_are_there() {
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
        assert_eq!(error.hint().unwrap(), "check `port`: the folder holds .s.PGSQL.5433");
    }

    #[tokio::test]
    async fn time_limits_that_are_meant_for_applications_do_not_hold_here() {
        let cluster = Cluster::start();
        let names = "SELECT name FROM pg_settings WHERE name LIKE '%\\_timeout' AND category ~ 'Statement Behavior'";
        let names = cluster.psql_as(SUPERUSER, SUPERUSER, names);
        for name in names.lines() {
            cluster.psql_as(SUPERUSER, SUPERUSER, &format!("ALTER ROLE {USER} SET {name} = '1h'"));
        }
        let session = session(&cluster).await;
        let sql = "SELECT count(*) FILTER (WHERE setting = '0'), count(*) FROM pg_settings WHERE name = ANY(string_to_array($1, E'\\n'))";
        let row = session.query_one(sql, &[&names.trim()]).await.unwrap();
        assert!(row.get::<_, i64>(0) >= 3);
        assert_eq!(row.get::<_, i64>(0), row.get::<_, i64>(1), "{names}");
    }
}
