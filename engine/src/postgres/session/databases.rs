//! Creates, hides, closes, swaps and drops databases.
//!
//! All of this needs only CREATEDB and the ownership of the database.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::postgres::{Endpoint, Locale, PostgresError, Session, Stubborn, connect, server_major, stubborn_settings};

/// A database as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HiddenDatabase {
    /// Stays the same after a renaming, and is unique.
    pub oid: u32,
    /// The role that owns it.
    pub owner: String,
    /// Whether that is the session's role itself.
    pub is_own: bool,
    /// Whether it is a superuser.
    pub is_superusers: bool,
}

/// Another role's session on a database, which this session's role may not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignSession {
    /// Its process on the server.
    pub pid: i32,
    /// Its role.
    pub role: String,
    /// Whether only a superuser could end it.
    pub is_superusers: bool,
}

/// A database's new name, and whether it accepts connections from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renaming {
    /// The name that it has.
    pub from: String,
    /// The name that it gets.
    pub to: String,
    /// Whether it accepts connections under that name.
    pub open: bool,
}

/// Returns a name as an identifier in SQL.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns the database of that name, if there is one.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn find_database(session: &Session, name: &str) -> Result<Option<HiddenDatabase>, PostgresError> {
    let query = "SELECT d.oid, pg_get_userbyid(datdba)::text, coalesce(r.rolname = current_user, false), coalesce(r.rolsuper, false)
        FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_roles r ON r.oid = datdba WHERE datname = $1";
    let row = session.query_opt(query, &[&name]).await;
    let row = row.map_err(session.failed(format!("look for the database {name:?}")))?;
    Ok(row.map(|row| HiddenDatabase {
        oid: row.get(0),
        owner: row.get(1),
        is_own: row.get(2),
        is_superusers: row.get(3),
    }))
}

/// Returns whether the server has a database of that name.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn database_exists(session: &Session, name: &str) -> Result<bool, PostgresError> {
    Ok(find_database(session, name).await?.is_some())
}

/// Returns how many bytes a database takes on the server's disk; `None` if there is no such
/// database, or the role may not know.
pub(crate) async fn database_bytes(session: &Session, name: &str) -> Option<u64> {
    let query = "SELECT pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database WHERE datname = $1";
    let row = session.query_opt(query, &[&name]).await.ok().flatten()?;
    u64::try_from(row.try_get::<_, i64>(0).ok()?).ok()
}

/// Sets the comment of a database, which stays with it when it is renamed.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn comment_database(session: &Session, name: &str, text: &str) -> Result<(), PostgresError> {
    let statement = format!("COMMENT ON DATABASE {} IS {}", quote(name), literal(text));
    session.batch_execute(&statement).await.map_err(session.failed(format!("comment on the database {name:?}")))
}

/// Returns the comment of a database, if it has one.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn database_comment(session: &Session, name: &str) -> Result<Option<String>, PostgresError> {
    let query =
        "SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database WHERE datname = $1";
    let row = session.query_opt(query, &[&name]).await;
    let row = row.map_err(session.failed(format!("read the comment of the database {name:?}")))?;
    Ok(row.and_then(|row| row.get(0)))
}

