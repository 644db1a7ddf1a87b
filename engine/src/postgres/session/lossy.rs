//! Text that may not be valid: a database in `SQL_ASCII` contains bytes, and the server sends only
//! valid UTF-8.

use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

/// Text as far as it is UTF-8, with `�` for the rest, of a column made by [`lossy`]. It is only
/// displayed; comparisons happen in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lossy(pub String);

/// Returns, in SQL, what [`Lossy`] reads of a text expression.
pub(crate) fn lossy(text: &str) -> String {
    format!(
        "pg_catalog.convert_to(({text})::text, CASE pg_catalog.getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)"
    )
}

impl<'a> FromSql<'a> for Lossy {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::BYTEA
    }
}
