//! Reads one table row by row while another session writes the changes.

use futures::TryStreamExt;
use tokio_postgres::types::ToSql;

use super::json::replace_texts;
use super::people::People;
use super::searched::{Form, LONGEST_VALUE, Searched, SearchedTable};
use crate::odoo::anonymize::table::WithoutTriggers;
use crate::postgres::{PostgresError, Session, connect, quote};

/// Rows written at once.
const BATCH: usize = 200;

/// Or as many bytes.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The matches in a table: numbers of rows, for each of its columns.
#[derive(Debug, Default)]
pub(super) struct FoundIn {
    /// Rows with matches.
    pub(super) found: Vec<u64>,
    /// Rows with e-mail addresses of others.
    pub(super) addresses: Vec<u64>,
    /// Values that are too long to be searched.
    pub(super) too_long: u64,
}

/// A changed row: its place, and each column's new value.
struct Change {
    place: String,
    values: Vec<Option<String>>,
}

/// Searches a table. If `writes`, replaces people by their fakes; what cannot be written stays.
pub(super) async fn search(
    session: &Session,
    table: &SearchedTable,
    people: &People,
    writes: bool,
) -> Result<FoundIn, PostgresError> {
    let failed = || session.failed(format!("search {}", table.name));
    let columns = &table.columns;
    let reads: Vec<_> = columns.iter().map(Searched::read).collect();
    let lengths: Vec<_> = columns
        .iter()
        .map(|column| {
            format!(
                "CASE WHEN pg_catalog.pg_column_size(t.{}) > {LONGEST_VALUE} THEN 1 ELSE 0 END",
                quote(&column.name)
            )
        })
        .collect();
    let query = format!(
        "SELECT t.ctid::text, {}, {} FROM ONLY {} AS t",
        lengths.join(" + "),
        reads.join(", "),
        table.name.sql()
    );
    let none: [&str; 0] = [];
    let rows = session.query_raw(&query, none).await.map_err(failed())?;
    futures::pin_mut!(rows);
    let mut found = FoundIn { found: vec![0; columns.len()], addresses: vec![0; columns.len()], too_long: 0 };
    let mut writer = Writer { session, table, open: None, changes: Vec::new(), bytes: 0 };
    while let Some(row) = rows.try_next().await.map_err(failed())? {
        found.too_long += u64::from(row.get::<_, i32>(1).unsigned_abs());
        let mut values: Vec<Option<String>> = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let Some(text) = row.get::<_, Option<&str>>(index + 2) else { continue };
            let mut addresses = false;
            let mut search = |text: &str| {
                let found = people.search(text);
                addresses |= found.addresses;
                found.replaced
            };
            let replaced = match column.form {
                Form::Text => search(text),
                Form::Json | Form::Array | Form::Other => replace_texts(text, search),
            };
            found.addresses[index] += u64::from(addresses);
            if replaced.is_some() {
                found.found[index] += 1;
                if column.form != Form::Other {
                    values.resize(columns.len(), None);
                    values[index] = replaced;
                }
            }
        }
        if writes && !values.is_empty() {
            writer.write(Change { place: row.get(0), values }).await?;
        }
    }
    writer.end().await?;
    Ok(found)
}

/// Writes the changes in a session of its own, which begins with the first change.
struct Writer<'a> {
    session: &'a Session,
    table: &'a SearchedTable,
    open: Option<Session>,
    changes: Vec<Change>,
    bytes: usize,
}

impl Writer<'_> {
    async fn write(&mut self, change: Change) -> Result<(), PostgresError> {
        self.bytes += change.values.iter().flatten().map(String::len).sum::<usize>();
        self.changes.push(change);
        match self.changes.len() >= BATCH || self.bytes >= BATCH_BYTES {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), PostgresError> {
        let changes = std::mem::take(&mut self.changes);
        self.bytes = 0;
        if changes.is_empty() {
            return Ok(());
        }
        if self.open.is_none() {
            let session = connect(self.session.endpoint()).await?;
            let settings = "SET row_security = off; SET synchronous_commit = off";
            session.batch_execute(settings).await.map_err(session.failed("prepare the anonymization"))?;
            self.open = Some(session);
        }
        let Some(session) = &self.open else { return Ok(()) };
        // One by one after a failure: a custom constraint may protect one row, and not the others.
        // What stays is found again.
        if !update(session, self.table, &changes).await? {
            for change in &changes {
                update(session, self.table, std::slice::from_ref(change)).await?;
            }
        }
        Ok(())
    }

    async fn end(mut self) -> Result<(), PostgresError> {
        self.flush().await
    }
}

/// Writes these changes, all or none. Returns `false` if the database rejects them.
async fn update(session: &Session, table: &SearchedTable, changes: &[Change]) -> Result<bool, PostgresError> {
    let places: Vec<&str> = changes.iter().map(|change| change.place.as_str()).collect();
    let mut assignments = Vec::new();
    let mut columns: Vec<Vec<Option<&str>>> = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        let values: Vec<Option<&str>> = changes.iter().map(|change| change.values.get(index)?.as_deref()).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        columns.push(values);
        let value = format!("(${}::text[])[pg_catalog.array_position($1::text[], t.ctid::text)]", columns.len() + 1);
        let name = quote(&column.name);
        assignments
            .push(format!("{name} = CASE WHEN {value} IS NULL THEN t.{name} ELSE {} END", column.written(&value)));
    }
    let statement = format!(
        "UPDATE ONLY {} AS t SET {} WHERE t.ctid = ANY ($1::text[]::tid[])",
        table.name.sql(),
        assignments.join(", ")
    );
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&places];
    parameters.extend(columns.iter().map(|values| values as &(dyn ToSql + Sync)));
    let quiet = WithoutTriggers::begin(session, &table.name).await?;
    match session.execute(&statement, &parameters).await {
        Ok(_) => quiet.commit().await.map(|()| true),
        Err(error) if error.as_db_error().is_some() => {
            tracing::debug!(table = %table.name, "rows are unchanged: a statement was refused");
            session.batch_execute("ROLLBACK").await.map_err(session.failed(format!("anonymize {}", table.name)))?;
            Ok(false)
        }
        Err(error) => Err(session.failed(format!("anonymize {}", table.name))(error)),
    }
}