/// Creates an empty database with the given encoding and locale, owned by the session's role, that
/// no Odoo uses. A server without `dbfilter` connects to every database of its role except
/// templates, and would run the scheduled actions of a half-restored one. In every series,
/// `list_dbs` in `odoo/service/db.py` asks for `NOT datistemplate AND datallowconn`.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn create_hidden_database(
    session: &Session,
    name: &str,
    locale: &Locale,
) -> Result<(), PostgresError> {
    // Skipped rows, or triggers and foreign keys without effect, would make a wrong copy.
    if let Some(Stubborn { name, value }) = stubborn_settings(session).await?.into_iter().next() {
        return Err(PostgresError::Setting { server: session.endpoint().to_string(), name, value });
    }
    // The first version in which a database has a provider; otherwise it takes the template's,
    // which may differ from the source's.
    let has_providers = server_major(session).await? >= 15;
    let mut statement = format!(
        "CREATE DATABASE {} TEMPLATE template0 IS_TEMPLATE true ENCODING {} LC_COLLATE {} LC_CTYPE {}",
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

/// Closes a database to all connections and ends its sessions. [`rename_databases`] or
/// [`open_database`] opens it again. A closed database need not be hidden as a template, whose rows
/// any role with CREATEDB could copy.
///
/// # Errors
/// [`PostgresError::Query`], also if a session belongs to another role and the session's role may
/// not end it. The database may be closed all the same.
pub(crate) async fn close_database(session: &Session, name: &str) -> Result<(), PostgresError> {
    let close =
        format!("ALTER DATABASE {0} ALLOW_CONNECTIONS false; ALTER DATABASE {0} IS_TEMPLATE false", quote(name));
    session.batch_execute(&close).await.map_err(session.failed(format!("close the database {name:?}")))?;
    // Autovacuum has no role, and the server ends it by itself. Not every role may see the kind of
    // another role's session.
    let end = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
        WHERE datname = $1 AND usesysid IS NOT NULL AND NOT pid = ANY ($2)";
    // A session ends with a delay, and one accepted earlier may appear only now. Sessions that only
    // others may end get a while to end by themselves.
    let failed = || session.failed(format!("end the sessions on the database {name:?}"));
    for _ in 0..200 {
        let foreign: Vec<i32> = foreign_sessions(session, name).await?.iter().map(|one| one.pid).collect();
        let ended = session.execute(end, &[&name, &foreign]).await.map_err(failed())?;
        if ended == 0 && foreign.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let none: &[i32] = &[];
    session.execute(end, &[&name, &none]).await.map(|_| ()).map_err(failed())
}

/// Returns the sessions on a database that the session's role may not end.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn foreign_sessions(session: &Session, name: &str) -> Result<Vec<ForeignSession>, PostgresError> {
    let query = "SELECT a.pid, r.rolname::text, r.rolsuper FROM pg_catalog.pg_stat_activity a
             JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid JOIN pg_catalog.pg_roles me ON me.rolname = current_user
         WHERE a.datname = $1 AND NOT me.rolsuper AND (r.rolsuper
             OR NOT pg_catalog.pg_has_role(r.oid, 'USAGE') AND NOT pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))
         ORDER BY 1";
    let rows = session.query(query, &[&name]).await;
    let rows = rows.map_err(session.failed(format!("look for sessions on the database {name:?}")))?;
    let foreign =
        |row: &tokio_postgres::Row| ForeignSession { pid: row.get(0), role: row.get(1), is_superusers: row.get(2) };
    Ok(rows.iter().map(foreign).collect())
}

/// Accepts connections again.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn open_database(session: &Session, name: &str) -> Result<(), PostgresError> {
    let open = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", quote(name));
    session.batch_execute(&open).await.map_err(session.failed(format!("open the database {name:?}")))
}

/// Renames closed databases in this order: all of them, or none.
///
/// # Errors
/// [`PostgresError::Query`]; if the connection broke, it may have been done all the same.
pub(crate) async fn rename_databases(session: &Session, renamings: &[Renaming]) -> Result<(), PostgresError> {
    let statements = renamings.iter().map(|Renaming { from, to, open }| {
        let (from, to) = (quote(from), quote(to));
        format!("ALTER DATABASE {from} RENAME TO {to}; ALTER DATABASE {to} ALLOW_CONNECTIONS {open};")
    });
    let transaction = format!("BEGIN; {} COMMIT", statements.collect::<String>());
    let done = session.batch_execute(&transaction).await;
    if done.is_err() {
        // If the session still works, it is outside of the failed transaction.
        let _ = session.batch_execute("ROLLBACK").await;
    }
    let list: Vec<_> = renamings.iter().map(|one| format!("{:?} to {:?}", one.from, one.to)).collect();
    done.map_err(session.failed(format!("rename the database {}", list.join(" and "))))
}

