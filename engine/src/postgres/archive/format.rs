//! Parses pg_dump's custom format, its header and its table of contents, in pieces while they
//! stream.
//!
//! Follows `WriteHead` and `WriteToc` of PostgreSQL's `pg_backup_archiver.c`, versions 1.12
//! (pg_dump 9.0) to 1.16 (pg_dump 17 and 18). Whatever the bytes are, the only failure is
//! [`Misunderstood`].

use std::io;

use tokio::io::AsyncReadExt;

use crate::stream::Body;

/// Why an archive is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misunderstood {
    /// It does not begin as an archive.
    #[error("it is not an archive in pg_dump's custom format")]
    NoArchive,
    /// Its pg_dump is older than 9.0, or newer than the known versions.
    #[error("its format has version {0}.{1}, and versions 1.12 to 1.16 are supported")]
    Version(u8, u8),
    /// pg_dump never writes integers of these sizes.
    #[error("its integers have {0} bytes and its offsets {1}")]
    Sizes(u8, u8),
    /// Its data is compressed.
    #[error("its data is compressed")]
    Compressed,
    /// A name is invalid in the dump's encoding.
    #[error("it has a name that is not text in its encoding: {0}")]
    Encoding(String),
    /// It ends in the middle.
    #[error("it ends in the middle of {0}")]
    Truncated(&'static str),
    /// It contains something else than required there.
    #[error("it has something else where {0} should be")]
    Unexpected(&'static str),
    /// Announced data is missing.
    #[error("it contains no data of {0}")]
    NoData(String),
    /// It was not read to its end.
    #[error("it was not read to its end")]
    Unread,
}

/// An entry of the table of contents. Texts are as pg_dump wrote them, in the archive's encoding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Its number, by which others and its data refer to it.
    pub(super) id: i64,
    /// Whether the archive contains data for it.
    pub(super) has_data: bool,
    /// Whether it gives the data's place in the archive, which pg_dump knows only if it can seek in
    /// its output.
    pub(super) has_offset: bool,
    /// Its name.
    pub(super) tag: &'a [u8],
    /// Its type: `TABLE`, `TABLE DATA`, `FK CONSTRAINT`.
    pub(super) kind: &'a [u8],
    /// The statement that creates it; empty where there is none.
    pub(super) definition: &'a [u8],
    /// The statement that loads its data; empty where there is none.
    pub(super) copy: &'a [u8],
    /// Its schema; empty where it has none.
    pub(super) schema: &'a [u8],
    /// The tablespace that it was in; empty where that is the database's own.
    pub(super) tablespace: &'a [u8],
    /// The numbers of the entries that it depends on, as in the archive.
    pub(super) depends: &'a [u8],
    /// The part of a restore that creates it: 2 before the data, [`DATA`], [`POST_DATA`], or
    /// another number for none of them.
    pub(super) section: i64,
    /// The statement that drops it, which only `--clean` runs.
    pub(super) drop: &'a [u8],
    /// Names that pg_restore quotes: of its table space, its access method and its owner.
    pub(super) names: [&'a [u8]; 3],
}

impl Entry<'_> {
    /// Returns the numbers of the entries that it depends on.
    pub(super) fn depends(&self) -> impl Iterator<Item = i64> {
        let mut rest = self.depends;
        std::iter::from_fn(move || take_text(&mut rest)?)
            .filter_map(|number| std::str::from_utf8(number).ok()?.parse().ok())
    }
}

/// `SECTION_DATA` and `SECTION_POST_DATA`
pub(super) const DATA: i64 = 3;
pub(super) const POST_DATA: i64 = 4;

/// `K_OFFSET_POS_SET`
const OFFSET_IS_SET: u8 = 2;

/// An integer's bytes: its sign and its amount, the least significant byte first.
pub(super) const INTEGER: usize = 1 + 4;

/// Returns the integer that these bytes encode.
pub(super) fn integer(bytes: [u8; INTEGER]) -> i64 {
    let [sign, a, b, c, d] = bytes;
    let amount = i64::from(u32::from_le_bytes([a, b, c, d]));
    if sign == 0 { amount } else { -amount }
}

/// Larger than any function, view or list of dependencies; anything larger is not a table of
/// contents.
const LONGEST_ENTRY: usize = 64 * 1024 * 1024;

/// Reads header and table of contents, given in any pieces. Examines each byte once, however large
/// an entry is and however small the pieces are.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The unparsed input: part of the header, or of an entry.
    pending: Vec<u8>,
    /// How far the entry at its start was examined.
    ahead: Ahead,
    head: Option<Head>,
    /// Entries still to come.
    remaining: i64,
    /// Whether the data may be compressed, because it is not read.
    without_data: bool,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    minor: u8,
    offset_size: usize,
}

/// A part of an entry.
#[derive(Debug, Clone, Copy)]
enum Field {
    Integer,
    Text,
    /// Texts, ended by a missing one.
    Texts,
    /// Where its data is: flag and offset.
    Offset,
}

