//! Row level security that holds for a table's owner as well.

use super::{PostgresError, Session, quote};

/// A table whose policies hold for its owner, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForcedTable {
    schema: String,
    name: String,
}

impl ForcedTable {
    fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

/// Lets the owner see all rows of its tables: what a copy is verified by, and neutralized, must not miss any. Returns the tables for which
/// that was changed. A role that sees all rows anyway changes nothing.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn suspend_row_security(session: &Session) -> Result<Vec<ForcedTable>, PostgresError> {
    let query = "SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relforcerowsecurity AND c.relkind IN ('r', 'p') AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = current_user AND (r.rolsuper OR r.rolbypassrls))";
    let rows = session.query(query, &[]).await.map_err(session.failed("look for row level security"))?;
    let tables: Vec<_> = rows.iter().map(|row| ForcedTable { schema: row.get(0), name: row.get(1) }).collect();
    change(session, &tables, "NO FORCE").await?;
    Ok(tables)
}

/// Makes the policies hold for the owner again.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn resume_row_security(session: &Session, tables: &[ForcedTable]) -> Result<(), PostgresError> {
    change(session, tables, "FORCE").await
}

async fn change(session: &Session, tables: &[ForcedTable], to: &str) -> Result<(), PostgresError> {
    for table in tables {
        let change = format!("ALTER TABLE ONLY {} {to} ROW LEVEL SECURITY", table.quoted());
        session.batch_execute(&change).await.map_err(session.failed("change row level security"))?;
    }
    Ok(())
}
