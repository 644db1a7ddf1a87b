//! Decides which columns of a database get which fakes: those of the families, and those in the
//! configuration.

use super::columns::{COLUMNS, Column, TableName};
use super::error::AnonymizeError;
use super::families::{EMPTIED, FAMILIES, Family, Unless};
use super::kinds::Fake;
use crate::odoo::Anonymize;
use crate::postgres::{PostgresError, Session, quote};
use crate::text::nearest;

/// A column whose values are replaced.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) column: Column,
    pub(super) fake: Fake,
    /// Rows that stay as they are, and the condition on them.
    pub(super) unless: Option<(&'static Unless, String)>,
    /// Whether its content is sought in all other columns.
    pub(super) is_sought: bool,
}

impl Planned {
    /// Returns the condition on rows whose value is replaced.
    pub(super) fn condition(&self) -> String {
        let present = self.fake.present(&self.column);
        match &self.unless {
            Some((_, unless)) => format!("({present} AND ({unless}) IS NOT TRUE)"),
            None => format!("({present})"),
        }
    }

    /// Returns the condition on rows whose value should have been replaced and was not; `None`
    /// where that is unknown.
    pub(super) fn still_original(&self) -> Option<String> {
        let original = self.fake.original(&self.column)?;
        Some(format!("{} AND {original}", self.condition()))
    }

    /// Returns `name = fake(name)` in SQL.
    pub(super) fn assignment(&self, table: &str) -> String {
        let clashing = self.fake.clashing(&self.column, table, &self.condition());
        let fake = self.fake.expression(&self.column, clashing.as_deref());
        let name = quote(&self.column.name);
        format!("{name} = CASE WHEN {} THEN {fake} ELSE {name} END", self.condition())
    }
}

/// A table, and the changes to it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: TableName,
    /// Columns to replace.
    pub(super) planned: Vec<Planned>,
}

/// The changes to a database.
#[derive(Debug)]
pub(super) struct Plan {
    /// The largest first.
    pub(super) tables: Vec<Table>,
    /// Tables to empty.
    pub(super) emptied: Vec<TableName>,
    /// Columns that the configuration keeps, whose people are not sought.
    pub(super) kept: Vec<Column>,
}

impl Plan {
    /// Applies the families and the configuration to the existing columns.
    pub(super) async fn make(session: &Session, settings: &Anonymize, odoo: &str) -> Result<Self, AnonymizeError> {
        let found = find(session, odoo).await?;
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
        let mut tables: Vec<Table> = Vec::new();
        let mut kept = Vec::new();
        for (column, families) in found {
            if tables.last().is_none_or(|table| table.name != column.table) {
                tables.push(Table { name: column.table.clone(), planned: Vec::new() });
            }
            let Some(table) = tables.last_mut() else { continue };
            let name = column.full_name();
            let wanted = settings.columns.iter().find(|(one, _)| *one == name).map(|(_, fake)| *fake);
            if let Some(fake) = wanted {
                table.planned.push(Planned { column, fake, unless: None, is_sought: true });
            } else if settings.keep.contains(&name) {
                kept.push(column);
            } else if let Some(family) = of_family(&column, &families) {
                let condition = |unless: &Unless| {
                    unless.condition.replace("{column}", &quote(&column.name)).replace("{odoo}", &quote(odoo))
                };
                let unless = family.unless.map(|unless| (unless, condition(unless)));
                table.planned.push(Planned { fake: family.fake, unless, is_sought: family.is_sought, column });
            }
        }
        let is_emptied = |table: &Table| EMPTIED.contains(&table.name.name.as_str());
        let emptied = tables.iter().filter(|table| is_emptied(table)).map(|table| table.name.clone()).collect();
        tables.retain(|table| !is_emptied(table));
        Ok(Self { tables, emptied, kept })
    }
}

/// Returns the first of these families whose fake the column can contain.
fn of_family(column: &Column, families: &[i64]) -> Option<&'static Family> {
    let mut families = families.iter().filter_map(|number| FAMILIES.get(usize::try_from(*number - 1).ok()?));
    families.find(|family| family.fake.fits(column))
}

/// Lists every column, those of the largest table first, with the numbers of its families.
async fn find(session: &Session, odoo: &str) -> Result<Vec<(Column, Vec<i64>)>, PostgresError> {
    let tables: Vec<_> = FAMILIES.iter().map(|family| family.tables).collect();
    let columns: Vec<_> = FAMILIES.iter().map(|family| family.columns).collect();
    let rows = session.query(COLUMNS, &[&tables, &columns, &odoo]).await;
    let rows = rows.map_err(session.failed("look for columns about people"))?;
    Ok(rows.iter().map(|row| (Column::of(row), row.get(8))).collect())
}
