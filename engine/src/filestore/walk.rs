//! Which files a filestore has, in batches, without ever holding the list of all.

use std::collections::VecDeque;
use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::FilestoreError;
use super::ledger::{Decision, Ledger};

/// A file of a filestore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path within the filestore, with `/`: `ab/abcdef…`.
    pub path: String,
    /// Its length in bytes when it was seen.
    pub size: u64,
    /// Whether its content must be held against its name before it may take an earlier version's place.
    pub verify: bool,
}

/// How much one batch holds at most, unless a single file is larger. A batch becomes one zstd frame.
pub(super) const BATCH_BYTES: u64 = 4 * 1024 * 1024;
pub(super) const BATCH_FILES: usize = 2048;

/// Odoo's spool of files that its collector is to look at: not data.
const SPOOL: &str = "checklist";

/// The files of a filestore, folder by folder and by name, a batch at a time.
#[derive(Debug)]
pub struct Batches {
    root: PathBuf,
    /// Folders yet to be read, as paths within the root, last first.
    folders: Vec<String>,
    /// Files of folders that were read.
    files: VecDeque<FileEntry>,
    /// Says which of them need to be read, and is told what became of them.
    pub ledger: Ledger,
}

impl Batches {
    /// The files under `root` that the ledger wants.
    pub fn new(root: &Path, ledger: Ledger) -> Self {
        Self { root: root.to_owned(), folders: Vec::new(), files: VecDeque::new(), ledger }
    }

    /// Reads the root folder, which must come before the first batch.
    ///
    /// # Errors
    /// [`FilestoreError::Io`] where it cannot be read.
    pub fn begin(&mut self) -> Result<(), FilestoreError> {
        self.read_folder("")
    }

    /// Where it began.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The next files, or `None` at the end.
    ///
    /// # Errors
    /// [`FilestoreError::Io`], [`FilestoreError::BadName`]
    pub fn next_batch(&mut self) -> Result<Option<Vec<FileEntry>>, FilestoreError> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_FILES {
            let Some(file) = self.files.front() else {
                match self.folders.pop() {
                    Some(folder) => self.read_subfolder(&folder)?,
                    None => break,
                }
                continue;
            };
            if !batch.is_empty() && bytes + file.size > BATCH_BYTES {
                break;
            }
            bytes += file.size;
            batch.extend(self.files.pop_front());
        }
        Ok(if batch.is_empty() { None } else { Some(batch) })
    }

    /// A folder that cannot be read, or holds what no filestore can, is noted, and does not keep the others from being backed up.
    fn read_subfolder(&mut self, folder: &str) -> Result<(), FilestoreError> {
        match self.read_folder(folder) {
            Err(FilestoreError::Io { source, .. }) => {
                self.ledger.unreadable(folder, &source);
                Ok(())
            }
            other => other,
        }
    }

    fn read_folder(&mut self, folder: &str) -> Result<(), FilestoreError> {
        let path = if folder.is_empty() { self.root.clone() } else { self.root.join(folder) };
        let read = FilestoreError::io("read", &path);
        let mut entries = match fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<DirEntry>, _>>) {
            Ok(entries) => entries,
            // Odoo's collector removes no folders, but whoever does has emptied it first.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !folder.is_empty() => return Ok(()),
            Err(error) => return Err(read(error)),
        };
        entries.sort_by_cached_key(DirEntry::file_name);
        let mut folders = Vec::new();
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.ledger.skipped(&format!("{folder}/{}", name.to_string_lossy()));
                continue;
            };
            if folder.is_empty() && name == SPOOL {
                continue;
            }
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().map_err(FilestoreError::io("look at", entry.path()))?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                match entry.metadata() {
                    Ok(metadata) => self.see(path, &metadata),
                    // Collected since the folder was read.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => self.ledger.unreadable(&path, &error),
                }
            } else {
                self.ledger.skipped(&path);
            }
        }
        self.folders.extend(folders.into_iter().rev());
        Ok(())
    }

    fn see(&mut self, path: String, metadata: &Metadata) {
        let size = metadata.len();
        let mtime = u64::try_from(metadata.mtime()).unwrap_or(0);
        let verify = match self.ledger.see(&path, size, mtime) {
            Decision::Keep => return,
            Decision::Store => false,
            Decision::Verify => true,
        };
        self.files.push_back(FileEntry { path, size, verify });
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn yields_every_file_once_by_name_and_passes_over_what_is_no_data() {
        let root = tempfile::tempdir().unwrap();
        for path in ["b/2", "a/1", "a/10", "a/deep/er", "top", "checklist/a/1", "a/checklist"] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        symlink("/etc/passwd", root.path().join("a/link")).unwrap();
        fs::create_dir(root.path().join("empty")).unwrap();
        let mut batches = Batches::new(root.path(), Ledger::default());
        batches.begin().unwrap();
        let batch = batches.next_batch().unwrap().unwrap();
        let paths: Vec<_> = batch.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["top", "a/1", "a/10", "a/checklist", "a/deep/er", "b/2"]);
        assert_eq!(batches.next_batch().unwrap(), None);
        let settled = batches.ledger.settle();
        assert_eq!(settled.skipped, ["a/link"]);
        assert_eq!(settled.unreferenced.0, 6);
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_and_in_number_but_holds_any_one_file() {
        let root = tempfile::tempdir().unwrap();
        for (name, size) in [("a", 1), ("b", 3 * BATCH_BYTES), ("c", BATCH_BYTES), ("d", 1)] {
            fs::File::create(root.path().join(name)).unwrap().set_len(size).unwrap();
        }
        for i in 0..=BATCH_FILES {
            fs::write(root.path().join(format!("e{i:05}")), "").unwrap();
        }
        let mut batches = Batches::new(root.path(), Ledger::default());
        batches.begin().unwrap();
        let mut sizes = Vec::new();
        while let Some(batch) = batches.next_batch().unwrap() {
            sizes.push(batch.len());
        }
        assert_eq!(sizes, [1, 1, 1, BATCH_FILES, 2]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_it() {
        let error = Batches::new(Path::new("/nowhere/filestore"), Ledger::default()).begin().unwrap_err();
        assert_eq!(error.to_string(), "unable to read /nowhere/filestore");
    }
}
