//! Rows that a table hides even from its owner (`FORCE ROW LEVEL SECURITY`): a copy must not be called neutral, or anonymous, because of what nobody could see.

use crate::postgres::{PostgresError, Session, quote};

/// Lets the session see every row of tables that hide some even from their owner, and returns those tables.
///
/// With `row_security = off` a query that would still not see all fails, rather than to find nothing wrong in the rest.
pub(super) async fn see_every_row(session: &Session) -> Result<Vec<String>, PostgresError> {
    let failed = || session.failed("see the rows that row security hides");
    session.batch_execute("SET row_security = off").await.map_err(failed())?;
    let query = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relforcerowsecurity AND c.relkind IN ('r', 'p')
           AND pg_catalog.pg_has_role(c.relowner, 'USAGE') ORDER BY 1, 2";
    let rows = session.query(query, &[]).await.map_err(failed())?;
    let tables: Vec<String> = rows.iter().map(|row| format!("{}.{}", quote(row.get(0)), quote(row.get(1)))).collect();
    for table in &tables {
        let statement = format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY");
        session.batch_execute(&statement).await.map_err(failed())?;
    }
    Ok(tables)
}

/// Hides them again, as the original does.
pub(super) async fn hide_rows_again(session: &Session, tables: &[String]) -> Result<(), PostgresError> {
    for table in tables {
        let statement = format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY");
        session.batch_execute(&statement).await.map_err(session.failed("enforce row security again"))?;
    }
    Ok(())
}
