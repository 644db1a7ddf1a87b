//! The record of what restores of a target created and have not yet removed. It is on disk before
//! they create it.
//!
//! A kill, a power failure or a lost server can come at any moment; the next run reads here what
//! may exist, and touches nothing else. The record lies next to the target's filestore. It names
//! databases and folders by their suffixes only, so it can only lead to names that belong to the
//! target and that a restore gives.

pub(in crate::restore) mod claim;
pub(in crate::restore) mod folders;
pub(in crate::restore) mod leftovers;
pub(in crate::restore) mod names;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::folders::FolderId;
use self::names::Suffix;
use super::RestoreError;
use crate::folder::{self, Durability, OpenFolder};

/// The format that this version writes. It reads no other.
const FORMAT: u32 = 1;

/// The record of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct Record {
    format: u32,
    /// The server's system identifier, or its address if that is unknown.
    pub(in crate::restore) server: String,
    /// The target's database, which the names of these databases derive from.
    pub(in crate::restore) database: String,
    /// The previous state, kept for undo.
    pub(in crate::restore) former: Option<Pair>,
    /// To be removed: what is being restored, until it is the target.
    pub(in crate::restore) scraps: Vec<Scrap>,
    /// The running swap.
    pub(in crate::restore) swap: Option<Swap>,
}

/// A database and a folder under names of their own. One of them may not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::restore) struct Pair {
    /// The suffix of their names.
    pub(in crate::restore) suffix: Suffix,
    /// The database.
    pub(in crate::restore) oid: Option<u32>,
    /// The folder.
    pub(in crate::restore) folder: Option<FolderId>,
}

/// Names of things to remove, which may or may not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::restore) struct Scrap {
    /// The suffix of the database's and the folder's names.
    pub(in crate::restore) suffix: Suffix,
    /// The folder for the part of the dump that is not table data.
    pub(in crate::restore) scratch: Option<PathBuf>,
}

impl From<&Pair> for Scrap {
    fn from(pair: &Pair) -> Self {
        Self { suffix: pair.suffix.clone(), scratch: None }
    }
}

/// Two pairs that swap names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::restore) struct Swap {
    /// The pair that gets the target's names.
    pub(in crate::restore) incoming: Pair,
    /// The pair that has them, and the suffix that it gets.
    pub(in crate::restore) outgoing: Pair,
}

impl Record {
    pub(in crate::restore) fn new(server: String, database: String) -> Self {
        Self { format: FORMAT, server, database, former: None, scraps: Vec::new(), swap: None }
    }

    /// Returns the path of a filestore's record.
    pub(in crate::restore) fn path_of(filestore: &Path) -> PathBuf {
        let mut name = std::ffi::OsString::from(".odoo-backup-");
        name.push(filestore.file_name().unwrap_or_default());
        name.push(".json");
        filestore.with_file_name(name)
    }

    /// Reads the record, if there is one.
    pub(in crate::restore) fn load(path: &Path) -> Result<Option<Self>, RestoreError> {
        let bad = |reason: String| RestoreError::BadRecord { path: path.to_owned(), reason, denied: false };
        let text = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| RestoreError::BadRecord {
                path: path.to_owned(),
                reason: error.to_string(),
                denied: error.kind() == io::ErrorKind::PermissionDenied,
            })?,
        };
        let record: Self = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        match record.format {
            FORMAT => Ok(Some(record)),
            other => Err(bad(format!("it has format {other}"))),
        }
    }

    /// Writes the record so that it survives a power failure, or removes it if it is empty.
    pub(in crate::restore) fn save(&self, path: &Path) -> Result<(), RestoreError> {
        let is_empty = *self == Self::new(self.server.clone(), self.database.clone());
        // There was no restore to this place yet.
        if is_empty && path.parent().is_some_and(|folder| !folder.exists()) {
            return Ok(());
        }
        let saved = if is_empty { remove(path) } else { self.write(path) };
        saved.map_err(|source| RestoreError::SaveRecord { path: path.to_owned(), source })
    }

    /// Returns the warning about a record of another server or database than the target's: nothing
    /// that it names is touched.
    pub(in crate::restore) fn forgotten(&self, path: &Path) -> String {
        let names = self.former.iter().map(|pair| &pair.suffix).chain(self.scraps.iter().map(|scrap| &scrap.suffix));
        let names: Vec<_> = names.map(|suffix| format!("…{}", suffix.as_str())).collect();
        format!(
            "{} records restores of the database {:?} on the server {}; remove what it names ({}) yourself",
            path.display(),
            self.database,
            self.server,
            names.join(", ")
        )
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        // The folder belongs to Odoo's user, who may replace an ancestor by a link.
        let folder = OpenFolder::open(path.parent().unwrap_or(path))?;
        let path = &folder.within(path.file_name().unwrap_or_default());
        // What it names is created and removed after it was written.
        folder::write_atomically(path, Durability::Flushed, |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })?;
        Ok(())
    }
}

/// Removes a record permanently.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        // The folder need not exist either.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| path.parent().map_or(Ok(()), folder::sync)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_record_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = Record::path_of(&folder.path().join("staging"));
        assert_eq!(path, folder.path().join(".odoo-backup-staging.json"));
        assert_eq!(Record::load(&path).unwrap(), None);
        let empty = Record::new("7".into(), "staging".into());
        let suffix = Suffix::restoring().unwrap();
        let record = Record { scraps: vec![Scrap { suffix, scratch: Some("/tmp/x".into()) }], ..empty.clone() };
        record.save(&path).unwrap();
        assert_eq!(Record::load(&path).unwrap(), Some(record));
        empty.save(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        empty.save(&path).unwrap();
        empty.save(&folder.path().join("not/there/yet")).unwrap();
    }

    #[test]
    fn record_names_only_restore_suffixes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let text = |suffix: &str| {
            format!(
                r#"{{"format": 1, "server": "7", "database": "staging", "former": null, "swap": null,
                     "scraps": [{{"suffix": "{suffix}", "scratch": null}}]}}"#
            )
        };
        fs::write(&path, text("_restoring_0123abcd")).unwrap();
        assert_eq!(Record::load(&path).unwrap().unwrap().scraps.len(), 1);
        for suffix in ["", "/../production", "_restoring_", "_before_2026", "_restoring_0123abcd/x", "_restoring_ÄÄÄÄ"]
        {
            fs::write(&path, text(suffix)).unwrap();
            assert!(matches!(Record::load(&path), Err(RestoreError::BadRecord { .. })), "{suffix}");
        }
        fs::write(&path, text("_restoring_0123abcd").replace("\"format\": 1", "\"format\": 2")).unwrap();
        assert!(Record::load(&path).unwrap_err().to_string().contains("format 2"));
    }
}
