//! The sequences of a copy: a number that is returned twice causes an error for a user.

use futures::{StreamExt, TryStreamExt};

use super::is_own;
use crate::manifest::{Check, Notes, Subject};
use crate::postgres::{ArchiveObjects, PostgresError, Qualified, SequenceValue, Session, quote};
use crate::text::counted;

/// Queries in flight.
const IN_FLIGHT: usize = 32;

/// A sequence of the copy.
struct Sequence {
    name: Qualified,
    increment: i64,
    /// The table and column that it numbers, if that is a column of integers and it counts upwards
    /// without end.
    column: Option<(Qualified, String)>,
}

/// Compares each sequence with the dump's value, and with the column that it numbers. One that was
/// already behind its column at the source is known.
pub(super) async fn check(session: &Session, dump: &ArchiveObjects) -> Result<Check, PostgresError> {
    let sequences = sequences(session).await?;
    // Collected, so that the compiler sees that the whole can move between threads
    // (rust-lang/rust#102211).
    let values: Vec<_> = sequences.iter().map(|sequence| value(session, sequence)).collect();
    let values = futures::stream::iter(values).buffered(IN_FLIGHT);
    let values: Vec<(SequenceValue, Option<i64>)> = values.try_collect().await?;
    let (mut findings, mut known) = (Notes::default(), Notes::default());
    for (Sequence { name, increment, column }, (value, highest)) in sequences.iter().zip(values) {
        let (schema, sequence) = name;
        let expected = dump.sequences.get(name);
        if expected.is_some_and(|expected| *expected != value) {
            let expected = expected.map_or(0, |expected| expected.last);
            findings.add(format!("{schema}.{sequence} is at {}, and the dump sets it to {expected}", value.last));
        }
        let next = if value.called { value.last.saturating_add(*increment) } else { value.last };
        if let (Some((table, column)), Some(highest)) = (column, highest)
            && next <= highest
        {
            let text = format!(
                "{schema}.{sequence} would return {next}, but {}.{}.{column} already has {highest}",
                table.0, table.1
            );
            if expected == Some(&value) { known.add(text) } else { findings.add(text) }
        }
    }
    let number = sequences.len() as u64;
    let summary = format!("{}, all at the dump's values and ahead of their columns", counted(number, "sequence"));
    Ok(Check::of(Subject::Sequences, number, summary, findings, known))
}

async fn sequences(session: &Session) -> Result<Vec<Sequence>, PostgresError> {
    let own = is_own("pg_class", "c.oid", "n.nspname");
    let query = format!(
        "SELECT n.nspname::text, c.relname::text, seqincrement, tn.nspname::text, t.relname::text, attname::text
         FROM pg_sequence s JOIN pg_class c ON c.oid = seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
              AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') AND seqincrement > 0 AND NOT seqcycle
         LEFT JOIN pg_attribute a ON attrelid = d.refobjid AND attnum = d.refobjsubid
              AND atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
         LEFT JOIN pg_class t ON t.oid = attrelid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
         WHERE {own} ORDER BY 1, 2"
    );
    let rows = session.query(&query, &[]).await.map_err(session.failed("list the sequences"))?;
    let sequences = rows.iter().map(|row| Sequence {
        name: (row.get(0), row.get(1)),
        increment: row.get(2),
        column: row
            .get::<_, Option<String>>(5)
            .and_then(|column| Some(((row.get(3), row.get::<_, Option<_>>(4)?), column))),
    });
    Ok(sequences.collect())
}

/// Returns the sequence's value, and the highest number in its column.
async fn value(session: &Session, sequence: &Sequence) -> Result<(SequenceValue, Option<i64>), PostgresError> {
    let qualified = |(schema, name): &Qualified| format!("{}.{}", quote(schema), quote(name));
    let highest = match &sequence.column {
        Some((table, column)) => format!("(SELECT max({}) FROM {})", quote(column), qualified(table)),
        None => "NULL".to_owned(),
    };
    let query = format!("SELECT last_value, is_called, {highest}::bigint FROM {}", qualified(&sequence.name));
    let row = session.query_one(&query, &[]).await;
    let row = row.map_err(session.failed(format!("look at the sequence {}.{}", sequence.name.0, sequence.name.1)))?;
    Ok((SequenceValue { last: row.get(0), called: row.get(1) }, row.get(2)))
}
