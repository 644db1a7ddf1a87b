//! Signs that a database is in use.

use super::Schema;
use super::schema::unsafe_tables;
use crate::postgres::{PostgresError, Session};

/// A write counts as recent for so many minutes. A running Odoo server runs a scheduled action more
/// often than that, and a user's open browser makes it write every minute.
pub const RECENT_MINUTES: i32 = 15;

/// Tables of up to so many bytes are read whole, to find the last change in them; of larger ones
/// only the newest row is read.
const SMALL_TABLE: i64 = 1024 * 1024;

/// Returns whether the database says that it is a safe copy.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn is_neutralized(session: &Session) -> Result<bool, PostgresError> {
    let Some(schema) = Schema::find(session).await? else { return Ok(false) };
    let table = schema.look(session, "ir_config_parameter").await?.table();
    let Some(table) = table.filter(|table| table.has("key") && table.has("value")) else { return Ok(false) };
    let query = format!(
        "SELECT lower(value::text) IN ('true', 't', '1') FROM {} WHERE key::text = 'database.is_neutralized' LIMIT 1",
        table.sql
    );
    let row = session.query_opt(&query, &[]).await.map_err(session.failed("check whether it is neutralized"))?;
    Ok(row.and_then(|row| row.get::<_, Option<bool>>(0)).unwrap_or(false))
}

/// Returns the names of other sessions on the session's database, without those of tools for people
/// and monitoring.
///
/// Odoo names its sessions `odoo-PID`, or as `$ODOO_PGAPPNAME` or `db_app_name` say
/// (odoo/sql_db.py): so any other name may be Odoo's. Every role sees the names of all sessions.
/// Not every role may see the kind of another role's session, and the server's own sessions have no
/// role.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn sessions(session: &Session) -> Result<Vec<String>, PostgresError> {
    let query = "SELECT coalesce(nullif(application_name, ''), 'a session without a name') || ' (pid ' || pid || ')'
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
          AND coalesce(backend_type, 'client backend') = 'client backend'
          AND application_name !~* '^(odoo-backup$|psql|pg_dump|pg_restore|pg_basebackup|pgAdmin|DBeaver|DataGrip|.*exporter)'
        ORDER BY pid";
    let rows = session.query(query, &[]).await.map_err(session.failed("look for sessions"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The last write found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastWrite {
    /// The table.
    pub table: String,
    /// Its time, by the server's clock.
    pub minutes_ago: i32,
}

/// Looks for a write of the last [`RECENT_MINUTES`]. `None` does not prove that there was none: a
/// change of an old row of a large table is not seen.
///
/// The server's own figures do not help: its statistics count from an unknown time and include
/// reads of catalogs, and its last commit (`track_commit_timestamp`) may be any database's. So this
/// uses what Odoo itself records, by the server's clock: `write_date` of the newest row of every
/// table, and of every row of the small ones, and when scheduled actions last ran.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn last_write(session: &Session) -> Result<Option<LastWrite>, PostgresError> {
    let failed = || session.failed("look for recent writes");
    let Some(schema) = Schema::find(session).await? else { return Ok(None) };
    let query = format!(
        "SELECT c.relname::text, w.attname::text, w.attname = 'lastcall' OR pg_relation_size(c.oid) <= $1
        FROM pg_class c JOIN pg_attribute w ON w.attrelid = c.oid AND NOT w.attisdropped
          AND (w.attname = 'write_date' OR c.relname = 'ir_cron' AND w.attname = 'lastcall')
        WHERE c.relkind = 'r' AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $2::text)
          AND w.atttypid = 'timestamp'::regtype AND c.oid NOT IN (SELECT root FROM ({}) AS unsafe)
          AND has_table_privilege(c.oid, 'SELECT') AND EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid
            AND a.attname = 'id' WHERE i.indrelid = c.oid AND i.indisprimary AND i.indkey::text = a.attnum::text)
        ORDER BY 1",
        unsafe_tables("c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $2::text)")
    );
    let tables = session.query(&query, &[&SMALL_TABLE, &schema.name()]).await.map_err(failed())?;
    let mut last = None;
    // In several queries: every table in a query is locked, and the server has room for some
    // thousands of locks.
    for tables in tables.chunks(100) {
        let newest = tables.iter().map(|row| {
            let (table, column, whole) = (row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, bool>(2));
            let rows = match whole {
                true => schema.table(table),
                false => format!("(SELECT {column} FROM {} ORDER BY id DESC LIMIT 1) AS newest", schema.table(table)),
            };
            format!("SELECT '{}' AS what, max({column}) AS at FROM {rows}", table.replace('\'', "''"))
        });
        let query = format!(
            "SELECT what, extract(epoch FROM age)::int / 60 FROM (SELECT what, (now() AT TIME ZONE 'UTC') - at AS age FROM ({}) AS found) AS aged
             WHERE age BETWEEN - interval '1 minute' * $1 AND interval '1 minute' * $1 ORDER BY age LIMIT 1",
            newest.collect::<Vec<_>>().join(" UNION ALL ")
        );
        let row = session.query_opt(&query, &[&f64::from(RECENT_MINUTES)]).await.map_err(failed())?;
        let found = row.map(|row| LastWrite { table: row.get(0), minutes_ago: row.get(1) });
        last = [last, found].into_iter().flatten().min_by_key(|write: &LastWrite| write.minutes_ago);
    }
    Ok(last)
}
