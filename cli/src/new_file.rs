//! A file that appears under its name only when it is whole.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use engine::error::Error;
use engine::folder::{Durability, OpenFolder, Taken, Unnamed};

/// A new file in the making, with mode 0600. Dropped, nothing is left of it.
pub(crate) struct NewFile {
    path: PathBuf,
    file: Unnamed,
    /// Opened once: it may be another user's, who could put a link in its place meanwhile. Behind the file, which is removed by way of it.
    folder: OpenFolder,
}

impl NewFile {
    /// Begins a file, in the folder in which it is to be.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Io`]
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let failed = writing(path);
        let path = std::path::absolute(path).map_err(&failed)?;
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { what: path.display().to_string() });
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        let folder = OpenFolder::open(folder).map_err(&failed)?;
        let file = Unnamed::begin(&folder.within(OsStr::new(".")), ".odoo-backup-").map_err(&failed)?;
        Ok(Self { path, file, folder })
    }

    /// Where it is to be, as an absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What writes it.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub(crate) fn sink(&self) -> Result<Sink, Error> {
        let file = self.file.reopen().map_err(writing(&self.path))?;
        Ok(Sink { file, path: self.path.clone() })
    }

    /// Gives it its name, once it is on the disk. Returns its length in bytes.
    ///
    /// # Errors
    /// [`Error::Io`], also where the name was taken meanwhile
    pub(crate) fn keep(self) -> Result<u64, Error> {
        let Self { path, folder, file } = self;
        let keep = || {
            let to = folder.within(path.file_name().unwrap_or_default());
            Ok(file.keep(&to, Taken::Refuse, Durability::Flushed)?.metadata()?.len())
        };
        keep().map_err(writing(&path))
    }
}

fn writing(path: &Path) -> impl Fn(io::Error) -> Error {
    let action = format!("write {}", path.display());
    move |source| Error::Io { action: action.clone(), source }
}

/// Names the file in an error of writing it: it is met while something else is read.
pub(crate) struct Sink {
    file: File,
    path: PathBuf,
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf).map_err(|error| io::Error::other(writing(&self.path)(error)))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
