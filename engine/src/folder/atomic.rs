//! Writes files that appear under their name only when they are complete. Every file that is
//! written and then renamed is written here.
//!
//! # What survives what
//! A file is written in four steps. All happen in the folder of the file, because a rename stays
//! within one file system:
//!
//! 1. **Write** a temporary file that only its owner can read. The name still has the former
//!    content.
//! 2. **Flush** its content.
//! 3. **Rename** it. For every reader, and if the process is killed, this is one step: there is the
//!    former file or the new one, never a part of either.
//! 4. **Flush** the folder.
//!
//! Steps 2 and 4 are for a power loss. A file system may write a rename to the disk before the
//! content of the file: without step 2, the name could lead to an empty file. It may also write the
//! rename later than changes of other folders. Without step 4, the former file could return after
//! an action that relied on the new one, such as a removal. So use [`Durability::Flushed`] for what
//! others rely on. Use [`Durability::Unflushed`] only for what is checked at each use and can be
//! recreated, or is useless after the machine restarted.
//!
//! A file system without that flush is tolerated, and recorded for a warning.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::{flush, inherit, is_refused, restrict, sync, tolerate};

const MODE: u32 = 0o600;
/// The end of the name of [`write_atomically`]'s temporary file.
const NEW: &str = ".new";

/// What remains after a power loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The new file, once it is written. Until then, the former file.
    Flushed,
    /// Perhaps no file, the former file, or an empty one.
    Unflushed,
}

/// What happens to an existing file of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is replaced.
    Replace,
    /// It stays, and the new file is removed.
    Refuse,
}

/// A file in the making. It belongs to the owner of its folder, and only that user may read it.
/// Dropping it removes it.
#[derive(Debug)]
pub struct Unnamed(NamedTempFile);

impl Unnamed {
    /// Creates a file in `folder`, which must exist. Until it is named, it has a unique name that
    /// starts with `prefix`.
    ///
    /// # Errors
    /// Those of the operating system
    pub fn begin(folder: &Path, prefix: &str) -> io::Result<Self> {
        Self::made(tempfile::Builder::new().prefix(prefix), folder)
    }

    fn made(builder: &mut tempfile::Builder<'_, '_>, folder: &Path) -> io::Result<Self> {
        // `tempfile_in` hides the error of the system behind the path of the temporary file.
        let create = |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(path);
        let file = builder.make_in(folder, create)?;
        // The umask may have removed permissions.
        restrict(file.as_file(), file.path(), MODE)?;
        inherit(file.as_file(), folder)?;
        Ok(Self(file))
    }

    /// Returns the file for writing.
    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Opens the file again, for another writer.
    ///
    /// # Errors
    /// Those of the operating system
    pub fn reopen(&self) -> io::Result<File> {
        self.0.reopen()
    }

    /// Names the file, which must be in the folder of `path`, and returns it.
    ///
    /// # Errors
    /// Those of the operating system; [`io::ErrorKind::AlreadyExists`] if the name is taken and
    /// must not be replaced
    pub fn keep(self, path: &Path, taken: Taken, durability: Durability) -> io::Result<File> {
        if durability == Durability::Unflushed {
            return self.rename(path, taken);
        }
        self.flush(path)?;
        let file = self.rename(path, taken)?;
        sync(folder_of(path))?;
        Ok(file)
    }

    /// Flushes the content (step 2). Errors name `path`.
    pub(crate) fn flush(&self, path: &Path) -> io::Result<()> {
        flush(self.0.as_file(), path)
    }

    /// Renames the file (step 3).
    pub(crate) fn rename(self, path: &Path, taken: Taken) -> io::Result<File> {
        match taken {
            Taken::Replace => Ok(self.0.persist(path)?),
            Taken::Refuse => rename_to_new(self.0, path),
        }
    }
}

/// Writes a complete file under a name, replaces an existing one, and returns the file positioned
/// at its end.
///
/// Only one process at a time may write a name: the temporary file has the name with `.new`
/// appended, and replaces one that a killed process left.
///
/// # Errors
/// Those of the operating system and of `write`. The former file is then unchanged, unless only the
/// last flush failed.
pub fn write_atomically(
    path: &Path,
    durability: Durability,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<File> {
    let mut new: OsString = path.file_name().unwrap_or_default().to_owned();
    new.push(NEW);
    let folder = folder_of(path);
    match fs::remove_file(folder.join(&new)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let builder = &mut tempfile::Builder::new();
    let mut file = Unnamed::made(builder.prefix(OsStr::new(&new)).rand_bytes(0), folder)?;
    write(file.file())?;
    file.keep(path, Taken::Replace, durability)
}

/// Writes a complete file under a name that must be free. Any number of processes may try at once;
/// one of them succeeds.
///
/// # Errors
/// Those of the operating system and of `write`; [`io::ErrorKind::AlreadyExists`] if the name is
/// taken. An existing file is never changed.
pub fn write_new(
    path: &Path,
    durability: Durability,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<File> {
    // Links count as well: the name is not free, wherever they lead.
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut file = Unnamed::begin(folder_of(path), ".tmp-")?;
    write(file.file())?;
    file.keep(path, Taken::Refuse, durability)
}

/// Gives a temporary file its name, if that is free.
fn rename_to_new(file: NamedTempFile, path: &Path) -> io::Result<File> {
    let refused = match file.persist_noclobber(path) {
        Ok(file) => return Ok(file),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => return Err(refused.error),
        Err(refused) => refused,
    };
    // The file system has neither a rename that replaces nothing nor hard links. Only a check
    // before the rename is left. Locks do not rely on it.
    let lacks_both = is_refused(&refused.error)
        && path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if !lacks_both {
        return Err(refused.error);
    }
    tolerate(path, "cannot create a file without replacing another: let one odoo-backup write there at a time");
    Ok(refused.file.persist(path)?)
}

/// Returns the folder of a file. The parent of a bare name is "".
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn whole_file_replaces_former_privately() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        for (durability, content) in [(Durability::Flushed, "first"), (Durability::Unflushed, "second")] {
            // A file that a killed process left does not matter.
            fs::write(folder.path().join("state.json.new"), "half of what was").unwrap();
            let mut file = write_atomically(&path, durability, |file| file.write_all(content.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            file.write_all(b", and more").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{content}, and more"));
        }
        assert_eq!(names(folder.path()), ["state.json"]);
    }

    #[test]
    fn failed_write_leaves_former() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        fs::write(&path, "former").unwrap();
        let failed = write_atomically(&path, Durability::Flushed, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "former");
        assert_eq!(names(folder.path()), ["state.json"]);
    }

    #[test]
    fn failed_creation_returns_error_of_system() {
        let folder = tempfile::tempdir().unwrap();
        let failed = Unnamed::begin(&folder.path().join("missing"), ".tmp-").unwrap_err();
        assert_eq!(failed.raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()), "{failed}");
    }

    #[test]
    fn taken_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.zip");
        let begin = || Unnamed::begin(folder.path(), ".tmp-").unwrap();
        let (mut first, second) = (begin(), begin());
        first.file().write_all(b"first").unwrap();
        first.keep(&path, Taken::Refuse, Durability::Flushed).unwrap();
        let refused = second.keep(&path, Taken::Refuse, Durability::Flushed).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(names(folder.path()), ["export.zip"]);
    }

    #[test]
    fn new_file_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let [path, link] = ["signing.key", "link"].map(|name| folder.path().join(name));
        let write = |path: &Path| write_new(path, Durability::Flushed, |file| file.write_all(b"first"));
        write(&path).unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for taken in [&path, &link] {
            assert_eq!(write(taken).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