impl Head {
    /// Returns the fields of an entry, in order; see [`entry_of`].
    fn field(self, index: usize) -> Option<Field> {
        use Field::{Integer, Offset, Text, Texts};
        const BEGIN: [Field; 12] = [Integer, Integer, Text, Text, Text, Text, Integer, Text, Text, Text, Text, Text];
        const END: [Field; 4] = [Text, Text, Texts, Offset];
        let access_method = (self.minor >= 14).then_some(Text);
        let relation_kind = (self.minor >= 16).then_some(Integer);
        BEGIN.into_iter().chain(access_method).chain(relation_kind).chain(END).nth(index)
    }
}

/// The search for the end of an entry, which continues where it stopped.
#[derive(Debug, Default)]
struct Ahead {
    /// How many fields were passed.
    fields: usize,
    /// Where the next field, or its next text, begins: possibly after the end of the input.
    at: usize,
    /// How often a field was examined.
    #[cfg(test)]
    looks: usize,
}

impl Ahead {
    /// Returns where the entry at the start of `bytes` ends; `None` if more bytes are needed.
    fn find_end(&mut self, bytes: &[u8], head: Head) -> Option<usize> {
        while let Some(field) = head.field(self.fields) {
            #[cfg(test)]
            {
                self.looks += 1;
            }
            let mut rest = bytes.get(self.at..)?;
            let (length, is_last) = match field {
                Field::Integer => (0, true),
                Field::Offset => (1 + head.offset_size, true),
                Field::Text | Field::Texts => {
                    let length = usize::try_from(take_integer(&mut rest)?);
                    (length.unwrap_or(0), matches!(field, Field::Text) || length.is_err())
                }
            };
            let number = if matches!(field, Field::Offset) { 0 } else { INTEGER };
            self.at = self.at.saturating_add(number).saturating_add(length);
            self.fields += usize::from(is_last);
        }
        (self.at <= bytes.len()).then_some(self.at)
    }

    /// Continues with the next entry.
    fn pass(&mut self) {
        (self.fields, self.at) = (0, 0);
    }
}

impl Contents {
    /// Returns a parser for the table of contents only.
    pub(super) fn without_data() -> Self {
        Self { without_data: true, ..Self::default() }
    }

    /// Reads further bytes and passes each complete entry to `each`. After the last one, returns
    /// how many bytes at the end of `bytes` follow it.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Entry<'_>) -> Result<(), Misunderstood>,
    ) -> Result<Option<usize>, Misunderstood> {
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(bytes);
        let mut rest = pending.as_slice();
        let head = match self.head {
            Some(head) => head,
            None => match head_of(&mut rest, self.without_data)? {
                Some((head, entries)) => {
                    self.remaining = entries;
                    *self.head.insert(head)
                }
                None => return self.wait_for_more(pending, 0),
            },
        };
        while self.remaining > 0 {
            let Some(end) = self.ahead.find_end(rest, head) else {
                let used = pending.len() - rest.len();
                return self.wait_for_more(pending, used);
            };
            let (mut whole, behind) = rest.split_at(end);
            let entry = entry_of(&mut whole, head).filter(|entry| !entry.kind.is_empty());
            each(entry.ok_or(Misunderstood::Unexpected("the kind of an entry"))?)?;
            self.ahead.pass();
            rest = behind;
            self.remaining -= 1;
        }
        Ok(Some(rest.len()))
    }

    fn wait_for_more(&mut self, mut pending: Vec<u8>, used: usize) -> Result<Option<usize>, Misunderstood> {
        pending.drain(..used);
        if pending.len().max(self.ahead.at) > LONGEST_ENTRY {
            return Err(Misunderstood::Unexpected("an entry of the table of contents"));
        }
        self.pending = pending;
        Ok(None)
    }
}

/// Reads header and table of contents at the start of an archive, and no more, and passes each
/// entry to `each`.
///
/// # Errors
/// [`io::Error`] if the body failed. The result says if the archive is not understood.
pub(super) async fn read_contents(
    mut contents: Contents,
    mut archive: Body,
    mut each: impl FnMut(Entry<'_>) -> Result<(), Misunderstood>,
) -> io::Result<Result<(), Misunderstood>> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = archive.read(&mut buffer).await?;
        if read == 0 {
            return Ok(Err(Misunderstood::Truncated("its table of contents")));
        }
        match contents.feed(&buffer[..read], &mut each) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(Ok(())),
            Err(reason) => return Ok(Err(reason)),
        }
    }
}

