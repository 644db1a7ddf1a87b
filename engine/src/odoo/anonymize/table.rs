//! What is done to one table.

use super::error::Left;
use super::plan::{Planned, Table};
use super::{AnonymizedColumn, AnonymizedTable};
use crate::odoo::tables::{Column, table_in_sql};
use crate::postgres::{PostgresError, Session, quote};

/// An e-mail address that is no fake.
const ADDRESS: &str = r"[A-Za-z0-9._%+-]@(?!example\.com\M)([A-Za-z0-9-]+\.)+[A-Za-z]{2,}";

/// What a table still holds.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// Columns that hold what is no fake and should be one.
    pub(super) originals: Vec<Left>,
    /// Other columns that hold e-mail addresses.
    pub(super) addresses: Vec<Left>,
}

/// Replaces what is to be replaced in a table; `None` where that is nothing.
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
        except: planned.unless.map(|unless| unless.about),
    });
    Ok(Some(AnonymizedTable { table: table.name.clone(), rows, columns: columns.collect() }))
}

/// Looks at what a table holds now.
pub(super) async fn remains(session: &Session, table: &Table) -> Result<Remains, PostgresError> {
    let originals = table.planned.iter().filter_map(|planned| Some((&planned.column, planned.still_original()?)));
    let mut conditions: Vec<(&Column, String)> = originals.collect();
    let of_planned = conditions.len();
    conditions.extend(table.others.iter().map(|column| {
        let text = format!("{}::text", quote(&column.name));
        (column, format!("strpos({text}, '@') > 0 AND {text} ~ '{ADDRESS}'"))
    }));
    let (columns, conditions): (Vec<_>, Vec<_>) = conditions.into_iter().unzip();
    let counts = count(session, table, &conditions, "look for what is left in").await?;
    let mut left = columns.iter().zip(counts).map(|(column, rows)| Left { column: column.full_name(), rows });
    let originals = left.by_ref().take(of_planned).filter(|left| left.rows > 0).collect();
    Ok(Remains { originals, addresses: left.filter(|left| left.rows > 0).collect() })
}

/// Removes every row of a table, and returns how many there were.
pub(super) async fn empty(session: &Session, table: &str) -> Result<u64, PostgresError> {
    let statement = format!("DELETE FROM {}", table_in_sql(table));
    session.execute(&statement, &[]).await.map_err(session.failed(format!("empty {table}")))
}

/// Rows of a table that each condition is true of.
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
    let query = format!("SELECT ARRAY[{}] FROM {}", counts.join(", "), table_in_sql(&table.name));
    let row = session.query_one(&query, &[]).await;
    let row = row.map_err(session.failed(format!("{action} {}", table.name)))?;
    let counts: Vec<i64> = row.get(0);
    Ok(counts.into_iter().map(i64::unsigned_abs).collect())
}

/// Replaces all columns at once. The database's own triggers do not run: what they would write down somewhere is what is to be forgotten.
async fn update(session: &Session, table: &str, columns: &[&Planned]) -> Result<u64, PostgresError> {
    let failed = || session.failed(format!("anonymize {table}"));
    let name = table_in_sql(table);
    let query = "SELECT tgname::text, CASE tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END
         FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND tgenabled <> 'D'";
    let triggers = session.query(query, &[&name]).await.map_err(failed())?;
    let triggers: Vec<(String, String)> =
        triggers.iter().map(|row| (quote(row.get::<_, &str>(0)), row.get(1))).collect();
    session.batch_execute("BEGIN").await.map_err(failed())?;
    for (trigger, _) in &triggers {
        session.batch_execute(&format!("ALTER TABLE {name} DISABLE TRIGGER {trigger}")).await.map_err(failed())?;
    }
    let assignments: Vec<_> = columns.iter().map(|planned| planned.assignment(&name)).collect();
    let conditions: Vec<_> = columns.iter().map(|planned| planned.condition()).collect();
    let statement = format!("UPDATE {name} SET {} WHERE {}", assignments.join(", "), conditions.join(" OR "));
    let rows = session.execute(&statement, &[]).await.map_err(failed())?;
    for (trigger, mode) in &triggers {
        session.batch_execute(&format!("ALTER TABLE {name} ENABLE {mode}TRIGGER {trigger}")).await.map_err(failed())?;
    }
    session.batch_execute("COMMIT").await.map_err(failed())?;
    Ok(rows)
}
