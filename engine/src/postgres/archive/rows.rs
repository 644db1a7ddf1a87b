//! How many rows each table has, read from a dump as it streams by.
//!
//! After `pg_backup_custom.c`: behind the table of contents come blocks, each of a type, the number of an entry, and pieces with
//! their lengths. A table's pieces together are what `COPY` says, a line for each row (a line break within a value is written as
//! `\n`), and pg_dump's `\.` behind them.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, ReadBuf};

use super::format::{Contents, Entry, INTEGER, Misunderstood, integer};
use crate::stream::Body;

/// A table, and how many rows it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableRows {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Its rows; those of its partitions and heirs are counted there.
    pub rows: u64,
}

/// What the data of a dump comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Every table whose data the dump holds, sorted.
    pub tables: Vec<TableRows>,
    /// Number of large objects.
    pub large_objects: u64,
}

impl RowCounts {
    /// The tables as they are stored: one JSON object a line.
    pub(crate) fn lines(&self) -> serde_json::Result<Vec<u8>> {
        let mut lines = Vec::new();
        for table in &self.tables {
            serde_json::to_writer(&mut lines, table)?;
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

/// To be had once the dump was read to its end.
#[derive(Debug, Clone)]
pub struct PendingRowCounts(Arc<OnceLock<Result<RowCounts, Misunderstood>>>);

impl PendingRowCounts {
    /// The counts.
    ///
    /// # Errors
    /// [`Misunderstood`]: they are not known. The dump may be right all the same.
    pub fn get(&self) -> Result<RowCounts, Misunderstood> {
        self.0.get().cloned().unwrap_or(Err(Misunderstood::Unread))
    }
}

/// Counts the rows of a dump in pg_dump's uncompressed custom format while it passes, as it is, through the returned body.
pub fn count_rows(dump: Body) -> (Body, PendingRowCounts) {
    let counts = Arc::new(OnceLock::new());
    let body = CountedBody { inner: dump, counter: Ok(Counter::default()), counts: counts.clone() };
    (Box::pin(body), PendingRowCounts(counts))
}

struct CountedBody {
    inner: Body,
    counter: Result<Counter, Misunderstood>,
    counts: Arc<OnceLock<Result<RowCounts, Misunderstood>>>,
}

impl AsyncRead for CountedBody {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (before, room) = (buf.filled().len(), buf.remaining());
        ready!(this.inner.as_mut().poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        if let Ok(counter) = &mut this.counter
            && let Err(reason) = counter.feed(read)
        {
            this.counter = Err(reason);
        }
        if read.is_empty() && room > 0 {
            let counter = std::mem::replace(&mut this.counter, Err(Misunderstood::Unread));
            // Asked once more behind the end, the first answer stands.
            let _ = this.counts.set(counter.and_then(Counter::finish));
        }
        Poll::Ready(Ok(()))
    }
}

/// `BLK_DATA` and `BLK_BLOBS`
const TABLE_BLOCK: u8 = 1;
const LARGE_OBJECTS_BLOCK: u8 = 3;

/// Follows a dump, given in any pieces.
#[derive(Debug, Default)]
struct Counter {
    state: State,
    integer: PartialInteger,
    /// Those of the table whose block it is.
    lines: Lines,
    /// Entries that the archive announces data for, by their number. `None` are large objects.
    announced: HashMap<i64, Option<TableRows>>,
    counts: RowCounts,
}

#[derive(Debug)]
enum State {
    Contents(Contents),
    /// Between blocks: the next one's type, or the end of the archive.
    Type,
    /// The number of the entry that a block is of.
    Number(u8),
    /// How long the next piece of a table's data is; 0 behind the last.
    TableLength,
    /// So many bytes of a piece are still to come.
    Table(usize),
    /// The next large object's number; 0 behind the last.
    LargeObject,
    /// How long the next piece of a large object is; 0 behind the last.
    LargeObjectLength,
    LargeObjectBytes(usize),
}

impl Default for State {
    fn default() -> Self {
        Self::Contents(Contents::default())
    }
}

impl Counter {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), Misunderstood> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.step(&mut rest)?;
        }
        Ok(())
    }

