//! Lists the objects of a folder in S3's order, with one folder's names in memory per level.

use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;
use std::vec;

use jiff::Timestamp;

use super::{is_absent, present, write};
use crate::store::{Key, Object, StoreErrorKind, is_segment};

/// Objects under a prefix, ordered by key. A folder that may not be read yields an error, and the
/// other objects follow. Links, devices and names that are not a [`Key`] are skipped.
pub(super) struct Walk {
    root: PathBuf,
    start: Option<Option<Key>>,
    /// The remaining names of each folder from the root to the current one.
    levels: Vec<vec::IntoIter<String>>,
}

/// Why a walk ended, or skipped one folder.
pub(super) struct Stopped {
    /// The skipped folder. `None` if the walk ended.
    pub(super) folder: Option<Key>,
    pub(super) kind: StoreErrorKind,
}

impl From<StoreErrorKind> for Stopped {
    fn from(kind: StoreErrorKind) -> Self {
        Self { folder: None, kind }
    }
}

impl Walk {
    pub(super) fn new(root: PathBuf, prefix: Option<Key>) -> Self {
        Self { root, start: Some(prefix), levels: Vec::new() }
    }

    /// Starts in the prefix's folder.
    fn begin(&mut self, prefix: Option<Key>) -> Result<(), StoreErrorKind> {
        present(&self.root)?;
        let Some(prefix) = prefix else {
            return self.enter("");
        };
        let path = self.root.join(prefix.as_str());
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => self.enter(&format!("{prefix}/")),
            Ok(_) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(write::kind(&path, error)),
        }
    }

    /// Reads the folder of this name, which is empty or ends in a slash.
    fn enter(&mut self, folder: &str) -> Result<(), StoreErrorKind> {
        let path = self.root.join(folder);
        let failed = |error| write::kind(&path, error);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            // It was emptied and removed after its parent was read.
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_segment(name)) else {
                continue;
            };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => names.push(format!("{folder}{name}/")),
                Ok(kind) if kind.is_file() => names.push(format!("{folder}{name}")),
                Ok(_) => {}
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        // With its slash, a folder sorts as its keys do: `a-b` comes before `a/b`, although `a`
        // comes before `a-b`.
        names.sort_unstable();
        self.levels.push(names.into_iter());
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Object>, Stopped> {
        if let Some(prefix) = self.start.take() {
            self.begin(prefix)?;
        }
        while let Some(level) = self.levels.last_mut() {
            let Some(name) = level.next() else {
                self.levels.pop();
                continue;
            };
            if name.ends_with('/') {
                self.enter(&name)
                    .map_err(|kind| Stopped { folder: Key::new(name.trim_end_matches('/')).ok(), kind })?;
                continue;
            }
            let path = self.root.join(&name);
            let Ok(key) = Key::new(name) else { continue };
            match path.symlink_metadata() {
                Ok(metadata) => {
                    if let Some(object) = object(key, &metadata).map_err(StoreErrorKind::Io)? {
                        return Ok(Some(object));
                    }
                }
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(write::kind(&path, error).into()),
            }
        }
        Ok(None)
    }
}

impl Iterator for Walk {
    type Item = Result<Object, Stopped>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// Returns the object that `metadata` describes. Returns `None` if it is not a regular file.
pub(super) fn object(key: Key, metadata: &Metadata) -> io::Result<Option<Object>> {
    if !metadata.is_file() {
        return Ok(None);
    }
    let modified = Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?;
    Ok(Some(Object { key, size: metadata.len(), modified }))
}
