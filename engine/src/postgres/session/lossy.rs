//! Text of which nobody knows whether it is any: a database in `SQL_ASCII` holds bytes, and the
//! server sends none that are not UTF-8.

use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

/// Text as far as it is UTF-8, with `�` for the rest, of a column that [`lossy`] makes. For what
/// people are shown; what is compared stays in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lossy(pub String);

/// In SQL, what [`Lossy`] reads of an expression that is text.
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
