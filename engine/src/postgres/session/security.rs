//! Row-level security that also applies to a table's owner.

use crate::postgres::{PostgresError, Session, quote};

/// A table whose policies also apply to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForcedTable {
    schema: String,
    name: String,
}

impl ForcedTable {
    fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

/// Lets the session see all rows of the tables that its role owns, also through other roles:
/// verification, neutralization and anonymization must not miss any. Returns the changed tables.
/// Changes nothing for a role that sees all rows anyway. With `row_security = off`, a query that
/// still does not see all rows fails instead of reporting no problem.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn suspend_row_security(session: &Session) -> Result<Vec<ForcedTable>, PostgresError> {
    let off = session.batch_execute("SET row_security = off").await;
    off.map_err(session.failed("see the rows that row-level security hides"))?;
    let query = "SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relforcerowsecurity AND c.relkind IN ('r', 'p') AND pg_catalog.pg_has_role(c.relowner, 'USAGE') AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = current_user AND (r.rolsuper OR r.rolbypassrls))
        ORDER BY 1, 2";
    let rows = session.query(query, &[]).await.map_err(session.failed("check row-level security"))?;
    let tables: Vec<_> = rows.iter().map(|row| ForcedTable { schema: row.get(0), name: row.get(1) }).collect();
    change(session, &tables, "NO FORCE").await?;
    Ok(tables)
}

/// Makes the policies apply to the owner again.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn resume_row_security(session: &Session, tables: &[ForcedTable]) -> Result<(), PostgresError> {
    change(session, tables, "FORCE").await
}

async fn change(session: &Session, tables: &[ForcedTable], to: &str) -> Result<(), PostgresError> {
    for table in tables {
        let change = format!("ALTER TABLE ONLY {} {to} ROW LEVEL SECURITY", table.quoted());
        session.batch_execute(&change).await.map_err(session.failed("change row-level security"))?;
    }
    Ok(())
}
