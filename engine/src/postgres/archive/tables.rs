//! Separates tables' data from the rest of an archive.

use std::collections::{HashMap, VecDeque};
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::parts::{Part, Parts, name_in, note_encoding};
use super::{Misunderstood, Qualified};
use crate::postgres::script::encoding::Encoding;
use crate::stream::{Body, CHUNK};

/// Why an archive is not read further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// It cannot be read, or its rest cannot be written; this includes damage.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not understood.
    #[error(transparent)]
    Misunderstood(#[from] Misunderstood),
}

/// The table that the data belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) struct DumpedTable {
    /// Its schema and its name.
    pub(in crate::postgres) name: Qualified,
    /// The statement that loads the data, without options:
    /// `COPY public.res_users (id, login) FROM stdin`.
    pub(in crate::postgres) copy: String,
    /// The encoding of the rows.
    pub(in crate::postgres) encoding: Encoding,
}

impl DumpedTable {
    /// Returns the whole statement; `frozen` if the table was emptied in the same transaction.
    pub(in crate::postgres) fn copy_statement(&self, frozen: bool) -> String {
        let options: Vec<String> =
            frozen.then(|| "FREEZE".to_owned()).into_iter().chain(self.encoding.copy_option()).collect();
        match options.is_empty() {
            true => self.copy.clone(),
            false => format!("{} WITH ({})", self.copy, options.join(", ")),
        }
    }
}

/// The next part of the tables' data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) enum TableData {
    /// A table's data begins.
    Begin(DumpedTable),
    /// Lines of it. A row that is larger than a batch comes in several pieces, of which only the
    /// last ends in a line break.
    Rows(Bytes),
    /// That was the last of it.
    End,
}

/// An archive whose table of contents was read.
///
/// Everything but tables' data goes to a file, which is an archive that pg_restore can use as long
/// as it needs no table data.
pub(crate) struct ArchiveTables {
    body: Body,
    parts: Parts,
    skeleton: File,
    cutter: Cutter,
}

impl ArchiveTables {
    /// Reads an archive's table of contents from its beginning, and writes it to `skeleton`.
    ///
    /// # Errors
    /// [`ArchiveError::Misunderstood`] also for an archive whose table data only pg_restore can
    /// read.
    pub(crate) async fn open(body: Body, skeleton: std::fs::File) -> Result<Self, ArchiveError> {
        let skeleton = File::from_std(skeleton);
        let mut tables = Self { body, parts: Parts::default(), skeleton, cutter: Cutter::default() };
        while !tables.cutter.has_contents {
            if !tables.read().await? {
                return Err(Misunderstood::Truncated("its table of contents").into());
            }
        }
        tables.skeleton.flush().await?;
        Ok(tables)
    }

    /// Returns what comes next; `None` at the end, if the body ended in `Ok` and everything
    /// announced in the table of contents has come.
    pub(in crate::postgres) async fn next(&mut self) -> Result<Option<TableData>, ArchiveError> {
        loop {
            if let Some(next) = self.cutter.cut.pop_front() {
                return Ok(Some(next));
            }
            if !self.read().await? {
                std::mem::take(&mut self.parts).finish()?;
                self.skeleton.flush().await?;
                return Ok(None);
            }
        }
    }

    /// Reads the rest of the archive, only to verify its digest.
    pub(in crate::postgres) async fn read_to_end(&mut self) -> io::Result<()> {
        tokio::io::copy(&mut self.body, &mut tokio::io::sink()).await.map(drop)
    }

    /// Reads one more chunk. Returns `false` at the end.
    async fn read(&mut self) -> Result<bool, ArchiveError> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        if self.body.read_buf(&mut chunk).await? == 0 {
            return Ok(false);
        }
        let cutter = &mut self.cutter;
        self.parts.feed(&chunk, |part| cutter.take(part))?;
        if !cutter.skeleton.is_empty() {
            self.skeleton.write_all(&cutter.skeleton).await?;
            cutter.skeleton.clear();
        }
        Ok(true)
    }
}

/// What pg_dump writes after a table's last row.
const END: &[u8] = b"\\.\n\n\n";

/// Bytes of a table in a batch: enough to be worth a hand-over.
const BATCH: usize = 1024 * 1024;

/// Builds batches of the data.
#[derive(Debug, Default)]
struct Cutter {
    /// Whether the table of contents is complete.
    has_contents: bool,
    /// Its declared encoding.
    encoding: Encoding,
    /// The `COPY` of each entry that has one.
    copies: HashMap<i64, String>,
    /// The data of the current table that was not passed on yet.
    rows: BytesMut,
    cut: VecDeque<TableData>,
    skeleton: Vec<u8>,
}

impl Cutter {
    fn take(&mut self, part: Part<'_>) -> Result<(), Misunderstood> {
        match part {
            Part::Entry(entry) => {
                note_encoding(&mut self.encoding, &entry);
                // They would be wrong in the rest.
                if entry.has_offset {
                    return Err(Misunderstood::Unexpected("data without an offset"));
                }
                if entry.has_data && entry.kind == b"TABLE DATA" {
                    let copy = copy_of(&name_in(self.encoding, entry.copy)?);
                    let copy = copy.ok_or(Misunderstood::Unexpected("a COPY of a table"))?;
                    self.copies.insert(entry.id, copy);
                }
            }
            Part::ContentsEnd => self.has_contents = true,
            Part::Table { id, name } => {
                let copy = self.copies.remove(&id).unwrap_or_default();
                let encoding = self.encoding;
                self.cut.push_back(TableData::Begin(DumpedTable { name, copy, encoding }));
            }
            Part::Rows(bytes) => {
                self.rows.extend_from_slice(bytes);
                if self.rows.len() >= BATCH {
                    self.cut();
                }
            }
            Part::TableEnd => {
                let rows = std::mem::take(&mut self.rows).freeze();
                let rows = rows.strip_suffix(END).map(|rows| rows.len()).map(|length| rows.slice(..length));
                let rows = rows.ok_or(Misunderstood::Unexpected("the end of a table's data"))?;
                if !rows.is_empty() {
                    self.cut.push_back(TableData::Rows(rows));
                }
                self.cut.push_back(TableData::End);
            }
            Part::Skeleton(bytes) => self.skeleton.extend_from_slice(bytes),
            Part::LargeObject => {}
        }
        Ok(())
    }

    /// Ends a batch after its last complete row; if there is none, before a possible end of the
    /// data.
    fn cut(&mut self) {
        let surely_rows = self.rows.len() - END.len();
        let whole = memchr::memrchr(b'\n', &self.rows[..surely_rows]).map_or(surely_rows, |at| at + 1);
        let rest = self.rows.split_off(whole);
        let batch = std::mem::replace(&mut self.rows, BytesMut::with_capacity(BATCH + CHUNK));
        self.rows.extend_from_slice(&rest);
        self.cut.push_back(TableData::Rows(batch.freeze()));
    }
}

/// Returns `COPY public.res_users (id, login) FROM stdin;` without the semicolon.
fn copy_of(statement: &str) -> Option<String> {
    let statement = statement.trim_end().strip_suffix(';')?;
    (statement.starts_with("COPY ") && statement.ends_with(" FROM stdin")).then(|| statement.to_owned())
}

#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(bytes: &[u8], piece: usize) {
    let (mut parts, mut cutter) = (Parts::default(), Cutter::default());
    if bytes.chunks(piece).all(|piece| parts.feed(piece, |part| cutter.take(part)).is_ok()) {
        let _ = parts.finish();
    }
}

#[cfg(test)]
mod tests;
