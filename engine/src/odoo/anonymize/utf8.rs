//! Checks whether all text of a database can be read as UTF-8: other text cannot be searched.

use std::collections::BTreeMap;

use super::columns::TableName;
use super::error::AnonymizeError;
use crate::odoo::readable::is_of_text;
use crate::postgres::{PostgresError, Session, quote};

/// Every column of text in the tables of the database, except the server's own.
const COLUMNS: &str = "
    SELECT n.nspname::text, c.relname::text, a.attname::text
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND (t.typcategory IN ('S', 'A') OR t.typname IN ('json', 'jsonb', 'xml', 'hstore'))
    ORDER BY 1, 2, a.attnum";

/// Makes sure that the text of every table can be read as UTF-8. Does nothing for a database in
/// UTF-8.
///
/// # Errors
/// [`AnonymizeError::NotUtf8`], with all columns that contain something else.
pub(super) async fn require(session: &Session, odoo: &str) -> Result<(), AnonymizeError> {
    let failed = || session.failed("look for text that is not UTF-8");
    let row = session.query_one("SELECT pg_catalog.getdatabaseencoding()::text", &[]).await.map_err(failed())?;
    let encoding: String = row.get(0);
    if encoding == "UTF8" {
        return Ok(());
    }
    let mut tables: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
    for row in session.query(COLUMNS, &[]).await.map_err(failed())? {
        let [schema, name, column]: [String; 3] = [row.get(0), row.get(1), row.get(2)];
        let is_odoos = schema == odoo;
        tables.entry(TableName { schema, name, is_odoos }).or_default().push(column);
    }
    let mut wrong = Vec::new();
    for (table, columns) in tables {
        if is_readable(session, &encoding, &table, &columns).await? {
            continue;
        }
        for column in columns {
            if !is_readable(session, &encoding, &table, std::slice::from_ref(&column)).await? {
                wrong.push(format!("{table}.{column}"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(AnonymizeError::NotUtf8(wrong)) }
}

async fn is_readable(
    session: &Session,
    encoding: &str,
    table: &TableName,
    columns: &[String],
) -> Result<bool, PostgresError> {
    let read = |column: &String| match encoding {
        // There is nothing to convert from: any bytes stay as they are.
        "SQL_ASCII" => format!(
            "count(pg_catalog.convert_from(pg_catalog.convert_to({}::text, 'SQL_ASCII'), 'UTF8'))",
            quote(column)
        ),
        _ => format!("count(pg_catalog.convert_to({}::text, 'UTF8'))", quote(column)),
    };
    let read: Vec<_> = columns.iter().map(read).collect();
    let query = format!("SELECT {} FROM {}", read.join(", "), table.sql());
    match session.query_one(&query, &[]).await {
        Ok(_) => Ok(true),
        Err(error) if is_of_text(&error) => Ok(false),
        Err(error) => Err(session.failed(format!("read the text of {table}"))(error)),
    }
}
