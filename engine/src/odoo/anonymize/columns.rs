//! Tables and columns of every schema: people are in those of Odoo, and in whatever else was
//! created next to them.

use std::fmt;

use tokio_postgres::Row;

use crate::postgres::quote;

/// Every column that an UPDATE may set, of every table except those of the server and of
/// extensions, the largest table first. `$3` is the schema of Odoo's tables, `$1` and `$2` are
/// patterns of tables and columns; the numbers of the matching ones come last.
///
/// Servers before 12 have no generated columns, so the row is read as JSON. Of a domain the
/// underlying type counts.
pub(super) const COLUMNS: &str = "
    SELECT n.nspname::text, c.relname::text, n.nspname = $3, a.attname::text, coalesce(b.typname, t.typname)::text, a.attnotnull OR t.typnotnull,
           CASE WHEN coalesce(b.typname, t.typname) IN ('varchar', 'bpchar') AND greatest(a.atttypmod, t.typtypmod) > 4
               THEN greatest(a.atttypmod, t.typtypmod) - 4 ELSE 0 END,
           EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY(i.indkey)),
           ARRAY(
             SELECT number FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS family (tables, columns, number)
             WHERE c.relname::text ~ family.tables AND a.attname::text ~ family.columns ORDER BY number)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = ''
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY pg_catalog.pg_relation_size(c.oid) DESC, n.nspname, c.relname, a.attname";

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TableName {
    pub(super) schema: String,
    pub(super) name: String,
    /// Whether it is in Odoo's schema.
    pub(super) is_odoos: bool,
}

impl TableName {
    /// Returns its name in SQL.
    pub(super) fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

/// Writes it as operators do: `res_partner`, with its schema if that is not Odoo's.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_odoos {
            true => f.write_str(&self.name),
            false => write!(f, "{}.{}", self.schema, self.name),
        }
    }
}

/// The properties of a column that limit what may be written into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) table: TableName,
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
    /// Reads a row of [`COLUMNS`].
    pub(super) fn of(row: &Row) -> Self {
        Self {
            table: TableName { schema: row.get(0), name: row.get(1), is_odoos: row.get(2) },
            name: row.get(3),
            kind: row.get(4),
            not_null: row.get(5),
            limit: u32::try_from(row.get::<_, i32>(6)).ok().filter(|limit| *limit > 0),
            unique: row.get(7),
        }
    }

    /// Returns its name as operators and configurations write it: `res_partner.name`.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.table, self.name)
    }
}
