//! The lists that stand beside a dump and volumes, read in little memory whatever they hold.

use std::io::{self, Read};

use crate::postgres::TableRows;
use crate::stream::{Malformed, records};

/// A name of PostgreSQL has 63 bytes, in some builds more; there are two in a line, and each byte
/// may be escaped.
const LONGEST_TABLE: usize = 64 * 1024;

/// The longest path that Linux takes, in bytes.
const LONGEST_PATH: usize = 4096;

/// Reads the list of a dump's tables, of which there are `tables` at the most.
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
