//! Counts the rows of each table in a dump while it streams.
//!
//! A table's data is the output of `COPY`, one line per row (a line break within a value is written
//! as `\n`), followed by pg_dump's `\.`.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, ReadBuf};

use super::Misunderstood;
use super::parts::{Part, Parts};
use crate::stream::Body;

/// A table, and how many rows it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TableRows {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Its rows, without those of its partitions and child tables.
    pub rows: u64,
}

/// The result of counting a dump's data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RowCounts {
    /// Every table with data in the dump, sorted.
    pub tables: Vec<TableRows>,
    /// Number of large objects.
    pub large_objects: u64,
}

impl RowCounts {
    /// Returns the tables as they are stored: one JSON object per line.
    pub(crate) fn lines(&self) -> serde_json::Result<Vec<u8>> {
        let mut lines = Vec::new();
        for table in &self.tables {
            serde_json::to_writer(&mut lines, table)?;
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

/// Available after the dump was read to its end.
#[derive(Debug, Clone)]
pub(crate) struct PendingRowCounts(Arc<OnceLock<Result<RowCounts, Misunderstood>>>);

impl PendingRowCounts {
    /// Returns the counts.
    ///
    /// # Errors
    /// [`Misunderstood`]: they are unknown. The dump may be correct all the same.
    pub(crate) fn get(&self) -> Result<RowCounts, Misunderstood> {
        self.0.get().cloned().unwrap_or(Err(Misunderstood::Unread))
    }
}

/// Counts the rows of a dump in pg_dump's uncompressed custom format while it passes unchanged
/// through the returned body.
pub(crate) fn count_rows(dump: Body) -> (Body, PendingRowCounts) {
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
            // If polled again after the end, the first answer stays.
            let _ = this.counts.set(counter.and_then(Counter::finish));
        }
        Poll::Ready(Ok(()))
    }
}

/// Parses a dump, given in any pieces.
#[derive(Debug, Default)]
struct Counter {
    parts: Parts,
    /// Those of the current table.
    lines: Lines,
    counts: RowCounts,
}

impl Counter {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), Misunderstood> {
        let Self { parts, lines, counts } = self;
        parts.feed(bytes, |part| {
            match part {
                Part::Table { name: (schema, table), .. } => *lines = Lines::of(TableRows { schema, table, rows: 0 }),
                Part::Rows(bytes) => lines.count(bytes),
                Part::TableEnd => counts.tables.push(std::mem::take(lines).finish()?),
                Part::LargeObject => counts.large_objects += 1,
                Part::Entry(_) | Part::ContentsEnd | Part::Skeleton(_) => {}
            }
            Ok(())
        })
    }

    fn finish(mut self) -> Result<RowCounts, Misunderstood> {
        self.parts.finish()?;
        self.counts.tables.sort();
        Ok(self.counts)
    }
}

/// What pg_dump writes after a table's last row, with the line break that ends that row.
const END: [u8; 6] = *b"\n\\.\n\n\n";

/// The lines of a table's data.
#[derive(Debug, Default)]
struct Lines {
    table: TableRows,
    breaks: u64,
    /// The last bytes. An empty table's are also preceded by a line break.
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

#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(bytes: &[u8], piece: usize) {
    let mut counter = Counter::default();
    if bytes.chunks(piece).all(|piece| counter.feed(piece).is_ok()) {
        let _ = counter.finish();
    }
}

#[cfg(test)]
mod tests;