/// Returns the header, and how many entries follow; `None` if more bytes are needed.
fn head_of(bytes: &mut &[u8], may_be_compressed: bool) -> Result<Option<(Head, i64)>, Misunderstood> {
    const MAGIC: &[u8] = b"PGDMP";
    /// `archCustom`
    const CUSTOM: u8 = 1;
    let mut rest = *bytes;
    if !MAGIC.starts_with(&rest[..rest.len().min(MAGIC.len())]) {
        return Err(Misunderstood::NoArchive);
    }
    let fixed = take(&mut rest, MAGIC.len() + 6);
    let Some(&[.., major, minor, _revision, int_size, offset_size, format]) = fixed else { return Ok(None) };
    if major != 1 || !(12..=16).contains(&minor) {
        return Err(Misunderstood::Version(major, minor));
    }
    if usize::from(int_size) + 1 != INTEGER || !(1..=8).contains(&offset_size) {
        return Err(Misunderstood::Sizes(int_size, offset_size));
    }
    if format != CUSTOM {
        return Err(Misunderstood::NoArchive);
    }
    let Some((compression, entries)) = rest_of_head(&mut rest, minor) else { return Ok(None) };
    if compression != 0 && !may_be_compressed {
        return Err(Misunderstood::Compressed);
    }
    if entries < 0 {
        return Err(Misunderstood::Unexpected("the number of entries"));
    }
    *bytes = rest;
    Ok(Some((Head { minor, offset_size: offset_size.into() }, entries)))
}

/// Returns the compression and the number of entries.
fn rest_of_head(rest: &mut &[u8], minor: u8) -> Option<(i64, i64)> {
    // A level until 1.14, an algorithm since; no compression is 0 in both.
    let compression = if minor >= 15 { i64::from(*take(rest, 1)?.first()?) } else { take_integer(rest)? };
    for _ in ["second", "minute", "hour", "day", "month", "year", "daylight saving"] {
        take_integer(rest)?;
    }
    for _ in ["database", "server's version", "pg_dump's version"] {
        take_text(rest)?;
    }
    Some((compression, take_integer(rest)?))
}

/// Returns the entry at the start of the bytes; `None` if it is incomplete.
fn entry_of<'a>(bytes: &mut &'a [u8], head: Head) -> Option<Entry<'a>> {
    let id = take_integer(bytes)?;
    let has_data = take_integer(bytes)? != 0;
    for _ in ["catalogue", "object"] {
        take_text(bytes)?;
    }
    let tag = take_text(bytes)?.unwrap_or_default();
    let kind = take_text(bytes)?.unwrap_or_default();
    let section = take_integer(bytes)?;
    let definition = take_text(bytes)?.unwrap_or_default();
    let drop = take_text(bytes)?.unwrap_or_default();
    let copy = take_text(bytes)?.unwrap_or_default();
    let schema = take_text(bytes)?.unwrap_or_default();
    let tablespace = take_text(bytes)?.unwrap_or_default();
    let access_method = if head.minor >= 14 { take_text(bytes)?.unwrap_or_default() } else { b"" };
    if head.minor >= 16 {
        let _relation_kind = take_integer(bytes)?;
    }
    let owner = take_text(bytes)?.unwrap_or_default();
    let _with_oids = take_text(bytes)?;
    let depends = *bytes;
    while take_text(bytes)?.is_some() {}
    let depends = &depends[..depends.len() - bytes.len()];
    // Where its data is: flag and offset
    let &[offset, ..] = take(bytes, 1 + head.offset_size)? else { return None };
    let names = [tablespace, access_method, owner];
    let has_offset = offset == OFFSET_IS_SET;
    Some(Entry {
        id,
        has_data,
        has_offset,
        tag,
        kind,
        definition,
        copy,
        schema,
        tablespace,
        depends,
        section,
        drop,
        names,
    })
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn take_integer(bytes: &mut &[u8]) -> Option<i64> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(integer(*taken))
}

/// Returns a text, which is missing if its length is negative.
fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match usize::try_from(take_integer(bytes)?) {
        Ok(length) => take(bytes, length).map(Some),
        Err(_) => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::forged::{ForgedEntry, archive};
    use super::*;

    #[test]
    fn fields_are_examined_once() {
        let depends: Vec<i32> = (0..100_000).collect();
        let entry = ForgedEntry { depends: &depends, ..ForgedEntry::default() };
        let bytes = archive(&[entry, ForgedEntry::default()], b"");
        let (mut contents, mut found) = (Contents::default(), Vec::new());
        let mut pieces = 0;
        for piece in bytes.chunks(100) {
            pieces += 1;
            let each = |entry: Entry<'_>| {
                found.push(entry.depends().count());
                Ok(())
            };
            contents.feed(piece, each).unwrap();
        }
        assert_eq!(found, [depends.len(), 0]);
        // The field at the end of a piece is examined twice.
        let fields = depends.len() + 2 * 17;
        assert!(contents.ahead.looks <= fields + pieces, "{} of {fields} in {pieces}", contents.ahead.looks);
    }

    #[test]
    fn entry_without_end_is_refused_early() {
        let mut bytes = archive(&[ForgedEntry::default()], b"");
        // The length of its first text, which follows its number and whether it has data.
        let length = archive(&[], b"").len() + 2 * INTEGER + 1;
        bytes[length..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
        let refused = Contents::default().feed(&bytes, |_| Ok(()));
        assert_eq!(refused, Err(Misunderstood::Unexpected("an entry of the table of contents")));
    }
}
