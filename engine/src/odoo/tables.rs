//! The tables and columns of a database: what is known of Odoo is true of some series and not of
//! others.

use std::collections::BTreeMap;

use super::Schema;
use crate::postgres::{PostgresError, Session};

/// Returns a query for every column of a schema's tables that an UPDATE may set: one row each,
/// `(relname, attname, type, not_null, limit, unique)`.
///
/// `unique`: the column is part of a unique index. `limit`: characters of a `varchar(n)` or
/// `char(n)`, else 0. Generated columns are excluded; servers before 12 have none, so the row is
/// read as JSON.
pub(super) fn columns_of(schema: &Schema) -> String {
    COLUMNS.replace("{schema}", &schema.name().replace('\'', "''"))
}

const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text, t.typname::text AS type, a.attnotnull AS not_null,
           CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END AS limit_to,
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY(i.indkey)) AS is_unique
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = '{schema}'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = ''";

/// The properties of a column that limit what may be written into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) table: String,
    pub(super) name: String,
    /// `pg_type.typname`: `varchar`, `text`, `jsonb`, `bytea`.
    pub(super) kind: String,
    pub(super) not_null: bool,
    /// Characters of a `varchar(n)` or `char(n)`.
    pub(super) limit: Option<u32>,
    /// Whether it is part of a unique index.
    pub(super) unique: bool,
}

impl Column {
    /// Reads a row of [`columns_of`].
    pub(super) fn of(row: &tokio_postgres::Row) -> Self {
        Self {
            table: row.get(0),
            name: row.get(1),
            kind: row.get(2),
            not_null: row.get(3),
            limit: u32::try_from(row.get::<_, i32>(4)).ok().filter(|limit| *limit > 0),
            unique: row.get(5),
        }
    }

    /// Returns its name as operators and configurations write it: `ir_mail_server.smtp_pass`.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.table, self.name)
    }
}

/// The tables and columns of a database.
#[derive(Debug)]
pub(super) struct Tables {
    /// Their schema.
    pub(super) schema: Schema,
    columns: BTreeMap<String, BTreeMap<String, Column>>,
}

impl Tables {
    /// Reads them.
    ///
    /// # Errors
    /// [`PostgresError::Query`]
    pub(super) async fn read(session: &Session, schema: &Schema) -> Result<Self, PostgresError> {
        let rows = session.query(&columns_of(schema), &[]).await.map_err(session.failed("list the tables"))?;
        let mut tables = Self { schema: schema.clone(), columns: BTreeMap::new() };
        for column in rows.iter().map(Column::of) {
            tables.columns.entry(column.table.clone()).or_default().insert(column.name.clone(), column);
        }
        Ok(tables)
    }

    /// Returns whether the table exists, with all of these columns.
    pub(super) fn have(&self, table: &str, columns: &[&str]) -> bool {
        self.columns.get(table).is_some_and(|known| columns.iter().all(|column| known.contains_key(*column)))
    }
}
