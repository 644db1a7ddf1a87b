//! The kinds of Odoo's relations: only the content of ordinary tables is known and stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::error::NeutralizeError;
use super::statements::{CHECKS, ESSENTIAL, STATEMENTS};
use crate::odoo::Schema;
use crate::postgres::{PostgresError, Session};

/// Relations of Odoo's schema and what they have.
pub(super) struct Relations {
    /// Columns of ordinary tables, including those that the database itself computes.
    columns: BTreeMap<String, BTreeSet<String>>,
    /// What is not an ordinary table, in words.
    others: BTreeMap<String, &'static str>,
}

impl Relations {
    pub(super) async fn read(session: &Session, schema: &Schema) -> Result<Self, PostgresError> {
        let query = "SELECT c.relname::text, c.relkind::text, ARRAY(
                 SELECT a.attname::text FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
             FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1::text
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')";
        let rows = session.query(query, &[&schema.name()]).await.map_err(session.failed("look at Odoo's tables"))?;
        let mut relations = Self { columns: BTreeMap::new(), others: BTreeMap::new() };
        for row in &rows {
            let name: String = row.get(0);
            let kind = match row.get::<_, &str>(1) {
                "v" => "a view",
                "m" => "a materialized view",
                "f" => "a foreign table",
                _ => {
                    relations.columns.insert(name, row.get::<_, Vec<String>>(2).into_iter().collect());
                    continue;
                }
            };
            relations.others.insert(name, kind);
        }
        Ok(relations)
    }

    /// Returns whether it is an ordinary table with all of these columns.
    pub(super) fn can_read(&self, table: &str, columns: &[&str]) -> bool {
        self.columns.get(table).is_some_and(|known| columns.iter().all(|column| known.contains(*column)))
    }

    /// Refuses a database that may or may not be neutral.
    pub(super) fn require_understood(&self) -> Result<(), NeutralizeError> {
        let named: BTreeSet<_> =
            STATEMENTS.iter().map(|one| one.table).chain(CHECKS.iter().map(|one| one.table)).collect();
        let replaced = named.iter().filter_map(|table| Some(format!("{table} is {}", self.others.get(*table)?)));
        let mut unclear: Vec<String> = replaced.collect();
        for (table, column, always) in ESSENTIAL {
            match self.columns.get(*table) {
                Some(columns) if !columns.contains(*column) => {
                    unclear.push(format!("{table} has no column {column:?}"))
                }
                None if *always && !self.others.contains_key(*table) => {
                    unclear.push(format!("there is no table {table}"))
                }
                _ => {}
            }
        }
        if unclear.is_empty() { Ok(()) } else { Err(NeutralizeError::CouldNotTell(unclear.join("; "))) }
    }
}
