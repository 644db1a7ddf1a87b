//! Reads an Odoo table as it is: columns may be missing, have another type, or contain bytes that
//! are not text.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::Schema;
use crate::postgres::{PostgresError, Session};

const BOOLEAN: u32 = 16;
const INTEGERS: [u32; 3] = [20, 21, 23];
const JSONB: u32 = 3802;

/// An existing table.
#[derive(Debug)]
pub(super) struct Readable {
    /// Its name in SQL.
    pub(super) sql: String,
    /// The number of each column's type.
    types: BTreeMap<String, u32>,
    /// The encoding to read its text in, in which every byte can be converted.
    encoding: String,
}

impl Readable {
    /// Looks for the table; `None` where there is none that may be read.
    ///
    /// # Errors
    /// [`PostgresError::Query`]
    pub(super) async fn find(session: &Session, name: &str) -> Result<Option<Self>, PostgresError> {
        let Some(schema) = Schema::find(session).await? else { return Ok(None) };
        let Some(table) = schema.look(session, name).await?.table() else { return Ok(None) };
        let failed = || session.failed(format!("look at the table {name}"));
        let query = "SELECT attname::text, atttypid, getdatabaseencoding()::text FROM pg_attribute
            WHERE attrelid = to_regclass($1::text)::oid AND attnum > 0 AND NOT attisdropped";
        let rows = session.query(query, &[&table.sql]).await.map_err(failed())?;
        let Some(first) = rows.first() else { return Ok(None) };
        // Text without an equivalent in UTF-8 is read as it is. In `SQL_ASCII` the meaning of a
        // byte is unknown.
        let encoding = first.get(2);
        let types = rows.iter().map(|row| (row.get(0), row.get(1))).filter(|(name, _): &(String, u32)| table.has(name));
        Ok(Some(Self { types: types.collect(), sql: table.sql.clone(), encoding }))
    }

    /// Returns whether it has this column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.types.contains_key(column)
    }

    /// Returns a boolean in SQL; `otherwise` if there is no such column.
    pub(super) fn boolean(&self, column: &str, otherwise: &str) -> String {
        match self.types.get(column) {
            Some(&BOOLEAN) => column.to_owned(),
            _ => otherwise.to_owned(),
        }
    }

    /// Returns a whole number in SQL, else `NULL`.
    pub(super) fn integer(&self, column: &str) -> String {
        match self.types.get(column) {
            Some(kind) if INTEGERS.contains(kind) => format!("{column}::bigint"),
            Some(_) => format!("CASE WHEN {column}::text ~ '^-?[0-9]{{1,18}}$' THEN {column}::text::bigint END"),
            None => "NULL::bigint".to_owned(),
        }
    }

    /// Returns text in SQL, else `NULL`. Of a translated one it is the English.
    pub(super) fn text(&self, column: &str) -> String {
        match self.types.get(column) {
            Some(&JSONB) => format!(
                "CASE jsonb_typeof({column}) WHEN 'object' THEN coalesce({column} ->> 'en_US', {column}::text) ELSE {column} #>> '{{}}' END"
            ),
            Some(_) => format!("{column}::text"),
            None => "NULL::text".to_owned(),
        }
    }

    /// Returns the bytes of a text in SQL, for [`text_of`].
    pub(super) fn bytes(&self, column: &str) -> String {
        format!("convert_to({}, '{}')", self.text(column), self.encoding)
    }

    /// Reads text in UTF-8 from now on, if all text of these columns can be converted.
    ///
    /// # Errors
    /// [`PostgresError::Query`]
    pub(super) async fn prefer_utf8(&mut self, session: &Session, columns: &[&str]) -> Result<(), PostgresError> {
        if ["UTF8", "SQL_ASCII"].contains(&self.encoding.as_str()) {
            return Ok(());
        }
        let failed = || session.failed(format!("look at the text of {}", self.sql));
        let counts: Vec<_> =
            columns.iter().map(|column| format!("count(convert_to({}, 'UTF8'))", self.text(column))).collect();
        let query = format!("SELECT {} FROM {}", counts.join(", "), self.sql);
        // A failure would abort an open transaction.
        let is_in_transaction = session.batch_execute("SAVEPOINT text").await.is_ok();
        let convertible = match session.query_one(&query, &[]).await {
            Ok(_) => true,
            Err(error) if is_of_text(&error) => false,
            Err(error) => return Err(failed()(error)),
        };
        if is_in_transaction {
            session.batch_execute("ROLLBACK TO SAVEPOINT text; RELEASE SAVEPOINT text").await.map_err(failed())?;
        }
        if convertible {
            "UTF8".clone_into(&mut self.encoding);
        }
        Ok(())
    }
}

/// Returns whether it says that bytes are not text, or have no equivalent in UTF-8.
pub(super) fn is_of_text(error: &tokio_postgres::Error) -> bool {
    let codes = [SqlState::UNTRANSLATABLE_CHARACTER, SqlState::CHARACTER_NOT_IN_REPERTOIRE];
    error.code().is_some_and(|code| codes.contains(code))
}

/// Reads a column of [`Readable::bytes`]. Invalid text has `�`.
pub(super) fn text_of(row: &Row, column: usize) -> Option<String> {
    row.get::<_, Option<&[u8]>>(column).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}
