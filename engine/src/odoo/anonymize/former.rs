//! Removes the original values: a changed row leaves them in the table's file and its indexes, and
//! the planner and materialized views keep some of them.

use std::time::{Duration, Instant};

use super::columns::TableName;
use super::error::AnonymizeError;
use crate::postgres::{PostgresError, Session, quote};

/// Time limit for other transactions. Only the server itself uses a copy that has no name yet.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// Waits until the server may remove all rows changed so far. It keeps every row that an open
/// transaction could still read, and copies such rows even when it rewrites a table.
pub(super) async fn wait_until_removable(session: &Session, odoo: &str) -> Result<(), AnonymizeError> {
    let failed = || session.failed("check whether changed rows can be removed");
    let probe = format!("{}.odoo_backup_probe", quote(odoo));
    session
        .batch_execute(&format!("CREATE TABLE {probe} AS SELECT 1 AS row; DELETE FROM {probe}"))
        .await
        .map_err(failed())?;
    let started = Instant::now();
    loop {
        session.batch_execute(&format!("VACUUM FULL {probe}")).await.map_err(failed())?;
        let size = session.query_one("SELECT pg_catalog.pg_relation_size(pg_catalog.to_regclass($1))", &[&probe]).await;
        if size.map_err(failed())?.get::<_, i64>(0) == 0 {
            break;
        }
        if started.elapsed() > PATIENCE {
            return Err(AnonymizeError::Held);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(session.batch_execute(&format!("DROP TABLE {probe}")).await.map_err(failed())?)
}

/// Rewrites a table and its indexes without the removed rows, and updates the planner's statistics.
pub(super) async fn rewrite(session: &Session, table: &TableName) -> Result<(), PostgresError> {
    let statement = format!("VACUUM (FULL, ANALYZE) {}", table.sql());
    session.batch_execute(&statement).await.map_err(session.failed(format!("rewrite {table}")))
}

/// Fills materialized views again.
pub(super) async fn refresh_views(session: &Session) -> Result<(), PostgresError> {
    let query = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid";
    let views = session.query(query, &[]).await.map_err(session.failed("look for materialized views"))?;
    for row in &views {
        let (schema, name): (&str, &str) = (row.get(0), row.get(1));
        let view = format!("{}.{}", quote(schema), quote(name));
        let statement = format!("REFRESH MATERIALIZED VIEW {view}; ANALYZE {view}");
        session.batch_execute(&statement).await.map_err(session.failed(format!("refresh the view {name}")))?;
    }
    Ok(())
}

/// Removes the planner's previous samples of columns.
pub(super) async fn clear_statistics(session: &Session) -> Result<(), PostgresError> {
    let statement = "VACUUM FULL pg_catalog.pg_statistic";
    session.batch_execute(statement).await.map_err(session.failed("clear the planner's statistics"))
}
