//! New files that appear under their names only when they are complete.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use engine::error::Error;
use engine::folder::{Durability, OpenFolder, Taken, Unnamed};

/// Mode of a file that programs of other users read.
const READABLE: u32 = 0o644;

/// A new file with mode 0600 that has no name yet. Dropping it removes it.
pub(crate) struct NewFile {
    path: PathBuf,
    file: Unnamed,
    /// Opened once, because its owner could replace it by a link. Declared after `file`, whose
    /// removal needs it.
    folder: OpenFolder,
}

impl NewFile {
    /// Creates an unnamed file in the folder of `path`.
    ///
    /// # Errors
    /// [`Error::Exists`] if `path` exists, [`Error::Io`]
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let path = std::path::absolute(path).map_err(writing(path))?;
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { what: path.display().to_string() });
        }
        Self::begin(path)
    }

    fn begin(path: PathBuf) -> Result<Self, Error> {
        let begin = || {
            let folder = path.parent().unwrap_or(Path::new("/"));
            let folder = OpenFolder::open(folder).map_err(|source| named(source, folder))?;
            let file = Unnamed::begin(&folder.within(OsStr::new(".")), ".odoo-backup-")?;
            Ok((folder, file))
        };
        let (folder, file) = begin().map_err(writing(&path))?;
        Ok(Self { path, file, folder })
    }

    /// Returns the absolute path that [`Self::keep`] gives the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file for writing.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub(crate) fn sink(&self) -> Result<Sink, Error> {
        let file = self.file.reopen().map_err(writing(&self.path))?;
        Ok(Sink { file, path: self.path.clone() })
    }

    /// Flushes the file to disk and gives it its name. Returns its length in bytes.
    ///
    /// # Errors
    /// [`Error::Io`], also if a file of that name was created in the meantime
    pub(crate) fn keep(self) -> Result<u64, Error> {
        self.take_name(Taken::Refuse)
    }

    fn take_name(self, taken: Taken) -> Result<u64, Error> {
        let Self { path, folder, file } = self;
        let keep = || {
            let to = folder.within(path.file_name().unwrap_or_default());
            Ok(file.keep(&to, taken, Durability::Flushed)?.metadata()?.len())
        };
        keep().map_err(writing(&path))
    }
}

/// Writes a file for other programs: every user may read it. Replaces an existing one in one step.
///
/// # Errors
/// [`Error::Io`]. An existing file is then unchanged.
pub(crate) fn publish(path: &Path, text: &str) -> Result<(), Error> {
    let path = std::path::absolute(path).map_err(writing(path))?;
    let mut new = NewFile::begin(path)?;
    let file = new.file.file();
    let written = file.write_all(text.as_bytes()).and_then(|()| file.set_permissions(Permissions::from_mode(READABLE)));
    written.map_err(writing(&new.path))?;
    new.take_name(Taken::Replace).map(drop)
}

/// Names the folder in the error of opening it.
fn named(source: io::Error, folder: &Path) -> io::Error {
    let why = match source.kind() {
        io::ErrorKind::NotFound => "does not exist",
        io::ErrorKind::NotADirectory => "is not a folder",
        _ => return source,
    };
    io::Error::new(source.kind(), format!("the folder {} {why}", folder.display()))
}

fn writing(path: &Path) -> impl Fn(io::Error) -> Error {
    let action = format!("write {}", path.display());
    move |source| Error::Io { action: action.clone(), source }
}

/// A writer whose errors name the file, because they surface while something else is read.
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
