//! The rows of a copy's tables.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{RestoredCopy, were};
use crate::error::Error;
use crate::manifest::{Check, Notes, Subject};
use crate::manifest::{RowContent, table_rows};
use crate::postgres::{self, PostgresError, Qualified, Session, TableRows, quote};
use crate::text::counted;

/// A table of the copy.
#[derive(Debug, Clone)]
struct Table {
    name: Qualified,
    /// The partitioned table that it is part of, or itself: partitions by hash may divide the rows
    /// otherwise than at the source.
    whole: Qualified,
    /// Whether it belongs to an extension, which fills it before the dump does.
    of_extension: bool,
    /// Whether it is unlogged. On a hot standby such a table has no rows to dump.
    unlogged: bool,
}

/// What is compared.
#[derive(Debug, Default)]
struct Compared {
    expected: Option<u64>,
    found: Option<u64>,
    of_extension: bool,
    unlogged: bool,
}

/// Counts every table, and compares the numbers with those of the backup.
pub(super) async fn check(copy: &RestoredCopy<'_>, session: &Session) -> Result<Check, Error> {
    let Some(content) = &copy.manifest.database.rows else {
        return Ok(Check::skipped(Subject::Rows, "the backup does not record how many rows its tables have"));
    };
    let expected = match expected(copy, content).await {
        Ok(expected) => expected,
        // The dump is intact all the same, and a restore must not fail because of a list.
        Err(error) if error.is_damage() => {
            let why = format!("the backup's list of tables cannot be read: {}", crate::error::explain(&error));
            return Ok(Check::skipped(Subject::Rows, why));
        }
        Err(error) => return Err(error),
    };
    let tables = tables(session).await?;
    let counts = count(copy, session, &tables).await?;
    let mut compared: BTreeMap<&Qualified, Compared> = BTreeMap::new();
    let wholes: BTreeMap<&Qualified, &Qualified> = tables.iter().map(|table| (&table.name, &table.whole)).collect();
    for (name, rows) in &expected {
        let one = compared.entry(wholes.get(name).copied().unwrap_or(name)).or_default();
        *one.expected.get_or_insert(0) += rows;
    }
    for (table, rows) in tables.iter().zip(&counts) {
        let one = compared.entry(&table.whole).or_default();
        *one.found.get_or_insert(0) += rows;
        one.of_extension |= table.of_extension;
        one.unlogged |= table.unlogged;
    }
    let (mut findings, mut known) = (Notes::default(), Notes::default());
    for ((schema, name), one) in &compared {
        match (one.expected, one.found) {
            (Some(expected), Some(found)) if found == expected || (one.of_extension && found > expected) => {}
            (None, Some(_)) if one.of_extension => {}
            (None, Some(0)) if one.unlogged => {
                known.add(format!(
                    "{schema}.{name} is unlogged, and the dump has no rows of it: it was made on a hot standby"
                ));
            }
            (Some(expected), Some(found)) => {
                findings.add(format!(
                    "{schema}.{name} has {}, and {} backed up",
                    counted(found, "row"),
                    were(expected)
                ));
            }
            (None, Some(found)) => {
                findings.add(format!("{schema}.{name} has {}, and was not backed up", counted(found, "row")));
            }
            (expected, None) => {
                let expected = expected.unwrap_or_default();
                findings.add(format!("{schema}.{name} is missing: of its rows {} backed up", were(expected)));
            }
        }
    }
    let large_objects = large_objects(session).await?;
    if large_objects != content.large_objects {
        let (found, expected) = (counted(large_objects, "large object"), were(content.large_objects));
        findings.add(format!("the copy has {found}, and {expected} backed up"));
    }
    let number = tables.len() as u64;
    let summary = format!("{} in {}", counted(counts.iter().sum(), "row"), counted(number, "table"));
    Ok(Check::of(Subject::Rows, number, summary, findings, known))
}

async fn expected(copy: &RestoredCopy<'_>, content: &RowContent) -> Result<Vec<(Qualified, u64)>, Error> {
    let tables = content.tables;
    let lines = copy.repository.read(&content.list, move |list| {
        table_rows(list, tables)
            .map(|table| table.map(|TableRows { schema, table, rows }| ((schema, table), rows)))
            .collect()
    });
    Ok(lines.await?)
}

/// Lists every table that can contain rows, the largest first.
async fn tables(session: &Session) -> Result<Vec<Table>, PostgresError> {
    let query = "SELECT n.nspname::text, c.relname::text, wn.nspname::text, w.relname::text,
                EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'),
                c.relpersistence = 'u'
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_class w ON w.oid = CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END
         JOIN pg_namespace wn ON wn.oid = w.relnamespace
         WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
         ORDER BY c.relpages DESC, c.oid";
    let rows = session.query(query, &[]).await.map_err(session.failed("list the tables"))?;
    let tables = rows.iter().map(|row| Table {
        name: (row.get(0), row.get(1)),
        whole: (row.get(2), row.get(3)),
        of_extension: row.get(4),
        unlogged: row.get(5),
    });
    Ok(tables.collect())
}

/// Counts the rows of each table, in several sessions in parallel.
async fn count(copy: &RestoredCopy<'_>, session: &Session, tables: &[Table]) -> Result<Vec<u64>, PostgresError> {
    let waiting = Mutex::new(tables.iter().enumerate());
    let counts = Mutex::new(vec![0; tables.len()]);
    let count = async |session: &Session| {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, table)) = next else { return Ok(()) };
            let (schema, name) = &table.name;
            let query = format!("SELECT count(*) FROM ONLY {}.{}", quote(schema), quote(name));
            let row = session.query_one(&query, &[]).await;
            let row = row.map_err(session.failed(format!("count the rows of {schema}.{name}")))?;
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts[index] = row.get::<_, i64>(0).unsigned_abs();
        }
    };
    let others = (1..copy.sessions.max(1)).map(async |_| {
        let session = postgres::connect(copy.database).await?;
        session.batch_execute("SET row_security = off").await.map_err(session.failed("prepare the verification"))?;
        count(&session).await
    });
    tokio::try_join!(count(session), futures::future::try_join_all(others))?;
    Ok(counts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

async fn large_objects(session: &Session) -> Result<u64, PostgresError> {
    let row = session.query_one("SELECT count(*) FROM pg_largeobject_metadata", &[]).await;
    Ok(row.map_err(session.failed("count the large objects"))?.get::<_, i64>(0).unsigned_abs())
}