/// Drops a database and ends the sessions on it. A missing database is not an error.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn drop_database(session: &Session, name: &str) -> Result<(), PostgresError> {
    if !database_exists(session, name).await? {
        return Ok(());
    }
    // A template cannot be dropped, nor, before FORCE came with 13, a database with connections.
    close_database(session, name).await?;
    let dropped = session.batch_execute(&format!("DROP DATABASE IF EXISTS {}", quote(name))).await;
    dropped.map_err(session.failed(format!("drop the database {name:?}")))
}

/// Drops the subscriptions of a database that a restore created, without notifying the publisher,
/// which does not know of them. They would prevent dropping the database.
///
/// # Errors
/// [`PostgresError`]
pub(crate) async fn drop_subscriptions(endpoint: &Endpoint) -> Result<(), PostgresError> {
    let session = connect(endpoint).await?;
    let query = "SELECT s.subname::pg_catalog.text FROM pg_catalog.pg_subscription s
        JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()";
    let rows = session.query(query, &[]).await.map_err(session.failed("list the subscriptions"))?;
    for row in &rows {
        let name = quote(row.get(0));
        for drop in
            ["ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)", "DROP SUBSCRIPTION {}"]
        {
            let done = session.batch_execute(&drop.replace("{}", &name)).await;
            done.map_err(session.failed(format!("drop the subscription {name}")))?;
        }
    }
    Ok(())
}

/// Returns the databases of the session's role whose names are `prefix` and eight hexadecimal
/// digits, and that no session has [claimed](claim_database). They are hidden or closed, as this
/// program's own are, and now claimed by this session.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn abandoned_databases(session: &Session, prefix: &str) -> Result<Vec<String>, PostgresError> {
    let failed = || session.failed("look for databases of interrupted runs");
    let query = "SELECT datname::text FROM pg_database d JOIN pg_roles r ON r.oid = datdba
        WHERE rolname = current_user AND (datistemplate OR NOT datallowconn)
          AND starts_with(datname::text, $1) AND substr(datname::text, length($1) + 1) ~ '^[0-9a-f]{8}$' ORDER BY 1";
    let mut abandoned = Vec::new();
    for row in session.query(query, &[&prefix]).await.map_err(failed())? {
        let name: String = row.get(0);
        let free = "SELECT pg_try_advisory_lock(hashtext('odoo-backup restore'), hashtext($1))";
        if session.query_one(free, &[&name]).await.map_err(failed())?.get(0) {
            abandoned.push(name);
        }
    }
    Ok(abandoned)
}

/// Time limit for a lock: a session whose client was killed first finishes its statement.
const PATIENCE: &str = "10s";

/// Claims a database name for this session while it lives. Returns `false` if another session has
/// claimed it.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn claim_database(session: &Session, name: &str) -> Result<bool, PostgresError> {
    let claim = format!(
        "SET lock_timeout = '{PATIENCE}'; SELECT pg_advisory_lock(hashtext('odoo-backup restore'), hashtext({})); SET lock_timeout = 0",
        literal(name)
    );
    match session.batch_execute(&claim).await {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        other => {
            other.map(|()| true).map_err(session.failed(format!("lock the database {name:?} against other restores")))
        }
    }
}

/// Returns their owners: `postgres (superuser, pid 4711)`.
pub(crate) fn sessions_text(sessions: &[ForeignSession]) -> String {
    let one = |session: &ForeignSession| {
        let rank = if session.is_superusers { "superuser, " } else { "" };
        format!("{} ({rank}pid {})", session.role, session.pid)
    };
    sessions.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Returns how they can be ended.
pub(crate) fn ending_of_sessions(sessions: &[ForeignSession], wait: Option<Duration>) -> String {
    if let Some(wait) = wait {
        return format!("the restore waits up to {} s for them to end before the swap", wait.as_secs());
    }
    let pids: Vec<_> = sessions.iter().map(|session| session.pid.to_string()).collect();
    let grant = match sessions.iter().any(|session| session.is_superusers) {
        true => "",
        false => ", or GRANT pg_signal_backend to the role",
    };
    format!(
        "end them as a superuser (`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN ({})`){grant}, or add `--wait SECONDS` to wait for their end before the swap",
        pids.join(", ")
    )
}
