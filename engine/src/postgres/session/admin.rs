//! Properties of a server and of a database.

use serde::{Deserialize, Serialize};

use crate::postgres::{PostgresError, Session};

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
    /// The operator's own rules for ICU; servers before 16 know none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
}

/// A server and one of its databases at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// `server_version_num`: 150018.
    pub version_num: u32,
    /// `server_version`: `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// Identifies the cluster for its whole life; `None` where the role may not ask.
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
    /// Returns the first part of the version: 15.
    pub fn major(&self) -> u32 {
        self.version_num / 10_000
    }
}

/// Reads the properties of the session's server and database, in the session's current transaction.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn server_facts(session: &Session) -> Result<ServerFacts, PostgresError> {
    let failed = || session.failed("read the server's properties");
    let row = session
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(),
                    pg_database_size(current_database()), pg_encoding_to_char(encoding), to_jsonb(d)::text
             FROM pg_database d WHERE datname = current_database()",
            &[],
        )
        .await
        .map_err(failed())?;
    // The columns of pg_database differ between versions; missing ones are not read.
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
    let query = "SELECT extname::text, extversion FROM pg_extension ORDER BY extname";
    let extensions = session.query(query, &[]).await.map_err(failed())?;
    Ok(ServerFacts {
        version_num: row.get::<_, i32>(0).unsigned_abs(),
        version: row.get(1),
        in_recovery: row.get(2),
        database_size: row.get::<_, i64>(3).unsigned_abs(),
        locale,
        system_identifier: system_identifier(session).await?,
        extensions: extensions.iter().map(|row| (row.get(0), row.get(1))).collect(),
    })
}

/// Returns the major version of the session's server.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn server_major(session: &Session) -> Result<u32, PostgresError> {
    let row = session.query_one("SELECT current_setting('server_version_num')::int / 10000", &[]).await;
    row.map(|row| row.get::<_, i32>(0).unsigned_abs()).map_err(session.failed("read the server's version"))
}

/// Returns whether the session's role may do more than a script of unknown origin should: run
/// programs on the server's machine, or read or write its files. A superuser may.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn is_powerful(session: &Session) -> Result<bool, PostgresError> {
    let query = "SELECT bool_or(pg_has_role(current_user, role, 'MEMBER'))
        FROM unnest(ARRAY['pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files']::name[]) role";
    let row = session.query_one(query, &[]).await.map_err(session.failed("read the role's privileges"))?;
    Ok(row.get(0))
}

/// Returns `LC_CTYPE` of new databases.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn template_ctype(session: &Session) -> Result<String, PostgresError> {
    let query = "SELECT datctype::text FROM pg_database WHERE datname = 'template0'";
    let row = session.query_one(query, &[]).await.map_err(session.failed("read the locale of new databases"))?;
    Ok(row.get(0))
}

/// Returns what identifies the cluster for its whole life; `None` where the role may not ask.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn system_identifier(session: &Session) -> Result<Option<String>, PostgresError> {
    let failed = || session.failed("read the server's identity");
    let query = "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')";
    if !session.query_one(query, &[]).await.map_err(failed())?.get::<_, bool>(0) {
        return Ok(None);
    }
    let query = "SELECT system_identifier::text FROM pg_control_system()";
    Ok(Some(session.query_one(query, &[]).await.map_err(failed())?.get(0)))
}
