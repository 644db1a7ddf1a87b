//! What a server says of itself and of a database, and databases made, renamed and dropped.

use serde::{Deserialize, Serialize};
use tokio_postgres::error::SqlState;

use super::{PostgresError, Session};

/// A database's encoding and locale: what a copy of it must be created with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locale {
    /// `UTF8`
    pub encoding: String,
    /// `LC_COLLATE`
    pub collate: String,
    /// `LC_CTYPE`
    pub ctype: String,
    /// `libc`, `icu` or `builtin`; servers before 15 know only the first.
    pub provider: String,
    /// The locale of a provider other than libc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Rules of the operator's own for ICU; servers before 16 know none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
}

/// A server and one of its databases, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// `server_version_num`: 150018.
    pub version_num: u32,
    /// `server_version`: `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// Identifies the cluster for as long as it lives; `None` where the role may not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// `pg_database_size` in bytes, indexes included.
    pub database_size: u64,
    /// The database's encoding and locale.
    pub locale: Locale,
    /// Extensions and their versions, ordered by name.
    pub extensions: Vec<(String, String)>,
    /// Whether it is a hot standby.
    pub in_recovery: bool,
}

impl ServerFacts {
    /// The version's first part: 15.
    pub fn major(&self) -> u32 {
        self.version_num / 10_000
    }
}

/// Reads what the session's server says of itself and of the session's database, in the transaction that the session is in.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn server_facts(session: &Session) -> Result<ServerFacts, PostgresError> {
    let failed = || session.failed("read what the server says of itself");
    let row = session
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(),
                    pg_database_size(current_database()), pg_encoding_to_char(encoding), to_jsonb(d)::text,
                    has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
             FROM pg_database d WHERE datname = current_database()",
            &[],
        )
        .await
        .map_err(failed())?;
    // The columns of pg_database differ from version to version; those that are not there are not asked for.
    let database: serde_json::Value = serde_json::from_str(row.get(5)).unwrap_or_default();
    let text = |name: &str| database.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let provider = match text("datlocprovider").as_deref() {
        Some("i") => "icu",
        Some("b") => "builtin",
        _ => "libc",
    };
    let locale = Locale {
        encoding: row.get(4),
        collate: text("datcollate").unwrap_or_default(),
        ctype: text("datctype").unwrap_or_default(),
        provider: provider.to_owned(),
        locale: text("datlocale").or_else(|| text("daticulocale")),
        rules: text("daticurules"),
    };
    let system_identifier = match row.get(6) {
        true => {
            let query = "SELECT system_identifier::text FROM pg_control_system()";
            Some(session.query_one(query, &[]).await.map_err(failed())?.get(0))
        }
        false => None,
    };
    let query = "SELECT extname::text, extversion FROM pg_extension ORDER BY extname";
    let extensions = session.query(query, &[]).await.map_err(failed())?;
    Ok(ServerFacts {
        version_num: row.get::<_, i32>(0).unsigned_abs(),
        version: row.get(1),
        in_recovery: row.get(2),
        database_size: row.get::<_, i64>(3).unsigned_abs(),
        locale,
        system_identifier,
        extensions: extensions.iter().map(|row| (row.get(0), row.get(1))).collect(),
    })
}

/// The major version of the session's server.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn server_major(session: &Session) -> Result<u32, PostgresError> {
    let row = session.query_one("SELECT current_setting('server_version_num')::int / 10000", &[]).await;
    row.map(|row| row.get::<_, i32>(0).unsigned_abs()).map_err(session.failed("read the server's version"))
}

/// A name as an identifier in SQL.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether the server has a database of that name.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn database_exists(session: &Session, name: &str) -> Result<bool, PostgresError> {
    let row = session.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await;
    row.map(|row| row.is_some()).map_err(session.failed(format!("look for the database {name:?}")))
}

/// Creates an empty database with the given encoding and locale, owned by the session's role.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn create_database(session: &Session, name: &str, locale: &Locale) -> Result<(), PostgresError> {
    // The first version in which a database has a provider, which is else that of the template: perhaps not the source's.
    let has_providers = server_major(session).await? >= 15;
    let mut statement = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        quote(name),
        literal(&locale.encoding),
        literal(&locale.collate),
        literal(&locale.ctype)
    );
    match (locale.provider.as_str(), &locale.locale) {
        ("icu", Some(icu)) => statement.push_str(&format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(icu))),
        ("builtin", Some(builtin)) => {
            statement.push_str(&format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(builtin)));
        }
        _ if has_providers => statement.push_str(" LOCALE_PROVIDER libc"),
        _ => {}
    }
    if let Some(rules) = &locale.rules {
        statement.push_str(&format!(" ICU_RULES {}", literal(rules)));
    }
    session.batch_execute(&statement).await.map_err(session.failed(format!("create the database {name:?}")))
}

/// Renames a database, ending the sessions that are connected to it.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn rename_database(session: &Session, from: &str, to: &str) -> Result<(), PostgresError> {
    let statement = format!("ALTER DATABASE {} RENAME TO {}", quote(from), quote(to));
    let mut attempts = 3;
    loop {
        attempts -= 1;
        match session.batch_execute(&statement).await {
            // Odoo's scheduler and monitoring connect to every database that they see, and stay; autovacuum the server ends itself.
            Err(error) if attempts > 0 && error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                end_sessions(session, from).await?;
            }
            renamed => return renamed.map_err(session.failed(format!("rename the database {from:?} to {to:?}"))),
        }
    }
}

async fn end_sessions(session: &Session, database: &str) -> Result<(), PostgresError> {
    let query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    let ended = session.execute(query, &[&database]).await;
    ended.map(|_| ()).map_err(session.failed(format!("end the sessions on the database {database:?}")))
}

/// Drops a database, ending the sessions that are connected to it. One that is not there is no error.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn drop_database(session: &Session, name: &str) -> Result<(), PostgresError> {
    let action = format!("drop the database {name:?}");
    let forced = session.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name))).await;
    match forced {
        // Servers before 13 know no FORCE.
        Err(error) if error.code() == Some(&SqlState::SYNTAX_ERROR) => {
            let plain = session.batch_execute(&format!("DROP DATABASE IF EXISTS {}", quote(name))).await;
            plain.map_err(session.failed(action))
        }
        other => other.map_err(session.failed(action)),
    }
}
