//! The entries of a dump's table of contents, and which of them belong together.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;

use serde::Serialize;
use utoipa::ToSchema;

use super::format::{Contents, Entry, Misunderstood, read_contents};
use crate::stream::Body;

/// An entry of a dump's table of contents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// Its number.
    pub id: i64,
    /// What it is: `INDEX`, `POLICY`.
    pub kind: String,
    /// Its schema; empty where it has none.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The tablespace that it was in; empty where that is the database's own.
    pub tablespace: String,
    /// The statement that creates it, if its kind is one of `ArchiveEntry::DEFINED`; else empty.
    pub definition: String,
    /// Numbers of the entries that it depends on.
    pub depends: Vec<i64>,
}

impl ArchiveEntry {
    /// Kinds of entries whose statements are examined.
    const DEFINED: [&str; 5] = ["INDEX", "CONSTRAINT", "TABLE", "POLICY", "PUBLICATION"];

    fn of(entry: &Entry<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let kind = text(entry.kind);
        let definition = if Self::DEFINED.contains(&&*kind) { text(entry.definition) } else { String::new() };
        Self {
            id: entry.id,
            kind,
            schema: text(entry.schema),
            name: text(entry.tag),
            tablespace: text(entry.tablespace),
            definition,
            depends: entry.depends().collect(),
        }
    }

    /// Returns it as messages name it: `the index public.res_partner_name`.
    pub fn described(&self) -> String {
        let schema = if self.schema.is_empty() { String::new() } else { format!("{}.", self.schema) };
        format!("the {} {schema}{}", self.kind.to_lowercase(), self.name)
    }
}

/// An entry that a restore leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeftOut {
    /// The entry's number.
    #[serde(skip)]
    pub id: i64,
    /// What it is, as messages name it: `the index public.res_partner_name`.
    pub what: String,
    /// Why.
    pub why: String,
}

impl LeftOut {
    /// Returns those of `entries` that have these numbers, with the reasons.
    pub fn of(entries: &[ArchiveEntry], ids: impl IntoIterator<Item = (i64, String)>) -> Vec<Self> {
        let names: HashMap<i64, &ArchiveEntry> = entries.iter().map(|entry| (entry.id, entry)).collect();
        let left_out = ids.into_iter().map(|(id, why)| {
            let what = names.get(&id).map_or_else(|| format!("the entry {id}"), |entry| entry.described());
            Self { id, what, why }
        });
        left_out.collect()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was left out: {}", self.what.escape_debug(), self.why)
    }
}

/// More text than any database has in its table of contents.
const MOST_TEXT: usize = 256 * 1024 * 1024;

/// Reads all entries at the start of an archive, and no more. Its data may be compressed.
///
/// # Errors
/// [`io::Error`] if the body failed. The result says if the archive is not understood.
pub(crate) async fn read_entries(archive: Body) -> io::Result<Result<Vec<ArchiveEntry>, Misunderstood>> {
    let (mut entries, mut size) = (Vec::new(), 0);
    let read = read_contents(Contents::without_data(), archive, |entry| {
        let entry = ArchiveEntry::of(&entry);
        size += entry.definition.len() + size_of::<ArchiveEntry>();
        if size > MOST_TEXT {
            return Err(Misunderstood::Unexpected("an end of the table of contents"));
        }
        entries.push(entry);
        Ok(())
    });
    Ok(read.await?.map(|()| entries))
}

/// Returns the numbers of these entries and of all that depend on one of them.
pub(crate) fn with_dependents(entries: &[ArchiveEntry], of: impl IntoIterator<Item = i64>) -> HashSet<i64> {
    let mut found: HashSet<i64> = of.into_iter().collect();
    // An entry follows those that it depends on, except the few that are created in two steps.
    while !found.is_empty() {
        let before = found.len();
        for entry in entries {
            if entry.depends.iter().any(|id| found.contains(id)) {
                found.insert(entry.id);
            }
        }
        if found.len() == before {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependents_of_dependents_are_found() {
        let entry = |id, depends: &[i64]| ArchiveEntry { id, depends: depends.into(), ..ArchiveEntry::default() };
        let entries = [entry(1, &[3]), entry(2, &[]), entry(3, &[2]), entry(4, &[9]), entry(5, &[1, 2])];
        let mut found: Vec<_> = with_dependents(&entries, [2]).into_iter().collect();
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3, 5]);
        assert!(with_dependents(&entries, []).is_empty());
    }
}
