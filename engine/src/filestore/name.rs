//! Stores file names and what is known of each in little memory: a filestore may have millions.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use crate::stream::Malformed;

/// A file's path within a filestore.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// `ab/abcdef…`: Odoo names a file by the SHA-1 of its content.
    Sha1([u8; 20]),
    /// Any other path.
    Other(Box<str>),
}

impl FileName {
    /// Parses a path.
    pub fn new(path: &str) -> Self {
        parse_sha1(path).map_or_else(|| Self::Other(path.into()), Self::Sha1)
    }
}

/// Parses only what [`FileName`]'s `Display` would write: lower-case digits, in the folder of the
/// first two.
fn parse_sha1(path: &str) -> Option<[u8; 20]> {
    let (folder, name) = path.split_once('/')?;
    if name.len() != 40 || folder.len() != 2 || !name.starts_with(folder) {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut sha1 = [0; 20];
    for (byte, pair) in sha1.iter_mut().zip(name.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(sha1)
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha1(sha1) => {
                write!(f, "{:02x}/", sha1[0])?;
                sha1.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Other(path) => f.write_str(path),
        }
    }
}

/// How many file names a backup may bring into memory, whatever its lists say.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    names: u64,
    /// The bytes left for names that are not Odoo's, which take as much memory as they are long.
    bytes: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { names: 16 << 20, bytes: 256 << 20 }
    }
}

impl Allowance {
    /// Counts a name.
    ///
    /// # Errors
    /// [`Malformed`] if there are more than any filestore has
    pub(crate) fn take(&mut self, name: &FileName) -> Result<(), Malformed> {
        let bytes = if let FileName::Other(path) = name { path.len() as u64 } else { 0 };
        let left = self.names.checked_sub(1).zip(self.bytes.checked_sub(bytes));
        let (names, bytes) = left.ok_or_else(|| Malformed("it lists more files than a backup can have".to_owned()))?;
        *self = Self { names, bytes };
        Ok(())
    }
}

/// Reserves memory for `more` entries.
///
/// # Errors
/// [`io::ErrorKind::OutOfMemory`]
pub(crate) fn reserve<T>(entries: &mut Vec<T>, more: u64) -> io::Result<()> {
    let more = usize::try_from(more).unwrap_or(usize::MAX);
    let reserved = entries.try_reserve(more);
    reserved.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, format!("no memory for {more} names: {error}")))
}

/// A map by file name. For each of Odoo's names it takes 20 bytes and the value.
#[derive(Debug, Clone)]
pub struct FileNames<V> {
    /// Sorted.
    sha1: Vec<([u8; 20], V)>,
    other: BTreeMap<Box<str>, V>,
}

impl<V> Default for FileNames<V> {
    fn default() -> Self {
        Self { sha1: Vec::new(), other: BTreeMap::new() }
    }
}

impl<V> FromIterator<(FileName, V)> for FileNames<V> {
    /// Collects the entries. The last of several values for a name counts.
    fn from_iter<I: IntoIterator<Item = (FileName, V)>>(entries: I) -> Self {
        Self::of_versions(entries, |_| ())
    }
}

impl<V> FileNames<V> {
    /// Creates a map. The last of several values for a name counts.
    ///
    /// # Errors
    /// [`io::ErrorKind::OutOfMemory`]
    pub(crate) fn of_entries(entries: Vec<(FileName, V)>) -> io::Result<Self> {
        let mut names = Self::default();
        reserve(&mut names.sha1, entries.len() as u64)?;
        Ok(names.with_versions(entries, |_| ()))
    }

    /// Creates a map. The last of several values for a name counts, and `mark` is called with it.
    pub(super) fn of_versions(entries: impl IntoIterator<Item = (FileName, V)>, mark: impl Fn(&mut V)) -> Self {
        Self::default().with_versions(entries, mark)
    }

