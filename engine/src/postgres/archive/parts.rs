//! What an archive consists of, reported while it streams.
//!
//! Follows `pg_backup_custom.c`: after the table of contents come blocks, each with a type, the
//! number of an entry, and pieces with their lengths.

use std::collections::HashMap;

use super::Qualified;
use super::format::{Contents, Entry, INTEGER, Misunderstood, integer};
use crate::postgres::script::encoding::Encoding;

/// The next part of an archive, in its order.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// An entry of the table of contents.
    Entry(Entry<'a>),
    /// The table of contents is complete.
    ContentsEnd,
    /// A table's data begins.
    Table {
        /// The number of its entry.
        id: i64,
        /// Its schema and its name.
        name: Qualified,
    },
    /// Bytes of that data.
    Rows(&'a [u8]),
    /// The table's data is complete.
    TableEnd,
    /// A large object begins.
    LargeObject,
    /// Bytes of the archive other than tables' data, unchanged. All of them together are an archive
    /// without that data.
    Skeleton(&'a [u8]),
}

/// `BLK_DATA` and `BLK_BLOBS`
const TABLE_BLOCK: u8 = 1;
const LARGE_OBJECTS_BLOCK: u8 = 3;

/// Parses a dump in pg_dump's uncompressed custom format, given in any pieces.
#[derive(Debug, Default)]
pub(super) struct Parts {
    state: State,
    integer: PartialInteger,
    /// Entries with announced data, by their number. `None` are large objects.
    announced: HashMap<i64, Option<Qualified>>,
    /// The names' encoding.
    encoding: Encoding,
}

#[derive(Debug)]
enum State {
    Contents(Contents),
    /// Between blocks: the next one's type, or the end of the archive.
    Type,
    /// The number of a block's entry.
    Number(u8),
    /// The length of the next piece of a table's data; 0 after the last.
    TableLength,
    /// The rest of a piece, in bytes.
    Table(usize),
    LargeObjects(LargeObjects),
}

/// Within a block of large objects.
#[derive(Debug, Clone, Copy)]
enum LargeObjects {
    /// The next one's number; 0 after the last.
    Number,
    /// The length of the next piece of one; 0 after the last.
    Length,
    /// The rest of a piece, in bytes.
    Bytes(usize),
}

impl Default for State {
    fn default() -> Self {
        Self::Contents(Contents::default())
    }
}

impl Parts {
    /// Returns a parser for an archive whose data is not examined, and may be compressed.
    pub(super) fn of_any_data() -> Self {
        Self { state: State::Contents(Contents::without_data()), ..Self::default() }
    }

    /// Consumes these bytes, and passes each part to `each`.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Part<'_>) -> Result<(), Misunderstood>,
    ) -> Result<(), Misunderstood> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.step(&mut rest, &mut each)?;
        }
        Ok(())
    }

    /// Advances by one state, or to the end of the bytes.
    fn step(
        &mut self,
        rest: &mut &[u8],
        each: &mut impl FnMut(Part<'_>) -> Result<(), Misunderstood>,
    ) -> Result<(), Misunderstood> {
        match &mut self.state {
            State::Contents(contents) => {
                let (announced, encoding) = (&mut self.announced, &mut self.encoding);
                let left = contents.feed(rest, |entry| {
                    note_encoding(encoding, &entry);
                    announce(announced, *encoding, &entry)?;
                    each(Part::Entry(entry))
                })?;
                each(Part::Skeleton(take_up_to(rest, rest.len() - left.unwrap_or(0))))?;
                if left.is_some() {
                    self.state = State::Type;
                    each(Part::ContentsEnd)?;
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
                if let Some(id) = self.integer.take(rest) {
                    self.state = match (*kind, self.announced.remove(&id)) {
                        (TABLE_BLOCK, Some(Some(name))) => {
                            each(Part::Table { id, name })?;
                            State::TableLength
                        }
                        (LARGE_OBJECTS_BLOCK, Some(None)) => {
                            each(Part::Skeleton(&[LARGE_OBJECTS_BLOCK]))?;
                            each(Part::Skeleton(&self.integer.bytes))?;
                            State::LargeObjects(LargeObjects::Number)
                        }
                        _ => return Err(Misunderstood::Unexpected("the number of an entry with data")),
                    };
                }
            }
            State::TableLength => {
                if let Some(length) = self.integer.take(rest) {
                    self.state = match length_of(length)? {
                        0 => {
                            each(Part::TableEnd)?;
                            State::Type
                        }
                        length => State::Table(length),
                    };
                }
            }
            State::Table(left) => {
                let piece = take_up_to(rest, *left);
                *left -= piece.len();
                if *left == 0 {
                    self.state = State::TableLength;
                }
                each(Part::Rows(piece))?;
            }
            State::LargeObjects(at) => {
                let before = *rest;
                let next = at.step(rest, &mut self.integer, each)?;
                each(Part::Skeleton(&before[..before.len() - rest.len()]))?;
                self.state = next.map_or(State::Type, State::LargeObjects);
            }
        }
        Ok(())
    }

    /// Checks that everything announced has come, and nothing was cut off.
    pub(super) fn finish(self) -> Result<(), Misunderstood> {
        match self.state {
            State::Type => {}
            State::Contents(_) => return Err(Misunderstood::Truncated("its table of contents")),
            _ => return Err(Misunderstood::Truncated("its data")),
        }
        match self.announced.into_values().next() {
            None => Ok(()),
            Some(Some((schema, table))) => Err(Misunderstood::NoData(format!("{schema}.{table}"))),
            Some(None) => Err(Misunderstood::NoData("large objects".to_owned())),
        }
    }
}

impl LargeObjects {
    /// Returns the next state; `None` after the block.
    fn step(
        self,
        rest: &mut &[u8],
        integer: &mut PartialInteger,
        each: &mut impl FnMut(Part<'_>) -> Result<(), Misunderstood>,
    ) -> Result<Option<Self>, Misunderstood> {
        Ok(Some(match self {
            Self::Number => match integer.take(rest) {
                None => self,
                Some(0) => return Ok(None),
                Some(_) => {
                    each(Part::LargeObject)?;
                    Self::Length
                }
            },
            Self::Length => match integer.take(rest).map(length_of).transpose()? {
                None => self,
                Some(0) => Self::Number,
                Some(length) => Self::Bytes(length),
            },
            Self::Bytes(left) => match left - take_up_to(rest, left).len() {
                0 => Self::Length,
                left => Self::Bytes(left),
            },
        }))
    }
}

/// Notes the archive's declared encoding, which precedes all names.
pub(super) fn note_encoding(encoding: &mut Encoding, entry: &Entry<'_>) {
    if entry.kind == b"ENCODING" {
        *encoding = Encoding::of(entry.definition).unwrap_or(*encoding);
    }
}

/// Returns a name as text.
pub(super) fn name_in(encoding: Encoding, bytes: &[u8]) -> Result<String, Misunderstood> {
    let shown = || String::from_utf8_lossy(bytes).escape_debug().to_string();
    encoding.decode(bytes).ok_or_else(|| Misunderstood::Encoding(shown()))
}

/// Notes that the archive has data for this entry.
fn announce(
    announced: &mut HashMap<i64, Option<Qualified>>,
    encoding: Encoding,
    entry: &Entry<'_>,
) -> Result<(), Misunderstood> {
    if !entry.has_data {
        return Ok(());
    }
    let text = |bytes| name_in(encoding, bytes);
    let content = match entry.kind {
        b"TABLE DATA" => Some((text(entry.schema)?, text(entry.tag)?)),
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
    /// Those of the previous integer stay until the next begins.
    bytes: [u8; INTEGER],
    have: usize,
}

impl PartialInteger {
    /// Returns the integer after its last byte.
    fn take(&mut self, rest: &mut &[u8]) -> Option<i64> {
        // Most come in one piece, and there is one for every row.
        if self.have == 0
            && let Some((whole, behind)) = rest.split_first_chunk()
        {
            *rest = behind;
            self.bytes = *whole;
            return Some(integer(self.bytes));
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
