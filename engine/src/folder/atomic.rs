//! Files that appear under their name only when they are whole: every file that is written and then
//! renamed is written here.
//!
//! # What survives what
//! A file is written in four steps, each in the folder that it is to lie in, since a rename stays
//! within one file system:
//!
//! 1. **Write** a temporary file, for its owner alone. Whoever looks at the name finds what was
//! there before. 2. **Flush** its content. 3. **Rename** it. This is one step for everybody who
//! looks, and for a process that is killed: there is the former file or the new one, and never a
//! part of either. 4. **Flush** the folder.
//!
//! A loss of power is why there are steps 2 and 4. A file system may write a rename to the disk
//! before the content that it names: without step 2 the name could lead to an empty file. And it
//! may write the rename later than other folders' changes: without step 4 the former file could be
//! back although something was done that relied on the new one, such as the removal of what only
//! the former one names. So [`Durability::Flushed`] is for whatever others rely on, and
//! [`Durability::Unflushed`] only for what is checked at each use and can be made again, or is
//! worth nothing once the machine has started anew.
//!
//! A file system that has no such flush is tolerated, and noted for a warning.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::{flush, inherit, is_refused, restrict, sync, tolerate};

const MODE: u32 = 0o600;
/// What the temporary file of [`write_atomically`] ends in.
const NEW: &str = ".new";

/// What is left after a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once it is written, it stays written. Until then the former file stays.
    Flushed,
    /// The name may lead to nothing, to the former file, or to an empty one.
    Unflushed,
}

/// What becomes of a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is replaced.
    Replace,
    /// It stays, and the new one is not kept.
    Refuse,
}

/// A file in the making, which belongs to the owner of its folder and which only that user may
/// read. Dropped, nothing is left of it.
#[derive(Debug)]
pub struct Unnamed(NamedTempFile);

impl Unnamed {
    /// Begins a file in `folder`, which must be there. Until it is named it has a name that begins
    /// with `prefix` and that no other has.
    ///
    /// # Errors
    /// Those of the operating system
    pub fn begin(folder: &Path, prefix: &str) -> io::Result<Self> {
        Self::made(tempfile::Builder::new().prefix(prefix), folder)
    }

    fn made(builder: &mut tempfile::Builder<'_, '_>, folder: &Path) -> io::Result<Self> {
        let file = builder.permissions(Permissions::from_mode(MODE)).tempfile_in(folder)?;
        // The umask may have taken away from what was asked for.
        restrict(file.as_file(), file.path(), MODE)?;
        inherit(file.as_file(), folder)?;
        Ok(Self(file))
    }

    /// Returns the file, to be written.
    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Opens the file again, to be written by another.
    ///
    /// # Errors
    /// Those of the operating system
    pub fn reopen(&self) -> io::Result<File> {
        self.0.reopen()
    }

    /// Returns names the file, which must be in the folder of `path`, and returns it.
    ///
    /// # Errors
    /// Those of the operating system; [`io::ErrorKind::AlreadyExists`] where the name is taken and
    /// that is refused
    pub fn keep(self, path: &Path, taken: Taken, durability: Durability) -> io::Result<File> {
        if durability == Durability::Unflushed {
            return self.rename(path, taken);
        }
        self.flush(path)?;
        let file = self.rename(path, taken)?;
        sync(folder_of(path))?;
        Ok(file)
    }

    /// Returns the second step alone. Errors name `path`.
    pub(crate) fn flush(&self, path: &Path) -> io::Result<()> {
        flush(self.0.as_file(), path)
    }

    /// Returns the third step alone.
    pub(crate) fn rename(self, path: &Path, taken: Taken) -> io::Result<File> {
        match taken {
            Taken::Replace => Ok(self.0.persist(path)?),
            Taken::Refuse => rename_to_new(self.0, path),
        }
    }
}

/// Writes a whole file in place of what has its name, and returns it, open behind its end.
///
/// Only one process at a time may write a name: the temporary file is called as the file with
/// `.new` behind, and one that a kill left is replaced.
///
/// # Errors
/// Those of the operating system and of `write`. The former file is there then, unless only the
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

/// Gives a temporary file its name, if nothing has that.
fn rename_to_new(file: NamedTempFile, path: &Path) -> io::Result<File> {
    let refused = match file.persist_noclobber(path) {
        Ok(file) => return Ok(file),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => return Err(refused.error),
        Err(refused) => refused,
    };
    // Neither a rename that replaces nothing nor a hard link: all that is left is to look first.
    // Locks do not rely on it.
    let lacks_both = is_refused(&refused.error)
        && path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if !lacks_both {
        return Err(refused.error);
    }
    tolerate(path, "cannot create a file without replacing another: let one odoo-backup write there at a time");
    Ok(refused.file.persist(path)?)
}

/// Returns the folder of a file. The parent of a name alone is spelt "".
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
            // What a kill left is in nobody's way.
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
}
