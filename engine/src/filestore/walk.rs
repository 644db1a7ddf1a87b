//! Lists the files of a filestore in batches, without keeping the whole list in memory.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::FilestoreError;
use super::ledger::{Decision, Ledger};
use crate::folder::{EntryKind, EntryStat, OpenFolder};

/// A file of a filestore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileEntry {
    /// Its path within the filestore, separated by `/`: `ab/abcdef…`.
    pub path: String,
    /// Its length in bytes when it was seen.
    pub size: u64,
    /// Whether its content must be compared with its name before it may replace an earlier version.
    pub verify: bool,
}

/// The most bytes in one batch, unless a single file is larger. A batch becomes one zstd frame.
pub(super) const BATCH_BYTES: u64 = 4 * 1024 * 1024;
pub(super) const BATCH_FILES: usize = 2048;

/// Odoo's list of files that its collector will check. It is not data.
const SPOOL: &str = "checklist";

/// The files of a filestore, folder by folder and sorted by name, a batch at a time.
#[derive(Debug)]
pub(crate) struct Batches {
    path: PathBuf,
    /// Opened when the walk starts.
    root: Option<OpenFolder>,
    /// Folders inside the filestore that do not belong to it, by device and inode, with a name for
    /// each.
    foreign: Vec<((u64, u64), String)>,
    /// Folders still to be read, as paths within the root. The last one comes first.
    folders: Vec<String>,
    /// Files of folders that were read.
    files: VecDeque<FileEntry>,
    /// Decides which of them must be read, and records the results.
    pub ledger: Ledger,
}

impl Batches {
    /// Returns the walk over the files under `root` that the ledger wants.
    pub(crate) fn new(root: &Path, ledger: Ledger) -> Self {
        Self {
            path: root.to_owned(),
            root: None,
            foreign: Vec::new(),
            folders: Vec::new(),
            files: VecDeque::new(),
            ledger,
        }
    }

    /// Makes the walk fail if it meets one of these folders: the repository itself, through
    /// whatever mount.
    #[must_use]
    pub(crate) fn without(mut self, foreign: &[(&Path, &str)]) -> Self {
        let id = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        self.foreign = foreign.iter().filter_map(|(path, what)| Some((id(path)?, (*what).to_owned()))).collect();
        self
    }

    /// Opens and reads the root folder. Must be called before the first batch.
    ///
    /// # Errors
    /// [`FilestoreError::Io`] if it cannot be read
    pub(crate) fn begin(&mut self) -> Result<(), FilestoreError> {
        let opened = OpenFolder::open(&self.path).map_err(FilestoreError::io("read", &self.path))?;
        self.root = Some(opened.following_folders());
        self.read_folder("")
    }

    /// Returns the open folder.
    ///
    /// # Errors
    /// [`FilestoreError::Io`] if the walk was not started
    pub(crate) fn root(&self) -> Result<&OpenFolder, FilestoreError> {
        let not_begun = || FilestoreError::io("read", &self.path)(std::io::ErrorKind::NotFound.into());
        self.root.as_ref().ok_or_else(not_begun)
    }

    /// Returns the next files, or `None` at the end.
    ///
    /// # Errors
    /// [`FilestoreError::Io`], [`FilestoreError::BadName`]
    pub(crate) fn next_batch(&mut self) -> Result<Option<Vec<FileEntry>>, FilestoreError> {
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

    /// Reads a folder. If it cannot be read, or contains what no filestore contains, this is
    /// recorded, and the other folders are still backed up.
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
        let path = if folder.is_empty() { self.path.clone() } else { self.path.join(folder) };
        let root = self.root()?;
        // The folder is opened once, because it contains hundreds of files.
        let opened = if folder.is_empty() { Ok(root.clone()) } else { root.subfolder(folder) };
        let (here, mut entries) = match opened.and_then(|here| Ok((here.clone(), here.list("")?))) {
            Ok(listed) => listed,
            // Odoo's collector removes no folders. Anything else that removes one has emptied it
            // first.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !folder.is_empty() => return Ok(()),
            Err(error) => return Err(FilestoreError::io("read", &path)(error)),
        };
        entries.sort();
        let mut folders = Vec::new();
        for (name, kind) in entries {
            let Some(name) = name.to_str() else {
                self.ledger.skipped(&format!("{folder}/{}", name.to_string_lossy()));
                continue;
            };
            if folder.is_empty() && name == SPOOL {
                continue;
            }
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            match kind {
                EntryKind::Folder => {
                    self.refuse_foreign(&here, name, &path)?;
                    folders.push(path);
                }
                EntryKind::File => match here.look(name) {
                    Ok(Some(found)) => self.see(path, found),
                    // The collector removed it after the folder was read.
                    Ok(None) => {}
                    Err(error) => self.ledger.unreadable(&path, &error),
                },
                EntryKind::Link if folder.is_empty() => match here.leads_to_folder(name) {
                    Ok(()) => folders.push(path),
                    Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => self.ledger.skipped(&path),
                    Err(error) => self.ledger.skipped(&format!("{path} (a symbolic link: {error})")),
                },
                EntryKind::Link | EntryKind::Other => self.ledger.skipped(&path),
            }
        }
        self.folders.extend(folders.into_iter().rev());
        Ok(())
    }

    /// Fails if a folder is one of those that do not belong to the filestore.
    fn refuse_foreign(&self, here: &OpenFolder, name: &str, path: &str) -> Result<(), FilestoreError> {
        if self.foreign.is_empty() {
            return Ok(());
        }
        let found = here.look(name).ok().flatten();
        match self.foreign.iter().find(|(id, _)| found.is_some_and(|found| found.id == *id)) {
            Some((_, what)) => Err(FilestoreError::Contains { folder: self.path.join(path), what: what.clone() }),
            None => Ok(()),
        }
    }

    fn see(&mut self, path: String, found: EntryStat) {
        let EntryStat { size, mtime, .. } = found;
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
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn walk_yields_each_file_once() {
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
    fn linked_two_letter_folder_is_read() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("file"), "x").unwrap();
        symlink(other.path(), root.path().join("ab")).unwrap();
        symlink(".", root.path().join("cd")).unwrap();
        symlink("/nowhere", root.path().join("ef")).unwrap();
        symlink(other.path().join("file"), root.path().join("gh")).unwrap();
        let mut batches = Batches::new(root.path(), Ledger::default());
        batches.begin().unwrap();
        let batch = batches.next_batch().unwrap().unwrap();
        assert_eq!(batch.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["ab/file"]);
        let skipped = batches.ledger.settle().skipped;
        assert_eq!(skipped.len(), 3, "{skipped:?}");
        assert_eq!(skipped[0], "cd (a symbolic link: it leads back to the folder that it is in)");
    }

    #[test]
    fn repository_within_filestore_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let repository = root.path().join("ab/backups");
        fs::create_dir_all(&repository).unwrap();
        let mut batches = Batches::new(root.path(), Ledger::default()).without(&[(&repository, "the repository")]);
        batches.begin().unwrap();
        let error = batches.next_batch().unwrap_err().to_string();
        assert!(error.ends_with("ab/backups in the filestore is the repository"), "{error}");
    }

    #[test]
    fn batch_is_bounded() {
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
    fn missing_folder_error_names_it() {
        let error = Batches::new(Path::new("/nowhere/filestore"), Ledger::default()).begin().unwrap_err();
        assert_eq!(error.to_string(), "unable to read /nowhere/filestore");
    }
}
