//! The net below the list of columns: everyone in a column about people is sought in every other
//! column of the database, and replaced by the same fake there.
//!
//! It runs before the columns about people are replaced, because those say who is sought. Each
//! table is searched once; one with a match is searched again, and a match then could not be
//! replaced.

mod gather;
mod json;
mod people;
mod search;
mod searched;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use serde::Serialize;
use utoipa::ToSchema;

use self::gather::{Part, common, gather};
use self::people::People;
use self::search::{FoundIn, search};
use self::searched::{Everything, SearchedTable};
use self::words::{Common, Hashing};
use super::columns::TableName;
use super::error::Left;
use super::for_each;
use super::plan::Plan;
use crate::odoo::tables::Tables;
use crate::postgres::{PostgresError, Session};

/// Who was sought in the rest of the database, and the result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct NetReport {
    /// Number of names, addresses, numbers and e-mail addresses sought.
    pub sought: u64,
    /// Number of those not sought: too short, or common words.
    pub not_sought: u64,
    /// Number of columns searched.
    pub columns: u64,
    /// Columns with replaced values, and the number of rows.
    pub replaced: Vec<Left>,
    /// Columns that still contain people, in rows or types that cannot be changed.
    pub left: Vec<Left>,
    /// What could not be searched, in words.
    pub not_searched: Vec<String>,
}

/// The result of the search.
#[derive(Debug, Default)]
pub(super) struct Catch {
    pub(super) report: NetReport,
    /// Columns that contain e-mail addresses of others.
    pub(super) addresses: Vec<Left>,
    /// Changed tables.
    pub(super) changed: BTreeSet<TableName>,
}

/// Searches the database.
pub(super) async fn cast(
    sessions: &[Session],
    plan: &Plan,
    tables: &Tables,
    odoo: &str,
) -> Result<Catch, PostgresError> {
    let session = &sessions[sessions.len() - 1];
    let everything = searched::find(session, plan, odoo).await?;
    let hashing = Hashing::default();
    let common = common(session, tables, odoo, &hashing).await?;
    let mut parts = 1;
    loop {
        // What was replaced so far stays replaced, and is not found again.
        match cast_in_parts(sessions, plan, &everything, &hashing, &common, parts).await? {
            Some(counted) => return Ok(counted.report(everything)),
            None => parts *= 2,
        }
    }
}

/// Seeks everyone, in this many parts; `None` where one of them does not fit into memory.
async fn cast_in_parts(
    sessions: &[Session],
    plan: &Plan,
    everything: &Everything,
    hashing: &Hashing,
    common: &Common,
    parts: i32,
) -> Result<Option<Counted>, PostgresError> {
    let session = &sessions[sessions.len() - 1];
    let mut counted = Counted::default();
    for number in 0..parts {
        let part = Part { number, of: parts };
        let Some(people) = gather(session, plan, hashing, common, part).await? else { return Ok(None) };
        tracing::debug!(sought = people.count(), part = number, parts, "the database is searched for people");
        counted.sought += people.count() as u64;
        counted.not_sought += people.not_sought;
        counted.search(sessions, everything, &people).await?;
    }
    Ok(Some(counted))
}

/// Numbers of all parts, by table and by the number of the column in it.
#[derive(Debug, Default)]
struct Counted {
    sought: u64,
    not_sought: u64,
    replaced: BTreeMap<(TableName, usize), u64>,
    left: BTreeMap<(TableName, usize), u64>,
    addresses: BTreeMap<(TableName, usize), u64>,
    too_long: BTreeMap<TableName, u64>,
}

/// Searches one table, and searches it again after replacements.
async fn look(
    session: &Session,
    table: &SearchedTable,
    people: &People,
) -> Result<(SearchedTable, FoundIn, Option<FoundIn>), PostgresError> {
    let first = search(session, table, people, true).await?;
    let second = match first.found.iter().any(|rows| *rows > 0) {
        true => Some(search(session, table, people, false).await?),
        false => None,
    };
    Ok((table.clone(), first, second))
}

impl Counted {
    async fn search(
        &mut self,
        sessions: &[Session],
        everything: &Everything,
        people: &People,
    ) -> Result<(), PostgresError> {
        // An address unknown to one part may belong to another: the last part's result counts.
        self.addresses.clear();
        let looks = for_each(sessions, &everything.tables, |session, table| look(session, table, people).boxed());
        for (table, first, second) in looks.await? {
            let last: &FoundIn = second.as_ref().unwrap_or(&first);
            if last.too_long > 0 {
                self.too_long.insert(table.name.clone(), last.too_long);
            }
            for index in 0..table.columns.len() {
                let left = second.as_ref().map_or(0, |second| second.found[index]);
                let count = |counts: &mut BTreeMap<_, u64>, rows: u64| {
                    if rows > 0 {
                        *counts.entry((table.name.clone(), index)).or_default() += rows;
                    }
                };
                count(&mut self.replaced, first.found[index].saturating_sub(left));
                count(&mut self.left, left);
                if !table.is_shipped {
                    count(&mut self.addresses, last.addresses[index]);
                }
            }
        }
        Ok(())
    }

    fn report(self, everything: Everything) -> Catch {
        let Everything { tables, mut not_searched } = everything;
        not_searched.extend(
            self.too_long.iter().map(|(table, values)| format!("{table} ({values} values of more than 16 MiB)")),
        );
        let columns = tables.iter().map(|table| table.columns.len() as u64).sum();
        let name = |table: &TableName, index: usize| {
            let columns = tables.iter().find(|one| one.name == *table).map(|one| &one.columns);
            let column = columns.and_then(|columns| columns.get(index)).map(|column| column.name.as_str());
            format!("{table}.{}", column.unwrap_or_default())
        };
        let named = |counts: &BTreeMap<(TableName, usize), u64>| -> Vec<Left> {
            let mut named: Vec<_> =
                counts.iter().map(|((table, index), rows)| Left { column: name(table, *index), rows: *rows }).collect();
            named.sort_by(|one, other| one.column.cmp(&other.column));
            named
        };
        let (replaced, left) = (named(&self.replaced), named(&self.left));
        let report =
            NetReport { sought: self.sought, not_sought: self.not_sought, columns, replaced, left, not_searched };
        let changed = self.replaced.into_keys().map(|(table, _)| table).collect();
        Catch { report, addresses: named(&self.addresses), changed }
    }
}
