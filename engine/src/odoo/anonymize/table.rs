//! The changes to one table.

use super::columns::TableName;
use super::error::Left;
use super::plan::{Planned, Table};
use super::{AnonymizedColumn, AnonymizedTable};
use crate::postgres::{PostgresError, Session, quote};

/// Replaces the values of a table; `None` where there is nothing to replace.
pub(super) async fn replace(session: &Session, table: &Table) -> Result<Option<AnonymizedTable>, PostgresError> {
    let conditions: Vec<_> = table.planned.iter().map(Planned::condition).collect();
    let counts = count(session, table, &conditions, "count what is to be replaced in").await?;
    let held: Vec<_> = table.planned.iter().zip(counts).filter(|(_, rows)| *rows > 0).collect();
    if held.is_empty() {
        return Ok(None);
    }
    let planned: Vec<_> = held.iter().map(|(planned, _)| *planned).collect();
    let rows = update(session, &table.name, &planned).await?;
    let columns = held.iter().map(|(planned, rows)| AnonymizedColumn {
        column: planned.column.name.clone(),
        kind: planned.fake,
        rows: *rows,
        except: planned.unless.as_ref().map(|(unless, _)| unless.about),
    });
    Ok(Some(AnonymizedTable { table: table.name.to_string(), rows, columns: columns.collect() }))
}

/// Looks for values of a table that should be fakes and are not.
pub(super) async fn remains(session: &Session, table: &Table) -> Result<Vec<Left>, PostgresError> {
    let originals = table.planned.iter().filter_map(|planned| Some((&planned.column, planned.still_original()?)));
    let (columns, conditions): (Vec<_>, Vec<_>) = originals.unzip();
    let counts = count(session, table, &conditions, "look for what is left in").await?;
    let left = columns.iter().zip(counts).map(|(column, rows)| Left { column: column.full_name(), rows });
    Ok(left.filter(|left| left.rows > 0).collect())
}

/// Removes every row of a table. Returns how many there were.
pub(super) async fn empty(session: &Session, table: &TableName) -> Result<u64, PostgresError> {
    let statement = format!("DELETE FROM {}", table.sql());
    session.execute(&statement, &[]).await.map_err(session.failed(format!("empty {table}")))
}

/// Counts the rows of a table that meet each condition.
async fn count(
    session: &Session,
    table: &Table,
    conditions: &[String],
    action: &str,
) -> Result<Vec<u64>, PostgresError> {
    if conditions.is_empty() {
        return Ok(Vec::new());
    }
    let counts: Vec<_> = conditions.iter().map(|condition| format!("count(*) FILTER (WHERE {condition})")).collect();
    let query = format!("SELECT ARRAY[{}] FROM {}", counts.join(", "), table.name.sql());
    let row = session.query_one(&query, &[]).await;
    let row = row.map_err(session.failed(format!("{action} {}", table.name)))?;
    let counts: Vec<i64> = row.get(0);
    Ok(counts.into_iter().map(i64::unsigned_abs).collect())
}

/// Replaces all columns at once.
async fn update(session: &Session, table: &TableName, columns: &[&Planned]) -> Result<u64, PostgresError> {
    let name = table.sql();
    let assignments: Vec<_> = columns.iter().map(|planned| planned.assignment(&name)).collect();
    let conditions: Vec<_> = columns.iter().map(|planned| planned.condition()).collect();
    let statement = format!("UPDATE {name} SET {} WHERE {}", assignments.join(", "), conditions.join(" OR "));
    let quiet = WithoutTriggers::begin(session, table).await?;
    let rows = session.execute(&statement, &[]).await.map_err(session.failed(format!("anonymize {table}")))?;
    quiet.commit().await?;
    Ok(rows)
}

/// A transaction in which the database's own triggers on a table do not run: they could record the
/// values that must disappear.
pub(super) struct WithoutTriggers<'a> {
    session: &'a Session,
    table: TableName,
    /// Names and modes of the disabled triggers.
    triggers: Vec<(String, String)>,
}

impl<'a> WithoutTriggers<'a> {
    pub(super) async fn begin(session: &'a Session, table: &TableName) -> Result<Self, PostgresError> {
        let failed = || session.failed(format!("anonymize {table}"));
        let name = table.sql();
        let query = "SELECT tgname::text, CASE tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END
             FROM pg_catalog.pg_trigger WHERE tgrelid = pg_catalog.to_regclass($1) AND NOT tgisinternal AND tgenabled <> 'D'";
        let triggers = session.query(query, &[&name]).await.map_err(failed())?;
        let triggers: Vec<(String, String)> =
            triggers.iter().map(|row| (quote(row.get::<_, &str>(0)), row.get(1))).collect();
        session.batch_execute("BEGIN; SET CONSTRAINTS ALL IMMEDIATE").await.map_err(failed())?;
        for (trigger, _) in &triggers {
            session.batch_execute(&format!("ALTER TABLE {name} DISABLE TRIGGER {trigger}")).await.map_err(failed())?;
        }
        Ok(Self { session, table: table.clone(), triggers })
    }

    pub(super) async fn commit(self) -> Result<(), PostgresError> {
        let (session, name) = (self.session, self.table.sql());
        let failed = || session.failed(format!("anonymize {}", self.table));
        for (trigger, mode) in &self.triggers {
            let enable = format!("ALTER TABLE {name} ENABLE {mode}TRIGGER {trigger}");
            session.batch_execute(&enable).await.map_err(failed())?;
        }
        session.batch_execute("COMMIT").await.map_err(failed())
    }
}
