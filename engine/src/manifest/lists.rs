//! Reads the lists next to a dump and volumes in little memory, whatever they contain.

use std::io::{self, Read};

use crate::postgres::TableRows;
use crate::stream::{Malformed, records};

/// A name in PostgreSQL has 63 bytes, in some builds more. A line has two names, and each byte may
/// be escaped.
const LONGEST_TABLE: usize = 64 * 1024;

/// The longest path that Linux accepts, in bytes.
const LONGEST_PATH: usize = 4096;

/// Reads the list of a dump's tables, which has at most `tables` entries.
pub(crate) fn table_rows(list: impl Read, tables: u64) -> impl Iterator<Item = io::Result<TableRows>> {
    records(list, b'\n', LONGEST_TABLE).zip(0..).map(move |(line, number)| {
        if number >= tables {
            return Err(Malformed(format!("it lists more than {tables} tables")).into());
        }
        Ok(serde_json::from_slice(&line?).map_err(|error| Malformed(error.to_string()))?)
    })
}

/// Reads a list of removed paths.
pub(crate) fn removed_paths(list: impl Read) -> impl Iterator<Item = io::Result<String>> {
    records(list, 0, LONGEST_PATH).map(|path| Ok(String::from_utf8_lossy(&path?).into_owned()))
}
