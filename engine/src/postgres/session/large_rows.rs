//! Finds rows that are larger than PostgreSQL can write out.

use crate::postgres::script::load::table_of_copy;
use crate::postgres::{PostgresError, Session, quote};

/// A row becomes one text of less than one gibibyte, and a byte of `bytea` becomes two bytes of it.
/// Rows are suspected from half of that.
const SUSPECT: i64 = 512 * 1024 * 1024;

/// Lower numbers are types of the server itself.
const FIRST_OF_USERS: u32 = 16_384;

/// Returns which rows of a table are too large, by their keys, after pg_dump failed on it; `None`
/// if none is, or the table is unknown. Reads the sizes in the session's transaction, without the
/// values.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn too_large_rows(
    session: &Session,
    failed: &PostgresError,
) -> Result<Option<PostgresError>, PostgresError> {
    let PostgresError::Failed { stderr, .. } = failed else { return Ok(None) };
    let Some(name) = stderr.find("COPY ").and_then(|at| table_of_copy(&stderr.as_bytes()[at..])) else {
        return Ok(None);
    };
    let reading = || session.failed("look for oversized rows");
    let Ok(name) = std::str::from_utf8(name) else { return Ok(None) };
    let query = "SELECT n.nspname::text, c.relname::text, a.attname::text, a.atttypid,
            EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid AND i.indisprimary
                    AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey))
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
        WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1::text)::oid AND c.relkind OPERATOR(pg_catalog.=) 'r'
              AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let columns = session.query(query, &[&name]).await.map_err(reading())?;
    let Some(first) = columns.first() else { return Ok(None) };
    let (schema, table): (String, String) = (first.get(0), first.get(1));
    let (mut sizes, mut key) = (Vec::new(), Vec::new());
    for column in &columns {
        let (name, kind): (String, u32) = (column.get(2), column.get(3));
        let sql = quote(&name);
        let size = match kind {
            17 => format!("pg_catalog.octet_length({sql})::bigint * 2"),
            25 | 1043 => format!("pg_catalog.octet_length({sql}::text)::bigint"),
            _ => format!("pg_catalog.pg_column_size({sql})::bigint"),
        };
        sizes.push(format!("coalesce({size}, 0)"));
        if column.get(4) && kind < FIRST_OF_USERS {
            key.push(format!("'{} = ' || coalesce({sql}::text, 'NULL')", name.replace('\'', "''")));
        }
    }
    let key = if key.is_empty() { "'ctid = ' || ctid::text".to_owned() } else { key.join(" || ', ' || ") };
    let query = format!(
        "SELECT {key}, size FROM (SELECT *, ctid, {} AS size FROM ONLY {}.{}) AS sized
         WHERE size OPERATOR(pg_catalog.>=) {SUSPECT}::bigint ORDER BY size DESC LIMIT 3",
        sizes.join(" + "),
        quote(&schema),
        quote(&table)
    );
    let rows = session.query(&query, &[]).await.map_err(reading())?;
    let row = |row: &tokio_postgres::Row| {
        let (key, size): (String, i64) = (row.get(0), row.get(1));
        format!("{key} ({} MiB)", size / 1024 / 1024)
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    let rows = rows.join("; ").escape_debug().to_string();
    Ok((!rows.is_empty()).then(|| PostgresError::LargeRows { table: format!("{schema}.{table}"), rows }))
}
