//! Which columns of a database get which fakes: those of the families, and what the operator says.

use super::error::AnonymizeError;
use super::families::{EMPTIED, FAMILIES, Unless};
use super::kinds::{Fake, is_json, is_text};
use crate::config::{Anonymize, nearest};
use crate::odoo::tables::{COLUMNS, Column};
use crate::postgres::{PostgresError, Session, quote};

/// A column whose values are replaced.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) column: Column,
    pub(super) fake: Fake,
    /// Rows that stay as they are, and the condition on them.
    pub(super) unless: Option<&'static Unless>,
}

impl Planned {
    /// The condition on rows whose value is replaced.
    pub(super) fn condition(&self) -> String {
        let present = self.fake.present(&self.column);
        match self.unless {
            Some(unless) => {
                let unless = unless.condition.replace("{column}", &quote(&self.column.name));
                format!("({present} AND ({unless}) IS NOT TRUE)")
            }
            None => format!("({present})"),
        }
    }

    /// The condition on rows whose value should have been replaced and was not; `None` where that cannot be told.
    pub(super) fn still_original(&self) -> Option<String> {
        let original = self.fake.original(&self.column)?;
        Some(format!("{} AND {original}", self.condition()))
    }

    /// `name = fake(name)`
    pub(super) fn assignment(&self, table: &str) -> String {
        let clashing = self.fake.clashing(&self.column, table, &self.condition());
        let fake = self.fake.expression(&self.column, clashing.as_deref());
        let name = quote(&self.column.name);
        format!("{name} = CASE WHEN {} THEN {fake} ELSE {name} END", self.condition())
    }
}

/// A table, and what is done to it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// Columns that are replaced.
    pub(super) planned: Vec<Planned>,
    /// Columns of text that are not.
    pub(super) others: Vec<Column>,
}

/// What is done to a database.
#[derive(Debug)]
pub(super) struct Plan {
    /// The largest first.
    pub(super) tables: Vec<Table>,
    /// Tables that are emptied.
    pub(super) emptied: Vec<&'static str>,
}

impl Plan {
    /// Holds the families and the configuration against the columns that there are.
    pub(super) async fn make(session: &Session, settings: &Anonymize) -> Result<Self, AnonymizeError> {
        let found = find(session).await?;
        let named = |name: &str| found.iter().find(|(column, _)| column.full_name() == name).map(|(column, _)| column);
        let unknown = |key, name: &str| {
            let names: Vec<_> = found.iter().map(|(column, _)| column.full_name()).collect();
            let suggestion = nearest(name, names.iter().map(String::as_str)).map(Into::into);
            AnonymizeError::NoSuchColumn { key, name: name.into(), suggestion }
        };
        for (name, fake) in &settings.columns {
            let column = named(name).ok_or_else(|| unknown("columns", name))?;
            if !fake.fits(column) {
                let (column_type, not_null) = (column.kind.clone(), column.not_null);
                return Err(AnonymizeError::Unsuitable {
                    name: name.clone(),
                    kind: fake.as_str(),
                    column_type,
                    not_null,
                });
            }
        }
        for name in &settings.keep {
            let column = named(name).ok_or_else(|| unknown("keep", name))?;
            let families = found.iter().find(|(one, _)| one == column).map_or(&[][..], |(_, families)| families);
            if of_family(column, families).is_none() {
                return Err(AnonymizeError::NothingToKeep { name: name.clone() });
            }
        }
        let emptied: Vec<_> =
            EMPTIED.iter().copied().filter(|name| found.iter().any(|(column, _)| column.table == *name)).collect();
        let mut tables: Vec<Table> = Vec::new();
        for (column, families) in found {
            if tables.last().is_none_or(|table| table.name != column.table) {
                tables.push(Table { name: column.table.clone(), planned: Vec::new(), others: Vec::new() });
            }
            let Some(table) = tables.last_mut() else { continue };
            let name = column.full_name();
            let wanted = settings.columns.iter().find(|(one, _)| *one == name).map(|(_, fake)| *fake);
            let planned = match wanted {
                Some(fake) => Some((fake, None)),
                None if settings.keep.contains(&name) => None,
                None => of_family(&column, &families),
            };
            match planned {
                Some((fake, unless)) => table.planned.push(Planned { column, fake, unless }),
                None if (is_text(&column) || is_json(&column)) && !is_shipped(&column) => table.others.push(column),
                None => {}
            }
        }
        tables.retain(|table| !emptied.contains(&table.name.as_str()));
        Ok(Self { tables, emptied })
    }
}

/// The first of these families whose fake the column can hold.
fn of_family(column: &Column, families: &[i64]) -> Option<(Fake, Option<&'static Unless>)> {
    let families = families.iter().filter_map(|number| FAMILIES.get(usize::try_from(*number - 1).ok()?));
    let family = families.into_iter().find(|family| family.fake.fits(column))?;
    Some((family.fake, family.unless))
}

/// Whether it holds what modules bring along, whose texts are full of addresses that are nobody's.
fn is_shipped(column: &Column) -> bool {
    ["ir_model", "ir_module", "ir_ui"].iter().any(|prefix| column.table.starts_with(prefix))
        || column.table.contains("template")
}

/// Every column, those of the largest table first, with the numbers of the families that it is of.
async fn find(session: &Session) -> Result<Vec<(Column, Vec<i64>)>, PostgresError> {
    let query = format!(
        "SELECT c.*, ARRAY(
             SELECT number FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS family (tables, columns, number)
             WHERE c.relname ~ family.tables AND c.attname ~ family.columns ORDER BY number)
         FROM ({COLUMNS}) c
         ORDER BY pg_relation_size(to_regclass(format('public.%I', c.relname))) DESC, c.relname, c.attname"
    );
    let tables: Vec<_> = FAMILIES.iter().map(|family| family.tables).collect();
    let columns: Vec<_> = FAMILIES.iter().map(|family| family.columns).collect();
    let rows = session.query(&query, &[&tables, &columns]).await;
    let rows = rows.map_err(session.failed("look for columns about people"))?;
    Ok(rows.iter().map(|row| (Column::of(row), row.get(6))).collect())
}
