//! Which objects a dump creates, read from its table of contents, to compare a restored database
//! with.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;

use serde::{Deserialize, Serialize};

use super::format::{Contents, Entry, Misunderstood, read_contents};
use super::parts::{name_in, note_encoding};
use crate::postgres::script::encoding::Encoding;
use crate::stream::Body;

/// Kinds of objects whose number in a database is that of their entries in its dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ObjectKind {
    /// Tables, partitioned ones and partitions among them.
    Tables,
    /// Views.
    Views,
    /// Materialized views.
    MaterializedViews,
    /// Sequences.
    Sequences,
    /// Indexes but those of constraints.
    Indexes,
    /// Primary keys, unique and exclusion constraints.
    Keys,
    /// Foreign keys.
    ForeignKeys,
    /// Triggers.
    Triggers,
    /// Functions, procedures and aggregates.
    Functions,
    /// Extensions.
    Extensions,
}

impl ObjectKind {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Tables,
        Self::Views,
        Self::MaterializedViews,
        Self::Sequences,
        Self::Indexes,
        Self::Keys,
        Self::ForeignKeys,
        Self::Triggers,
        Self::Functions,
        Self::Extensions,
    ];

    /// Returns what one is called: `foreign key`.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Tables => "table",
            Self::Views => "view",
            Self::MaterializedViews => "materialized view",
            Self::Sequences => "sequence",
            Self::Indexes => "index",
            Self::Keys => "key",
            Self::ForeignKeys => "foreign key",
            Self::Triggers => "trigger",
            Self::Functions => "function",
            Self::Extensions => "extension",
        }
    }

    /// Returns the kind of object that an entry creates.
    fn of(entry: &Entry<'_>) -> Option<Self> {
        Some(match entry.kind {
            b"TABLE" => Self::Tables,
            b"VIEW" => Self::Views,
            b"MATERIALIZED VIEW" => Self::MaterializedViews,
            b"SEQUENCE" => Self::Sequences,
            b"INDEX" => Self::Indexes,
            // A NOT NULL that was not validated is a separate constraint since PostgreSQL 18, and
            // not a key.
            b"CONSTRAINT" if !is_not_valid(entry) => Self::Keys,
            b"FK CONSTRAINT" => Self::ForeignKeys,
            // A partition's disabled trigger is an entry as well.
            b"TRIGGER" if entry.definition.starts_with(b"CREATE ") => Self::Triggers,
            b"FUNCTION" | b"PROCEDURE" | b"AGGREGATE" => Self::Functions,
            b"EXTENSION" => Self::Extensions,
            _ => return None,
        })
    }
}

/// A schema, and a name in it.
pub(crate) type Qualified = (String, String);

/// The value of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SequenceValue {
    /// Its last number.
    pub last: i64,
    /// Whether it was returned already, so that the next number follows it.
    pub called: bool,
}

/// What a dump creates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ArchiveObjects {
    /// The number of objects of each kind.
    pub kinds: BTreeMap<ObjectKind, u64>,
    /// Constraints that were not validated at the source, by their schema, and by the name of their
    /// table or type, a space, and their own.
    pub not_valid: BTreeSet<Qualified>,
    /// The value that each sequence is set to.
    pub sequences: BTreeMap<Qualified, SequenceValue>,
}

impl ArchiveObjects {
    fn note(&mut self, entry: &Entry<'_>, encoding: Encoding) -> Result<(), Misunderstood> {
        if let Some(kind) = ObjectKind::of(entry) {
            *self.kinds.entry(kind).or_default() += 1;
        }
        let name = || Ok((name_in(encoding, entry.schema)?, name_in(encoding, entry.tag)?));
        if entry.kind.ends_with(b"CONSTRAINT") && is_not_valid(entry) {
            self.not_valid.insert(name()?);
        }
        if entry.kind == b"SEQUENCE SET" {
            let value = value_of(entry.definition).ok_or(Misunderstood::Unexpected("a sequence's value"))?;
            self.sequences.insert(name()?, value);
        }
        Ok(())
    }
}

/// Returns whether it is not validated. `NOT ENFORCED` (PostgreSQL 18) is never validated either.
fn is_not_valid(entry: &Entry<'_>) -> bool {
    let definition = entry.definition.trim_ascii_end();
    [b"NOT VALID;".as_slice(), b"NOT ENFORCED;"].iter().any(|end| definition.ends_with(end))
}

/// Parses `SELECT pg_catalog.setval('public.res_users_id_seq', 7, true);`.
fn value_of(definition: &[u8]) -> Option<SequenceValue> {
    let text = String::from_utf8_lossy(definition);
    let text = text.trim_end().strip_suffix(");")?;
    let (rest, called) = text.rsplit_once(", ")?;
    let (_, last) = rest.rsplit_once(", ")?;
    Some(SequenceValue { last: last.parse().ok()?, called: called.parse().ok()? })
}

/// Reads the table of contents at the start of an archive, and no more. What a restore leaves out
/// does not count.
///
/// # Errors
/// [`io::Error`] if the body failed. The result says if the archive is not understood.
pub(crate) async fn read_objects(
    archive: Body,
    left_out: &HashSet<i64>,
) -> io::Result<Result<ArchiveObjects, Misunderstood>> {
    let (mut objects, mut encoding) = (ArchiveObjects::default(), Encoding::default());
    let read = read_contents(Contents::default(), archive, |entry| {
        note_encoding(&mut encoding, &entry);
        if left_out.contains(&entry.id) { Ok(()) } else { objects.note(&entry, encoding) }
    });
    Ok(read.await?.map(|()| objects))
}

/// Reads an archive's encoding from its start, and no more; `None` if it is not understood.
///
/// # Errors
/// [`io::Error`] if the body failed.
pub(crate) async fn read_encoding(archive: Body) -> io::Result<Option<&'static str>> {
    let mut encoding = Encoding::default();
    let read = read_contents(Contents::without_data(), archive, |entry| {
        note_encoding(&mut encoding, &entry);
        Ok(())
    });
    Ok(read.await?.ok().map(|()| encoding.name()))
}

#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(bytes: &[u8], piece: usize) {
    let (mut contents, mut objects) = (Contents::default(), ArchiveObjects::default());
    let _ = bytes
        .chunks(piece)
        .try_for_each(|piece| contents.feed(piece, |entry| objects.note(&entry, Encoding::default())).map(drop));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_value_ignores_its_name() {
        let value = |text: &str| value_of(text.as_bytes());
        let expected = Some(SequenceValue { last: -7, called: false });
        assert_eq!(value("SELECT pg_catalog.setval('public.\"a, 3, true);\"', -7, false);\n\n\n"), expected);
        assert_eq!(value("SELECT pg_catalog.setval('public.a_seq', x, true);"), None);
        assert_eq!(value("ALTER SEQUENCE a"), None);
    }

    #[test]
    fn definition_end_decides_not_valid() {
        let entry = |definition: &'static str| Entry {
            id: 1,
            has_data: false,
            has_offset: false,
            tag: b"t c",
            kind: b"CHECK CONSTRAINT",
            definition: definition.as_bytes(),
            copy: b"",
            schema: b"public",
            tablespace: b"",
            depends: b"",
            section: 4,
            drop: b"",
            names: [b""; 3],
        };
        assert!(is_not_valid(&entry("ALTER TABLE public.t\n    ADD CONSTRAINT c CHECK ((x > 0)) NOT VALID;\n\n\n")));
        assert!(!is_not_valid(&entry("ALTER TABLE public.t ADD CONSTRAINT c CHECK ((x <> 'NOT VALID;'::text));")));
    }
}
