//! Which files a filestore has, in batches, without ever holding the list of all.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::FilestoreError;
use super::ledger::{Decision, Ledger};
use crate::folder::{Found, Kind, OpenFolder};

/// A file of a filestore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileEntry {
    /// Its path within the filestore, with `/`: `ab/abcdef…`.
    pub path: String,
    /// Its length in bytes when it was seen.
    pub size: u64,
    /// Whether its content must be held against its name before it may take an earlier version's
    /// place.
    pub verify: bool,
}

/// How much one batch holds at most, unless a single file is larger. A batch becomes one zstd
/// frame.
pub(super) const BATCH_BYTES: u64 = 4 * 1024 * 1024;
pub(super) const BATCH_FILES: usize = 2048;

/// Odoo's spool of files that its collector is to look at: not data.
const SPOOL: &str = "checklist";

/// The files of a filestore, folder by folder and by name, a batch at a time.
#[derive(Debug)]
pub(crate) struct Batches {
    path: PathBuf,
    /// Opened when it begins.
    root: Option<OpenFolder>,
    /// Folders that are no part of it although they lie in it, by device and inode, with what each
    /// is.
    foreign: Vec<((u64, u64), String)>,
    /// Folders yet to be read, as paths within the root, last first.
    folders: Vec<String>,
    /// Files of folders that were read.
    files: VecDeque<FileEntry>,
    /// Says which of them need to be read, and is told what became of them.
    pub ledger: Ledger,
}

impl Batches {
    /// Returns the files under `root` that the ledger wants.
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

    /// Refuses to go on where it meets one of these folders: the repository itself, by whatever
    /// mount it got there.
    #[must_use]
    pub(crate) fn without(mut self, foreign: &[(&Path, &str)]) -> Self {
        let id = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        self.foreign = foreign.iter().filter_map(|(path, what)| Some((id(path)?, (*what).to_owned()))).collect();
        self
    }

    /// Opens and reads the root folder, which must come before the first batch.
    ///
    /// # Errors
    /// [`FilestoreError::Io`] where it cannot be read.
    pub(crate) fn begin(&mut self) -> Result<(), FilestoreError> {
        let opened = OpenFolder::open(&self.path).map_err(FilestoreError::io("read", &self.path))?;
        self.root = Some(opened.following_folders());
        self.read_folder("")
    }

    /// Returns the open folder.
    ///
    /// # Errors
    /// [`FilestoreError::Io`] where it was not begun.
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

    /// Returns a folder that cannot be read, or holds what no filestore can, is noted, and does not
    /// keep the others from being backed up.
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
        // Opened once: there are hundreds of files in a folder.
        let opened = if folder.is_empty() { Ok(root.clone()) } else { root.subfolder(folder) };
        let (here, mut entries) = match opened.and_then(|here| Ok((here.clone(), here.list("")?))) {
            Ok(listed) => listed,
            // Odoo's collector removes no folders, but whoever does has emptied it first.
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
                Kind::Folder => {
                    self.refuse_foreign(&here, name, &path)?;
                    folders.push(path);
                }
                Kind::File => match here.look(name) {
                    Ok(Some(found)) => self.see(path, found),
                    // Collected since the folder was read.
                    Ok(None) => {}
                    Err(error) => self.ledger.unreadable(&path, &error),
                },
                Kind::Link if folder.is_empty() => match here.leads_to_folder(name) {
                    Ok(()) => folders.push(path),
                    Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => self.ledger.skipped(&path),
                    Err(error) => self.ledger.skipped(&format!("{path} (a symbolic link: {error})")),
                },
                Kind::Link | Kind::Other => self.ledger.skipped(&path),
            }
        }
        self.folders.extend(folders.into_iter().rev());
        Ok(())
    }

    /// Fails where a folder is one of those that are no part of the filestore.
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

    fn see(&mut self, path: String, found: Found) {
        let Found { size, mtime, .. } = found;
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
    fn two_letter_folder_behind_link_is_read() {
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