    fn with_versions(self, entries: impl IntoIterator<Item = (FileName, V)>, mark: impl Fn(&mut V)) -> Self {
        let mut names = self;
        for (name, mut value) in entries {
            match name {
                FileName::Sha1(sha1) => names.sha1.push((sha1, value)),
                FileName::Other(path) => {
                    if names.other.contains_key(&path) {
                        mark(&mut value);
                    }
                    names.other.insert(path, value);
                }
            }
        }
        // The sort is stable: the last of equal names stays the last, which is the one that `dedup`
        // must keep.
        names.sha1.sort_by_key(|(sha1, _)| *sha1);
        names.sha1.reverse();
        names.sha1.dedup_by(|(earlier, _), (last, value)| {
            let same = earlier == last;
            if same {
                mark(value);
            }
            same
        });
        names.sha1.reverse();
        names.sha1.shrink_to_fit();
        names
    }

    /// Returns how many names there are.
    pub fn len(&self) -> usize {
        self.sha1.len() + self.other.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the value of a name.
    pub fn get(&self, name: &FileName) -> Option<&V> {
        match name {
            FileName::Sha1(sha1) => self.place(sha1).map(|place| &self.sha1[place].1),
            FileName::Other(path) => self.other.get(path),
        }
    }

    /// Returns the value of a name for changes.
    pub fn get_mut(&mut self, name: &FileName) -> Option<&mut V> {
        match name {
            FileName::Sha1(sha1) => self.place(sha1).map(|place| &mut self.sha1[place].1),
            FileName::Other(path) => self.other.get_mut(path),
        }
    }

    /// Returns all names and their values, Odoo's names first, each kind sorted.
    pub fn iter(&self) -> impl Iterator<Item = (FileName, &V)> {
        let sha1 = self.sha1.iter().map(|(sha1, value)| (FileName::Sha1(*sha1), value));
        sha1.chain(self.other.iter().map(|(path, value)| (FileName::Other(path.clone()), value)))
    }

    fn place(&self, sha1: &[u8; 20]) -> Option<usize> {
        self.sha1.binary_search_by_key(sha1, |(sha1, _)| *sha1).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "da/da39a3ee5e6b4b0d3255bfef95601890afd80709";

    #[test]
    fn paths_round_trip_as_names() {
        assert!(matches!(FileName::new(SHA1), FileName::Sha1(_)));
        let others = [
            "",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "db/da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "DA/DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
            "da/da39a3ee5e6b4b0d3255bfef95601890afd8070",
            "da/da39a3ee5e6b4b0d3255bfef95601890afd8070g",
            "da/da39a3ee5e6b4b0d3255bfef95601890afd80709/x",
            "assets/ü",
        ];
        for path in others {
            assert!(matches!(FileName::new(path), FileName::Other(_)), "{path}");
            assert_eq!(FileName::new(path).to_string(), path);
        }
        assert_eq!(FileName::new(SHA1).to_string(), SHA1);
    }

    #[test]
    fn allowance_limits_names_and_bytes() {
        let sha1 = FileName::new(SHA1);
        let mut names = Allowance { names: 2, bytes: 0 };
        assert!(names.take(&sha1).is_ok() && names.take(&sha1).is_ok() && names.take(&sha1).is_err());
        let mut bytes = Allowance { names: 9, bytes: 3 };
        assert!(bytes.take(&FileName::new("ab")).is_ok() && bytes.take(&sha1).is_ok());
        assert!(bytes.take(&FileName::new("ab")).is_err());
    }

    #[test]
    fn last_value_of_name_counts() {
        let other = "00/0000000000000000000000000000000000000000";
        let entries = [(SHA1, 1), ("x", 2), (other, 3), (SHA1, 4), ("x", 5)];
        let mut names: FileNames<i32> = entries.into_iter().map(|(path, value)| (FileName::new(path), value)).collect();
        assert_eq!(names.len(), 3);
        *names.get_mut(&FileName::new("x")).unwrap() += 1;
        let all: Vec<_> = names.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        assert_eq!(all, [(other.to_owned(), 3), (SHA1.to_owned(), 4), ("x".to_owned(), 6)]);
        assert_eq!(names.get(&FileName::new("y")), None);
    }
}
