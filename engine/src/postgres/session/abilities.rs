//! What a server supports, and what a role may do on it, asked before anything is created.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::postgres::{PostgresError, Session};

/// A server and the session's role on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// The server's major version.
    pub major: u32,
    /// Whether it is a hot standby, which is read-only.
    pub in_recovery: bool,
    /// Whether the role is a superuser.
    pub is_superuser: bool,
    /// Whether the role may create databases.
    pub creates_databases: bool,
    /// Whether it may create any extension. Cloud providers let roles of their own create some that
    /// otherwise need a superuser, and the server cannot tell which.
    pub creates_extensions: bool,
    /// Whether the server was built with ICU.
    pub has_icu: bool,
}

/// Reads the server's and the role's abilities.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn abilities(session: &Session) -> Result<Abilities, PostgresError> {
    // Since PostgreSQL 16, a server without ICU also has collations of ICU, but none that it took
    // from ICU.
    let query =
        "SELECT current_setting('server_version_num')::int / 10000, pg_is_in_recovery(), rolsuper OR rolcreatedb,
            rolsuper OR EXISTS (SELECT FROM pg_roles p WHERE pg_has_role(current_user, p.oid, 'MEMBER')
                AND p.rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin')),
            EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i' AND collname LIKE '%-x-icu'), rolsuper
        FROM pg_roles WHERE rolname = current_user";
    let row = session.query_one(query, &[]).await.map_err(session.failed("look up the role's privileges"))?;
    Ok(Abilities {
        major: row.get::<_, i32>(0).unsigned_abs(),
        in_recovery: row.get(1),
        creates_databases: row.get(2),
        creates_extensions: row.get(3),
        has_icu: row.get(4),
        is_superuser: row.get(5),
    })
}

/// Returns which of these roles the server has.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn known_roles(
    session: &Session,
    names: &[impl AsRef<str> + Sync],
) -> Result<HashSet<String>, PostgresError> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let query = "SELECT rolname::pg_catalog.text FROM pg_catalog.pg_roles WHERE rolname::pg_catalog.text = ANY ($1::pg_catalog.text[])";
    let rows = session.query(query, &[&names]).await.map_err(session.failed("look for roles"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Returns which of these tablespaces the server does not have, or the role may not use.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn unusable_tablespaces(session: &Session, names: &[&str]) -> Result<Vec<String>, PostgresError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let query = "SELECT wanted.name FROM pg_catalog.unnest($1::pg_catalog.text[]) AS wanted(name)
        LEFT JOIN pg_catalog.pg_tablespace s ON s.spcname::pg_catalog.text = wanted.name
        WHERE s.oid IS NULL OR NOT pg_catalog.has_tablespace_privilege(s.oid, 'CREATE') ORDER BY 1";
    let rows = session.query(query, &[&names]).await.map_err(session.failed("look for tablespaces"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Returns whether the server's system has a locale of that name, as `CREATE DATABASE` would check
/// it. `pg_collation` does not tell: it lists the locales present when the cluster was created.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn has_locale(session: &Session, name: &str) -> Result<bool, PostgresError> {
    // For this one statement; the same function checks the name.
    match session.query_one("SELECT set_config('lc_numeric', $1, true)", &[&name]).await {
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::INVALID_PARAMETER_VALUE) => Ok(false),
        other => other.map(|_| true).map_err(session.failed(format!("look for the locale {name:?}"))),
    }
}

/// An extension, as a server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extension {
    /// Its name.
    pub name: String,
    /// Whether the server's system has its files.
    pub is_available: bool,
    /// Whether a database's owner may create it there (`trusted`, or safe anyway).
    pub is_for_owners: bool,
}

/// Looks for extensions on the server.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn find_extensions(session: &Session, names: &[&str]) -> Result<Vec<Extension>, PostgresError> {
    // Servers before 13 do not know `trusted`.
    let query =
        "SELECT wanted.name, a.name IS NOT NULL, coalesce(NOT v.superuser OR (to_jsonb(v)->>'trusted')::boolean, false)
        FROM unnest($1::text[]) AS wanted(name) LEFT JOIN pg_available_extensions a ON a.name = wanted.name
        LEFT JOIN pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version ORDER BY 1";
    let rows = session.query(query, &[&names]).await.map_err(session.failed("look for extensions"))?;
    let extension =
        |row: &tokio_postgres::Row| Extension { name: row.get(0), is_available: row.get(1), is_for_owners: row.get(2) };
    Ok(rows.iter().map(extension).collect())
}

/// Returns the folder of the server's data; `None` if the server may be on another machine, or this
/// process may not know.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn data_folder(session: &Session) -> Result<Option<PathBuf>, PostgresError> {
    let query = "SELECT pg_backend_pid(), CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'MEMBER')
        THEN current_setting('data_directory') END";
    let row = session.query_one(query, &[]).await.map_err(session.failed("read the server's data folder"))?;
    let by_process = std::fs::read_link(format!("/proc/{}/cwd", row.get::<_, i32>(0))).ok();
    let by_process = by_process.filter(|folder| folder.join("PG_VERSION").is_file());
    // A port of this machine may be that of a container, in which the same path is another folder.
    let is_here = session.endpoint().host.starts_with('/');
    let by_setting = row.get::<_, Option<String>>(1).map(PathBuf::from).filter(|folder| is_here && folder.is_dir());
    Ok(by_process.filter(|_| session.endpoint().is_local()).or(by_setting))
}