    /// Goes on by one state, or as far as the bytes go.
    fn step(&mut self, rest: &mut &[u8]) -> Result<(), Misunderstood> {
        match &mut self.state {
            State::Contents(contents) => {
                let announced = &mut self.announced;
                let left = contents.feed(rest, |entry| announce(announced, entry))?;
                *rest = &rest[rest.len().saturating_sub(left.unwrap_or(0))..];
                if left.is_some() {
                    self.state = State::Type;
                }
            }
            State::Type => {
                let Some((kind, behind)) = rest.split_first() else { return Ok(()) };
                *rest = behind;
                if ![TABLE_BLOCK, LARGE_OBJECTS_BLOCK].contains(kind) {
                    return Err(Misunderstood::Unexpected("the type of a block"));
                }
                self.state = State::Number(*kind);
            }
            State::Number(kind) => {
                if let Some(number) = self.integer.take(rest) {
                    self.state = match (*kind, self.announced.remove(&number)) {
                        (TABLE_BLOCK, Some(Some(table))) => {
                            self.lines = Lines::of(table);
                            State::TableLength
                        }
                        (LARGE_OBJECTS_BLOCK, Some(None)) => State::LargeObject,
                        _ => return Err(Misunderstood::Unexpected("the number of an entry with data")),
                    };
                }
            }
            State::TableLength => {
                if let Some(length) = self.integer.take(rest) {
                    self.state = match length_of(length)? {
                        0 => {
                            self.counts.tables.push(std::mem::take(&mut self.lines).finish()?);
                            State::Type
                        }
                        length => State::Table(length),
                    };
                }
            }
            State::Table(left) => {
                let piece = take_up_to(rest, *left);
                self.lines.count(piece);
                *left -= piece.len();
                if *left == 0 {
                    self.state = State::TableLength;
                }
            }
            State::LargeObject => {
                if let Some(number) = self.integer.take(rest) {
                    self.state = match number {
                        0 => State::Type,
                        _ => {
                            self.counts.large_objects += 1;
                            State::LargeObjectLength
                        }
                    };
                }
            }
            State::LargeObjectLength => {
                if let Some(length) = self.integer.take(rest) {
                    self.state = match length_of(length)? {
                        0 => State::LargeObject,
                        length => State::LargeObjectBytes(length),
                    };
                }
            }
            State::LargeObjectBytes(left) => {
                *left -= take_up_to(rest, *left).len();
                if *left == 0 {
                    self.state = State::LargeObjectLength;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<RowCounts, Misunderstood> {
        match self.state {
            State::Type => {}
            State::Contents(_) => return Err(Misunderstood::Truncated("its table of contents")),
            _ => return Err(Misunderstood::Truncated("its data")),
        }
        if let Some(missing) = self.announced.into_values().next() {
            return Err(Misunderstood::NoData(match missing {
                Some(table) => format!("{}.{}", table.schema, table.table),
                None => "large objects".to_owned(),
            }));
        }
        self.counts.tables.sort();
        Ok(self.counts)
    }
}

/// Notes that the archive has data for this entry.
fn announce(announced: &mut HashMap<i64, Option<TableRows>>, entry: Entry<'_>) -> Result<(), Misunderstood> {
    if !entry.has_data {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Misunderstood::Unexpected("UTF-8"));
    let content = match entry.kind {
        b"TABLE DATA" => Some(TableRows { schema: text(entry.schema)?, table: text(entry.tag)?, rows: 0 }),
        b"BLOBS" => None,
        _ => return Err(Misunderstood::Unexpected("an entry without data")),
    };
    match announced.insert(entry.id, content) {
        None => Ok(()),
        Some(_) => Err(Misunderstood::Unexpected("a new entry's number")),
    }
}

fn length_of(integer: i64) -> Result<usize, Misunderstood> {
    usize::try_from(integer).map_err(|_| Misunderstood::Unexpected("a length"))
}

fn take_up_to<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    taken
}

/// An integer that may come in several pieces.
#[derive(Debug, Default)]
struct PartialInteger {
    bytes: [u8; INTEGER],
    have: usize,
}

impl PartialInteger {
    /// The integer, once its last byte was there.
    fn take(&mut self, rest: &mut &[u8]) -> Option<i64> {
        // Most come in one piece, and there is one for every row.
        if self.have == 0
            && let Some((whole, behind)) = rest.split_first_chunk()
        {
            *rest = behind;
            return Some(integer(*whole));
        }
        let piece = take_up_to(rest, INTEGER - self.have);
        self.bytes[self.have..self.have + piece.len()].copy_from_slice(piece);
        self.have += piece.len();
        (self.have == INTEGER).then(|| {
            self.have = 0;
            integer(self.bytes)
        })
    }
}

/// What pg_dump writes behind a table's last row, and the line break that ends that row.
const END: [u8; 6] = *b"\n\\.\n\n\n";

/// The lines of a table's data.
#[derive(Debug, Default)]
struct Lines {
    table: TableRows,
    breaks: u64,
    /// The last bytes. An empty table's have a line break before them as well.
    tail: [u8; END.len()],
}

impl Lines {
    fn of(table: TableRows) -> Self {
        Self { table, breaks: 0, tail: [b'\n'; END.len()] }
    }

    fn count(&mut self, piece: &[u8]) {
        self.breaks += memchr::memchr_iter(b'\n', piece).count() as u64;
        match piece.last_chunk() {
            Some(last) => self.tail = *last,
            None => {
                self.tail.copy_within(piece.len().., 0);
                self.tail[END.len() - piece.len()..].copy_from_slice(piece);
            }
        }
    }

    fn finish(self) -> Result<TableRows, Misunderstood> {
        match self.breaks.checked_sub(3) {
            Some(rows) if self.tail == END => Ok(TableRows { rows, ..self.table }),
            _ => Err(Misunderstood::Unexpected("the end of a table's data")),
        }
    }
}

#[cfg(test)]
mod tests;
