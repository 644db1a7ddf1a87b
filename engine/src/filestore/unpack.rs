//! A volume back into a folder of files.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::FilestoreError;
use crate::stream::{CHUNK, copy};

/// What was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// Number of files.
    pub files: u64,
    /// Their length in bytes, together.
    pub bytes: u64,
}

/// A new, empty folder that becomes a filestore.
///
/// Its files and folders, and those above it that are missing, get the owner and the permissions of the folder that they lie in, where this process may give them
/// away: a filestore restored by root must be Odoo's again.
#[derive(Debug, Clone)]
pub struct NewFilestore {
    root: PathBuf,
    like: Like,
    /// Held for as long as somebody may still write.
    _writer: TaskTrackerToken,
}

/// Whom new files belong to, and who may read them.
#[derive(Debug, Clone, Copy)]
struct Like {
    owner: Option<(u32, u32)>,
    folder_mode: u32,
}

impl NewFilestore {
    /// Creates the folder `root`, and those above it that are missing. `writers` tracks whoever may still write there.
    ///
    /// # Errors
    /// [`FilestoreError::Io`], also where it exists.
    pub fn create(root: &Path, writers: &TaskTracker) -> Result<Self, FilestoreError> {
        let filestore = Self { root: root.to_owned(), like: Like::above(root)?, _writer: writers.token() };
        filestore.like.create_folders(root.parent().unwrap_or(root))?;
        DirBuilder::new().mode(0o700).create(root).map_err(FilestoreError::io("create", root))?;
        filestore.like.give_folder(root)?;
        Ok(filestore)
    }

    /// One that is there and has no name yet.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn open(root: &Path, writers: &TaskTracker) -> Result<Self, FilestoreError> {
        Ok(Self { root: root.to_owned(), like: Like::above(root)?, _writer: writers.token() })
    }

    /// Creates only the folders above `root` that are missing.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn create_above(root: &Path) -> Result<(), FilestoreError> {
        Like::above(root)?.create_folders(root.parent().unwrap_or(root))
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes sure that everything unpacked survives a loss of power.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn sync(&self) -> Result<(), FilestoreError> {
        let folder = File::open(&self.root).map_err(FilestoreError::io("open", &self.root))?;
        rustix::fs::syncfs(&folder).map_err(io::Error::from).map_err(FilestoreError::io("write", &self.root))
    }

    /// Adds a file, whose path within the filestore was checked and is new, by way of `buffer`. Returns its length in bytes.
    ///
    /// # Errors
    /// [`FilestoreError::Io`], as an [`io::Error`]'s source; whatever `content` fails with.
    pub fn add(&self, path: &str, content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<u64> {
        let target = self.root.join(path);
        let mut file = self.create_file(&target)?;
        let written = copy(content, &mut Writing { file: &mut file, path: &target }, buffer)?;
        self.like.give(&file, &target, self.like.folder_mode & 0o666)?;
        Ok(written)
    }

    /// Adds a small file of this content. `false`: one of that name is there already.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn add_small(&self, path: &str, content: &[u8]) -> Result<bool, FilestoreError> {
        let target = self.root.join(path);
        if target.is_file() {
            return Ok(false);
        }
        let mut file = self.create_file(&target)?;
        file.write_all(content).map_err(FilestoreError::io("write", &target))?;
        self.like.give(&file, &target, self.like.folder_mode & 0o666)?;
        Ok(true)
    }

    fn create_file(&self, path: &Path) -> Result<File, FilestoreError> {
        let create = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), |folder| self.like.create_folders(folder))?;
                create()
            }
            other => other,
        };
        file.map_err(FilestoreError::io("create", path))
    }
}

impl Like {
    /// Like the lowest folder above `root` that is there.
    fn above(root: &Path) -> Result<Self, FilestoreError> {
        let above = root.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let metadata = fs::metadata(above).map_err(FilestoreError::io("look at", above))?;
        let is_root = rustix::process::geteuid().is_root();
        Ok(Self {
            owner: is_root.then_some((metadata.uid(), metadata.gid())),
            // Not a sticky or set-user-id bit, and always usable by its owner.
            folder_mode: metadata.mode() & 0o2777 | 0o700,
        })
    }

    fn create_folders(&self, path: &Path) -> Result<(), FilestoreError> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.create_folders(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => self.give_folder(path),
            // Another volume is being unpacked beside this one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            Err(error) => Err(FilestoreError::io("create", path)(error)),
        }
    }

    fn give_folder(&self, path: &Path) -> Result<(), FilestoreError> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::DIRECTORY;
        let folder = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
        self.give(&folder.map_err(FilestoreError::io("open", path))?, path, self.folder_mode)
    }

    /// Gives away what is open, not what is called so: whoever owns the folder could have put a link to another's file there.
    fn give(&self, file: &File, path: &Path, mode: u32) -> Result<(), FilestoreError> {
        if let Some((user, group)) = self.owner {
            std::os::unix::fs::fchown(file, Some(user), Some(group))
                .map_err(FilestoreError::io("change the owner of", path))?;
        }
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        file.set_permissions(permissions).map_err(FilestoreError::io("change the permissions of", path))
    }
}

/// Unpacks the wanted files of a volume's tar archive, and reads `archive` to its end, so that its own end has been verified when
/// this returns.
///
/// # Errors
/// [`FilestoreError`], as an [`io::Error`]'s source; whatever `archive` fails with.
pub fn unpack(
    archive: impl Read,
    into: &NewFilestore,
    task: &crate::progress::Task,
    wanted: impl Fn(&str) -> bool,
) -> io::Result<Unpacked> {
    let mut unpacked = Unpacked::default();
    let mut buffer = vec![0; CHUNK];
    read_files(archive, |path, _, content| {
        if !wanted(path) {
            copy(content, &mut io::sink(), &mut buffer)?;
            return Ok(());
        }
        let written = into.add(path, content, &mut buffer)?;
        task.advance(written);
        unpacked.files += 1;
        unpacked.bytes += written;
        Ok(())
    })?;
    Ok(unpacked)
}

/// Reads a volume's tar archive to its very end, and hands each file's checked path, its length in bytes and its content to `each`.
///
/// # Errors
/// [`FilestoreError::BadArchive`] and [`FilestoreError::BadName`] where it holds what no filestore holds.
pub fn read_files(
    mut archive: impl Read,
    mut each: impl FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut tar = tar::Archive::new(&mut archive);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let bytes = entry.path_bytes().into_owned();
        let name = String::from_utf8_lossy(&bytes);
        if !entry.header().entry_type().is_file() {
            let kind = entry.header().entry_type();
            return Err(FilestoreError::BadArchive(format!("{name:?} is no plain file but {kind:?}")).into());
        }
        let name = check_path(&bytes)?;
        let size = entry.size();
        let mut counted = Counted { inner: &mut entry, count: 0 };
        each(name, size, &mut counted)?;
        if counted.count != size {
            return Err(
                FilestoreError::BadArchive(format!("{name:?} ends after {} of {size} bytes", counted.count)).into()
            );
        }
    }
    // The archive ends before its stream does; only the stream's end says that the whole of it was right.
    io::copy(&mut archive, &mut io::sink())?;
    Ok(())
}

/// A path in a filestore is relative, plain and UTF-8: nothing that leaves the folder.
pub(crate) fn check_path(bytes: &[u8]) -> Result<&str, FilestoreError> {
    let bad = |reason| FilestoreError::BadName { path: OsStr::from_bytes(bytes).into(), reason };
    let name = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
    if name.is_empty() || name.contains('\0') {
        return Err(bad("it is empty or holds a zero byte"));
    }
    if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(bad("it leads out of the folder"));
    }
    Ok(name)
}

struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.count += read as u64;
        Ok(read)
    }
}

/// Names the file in an error of writing it, so that it is not taken for one of reading the archive.
struct Writing<'a> {
    file: &'a mut File,
    path: &'a Path,
}

impl io::Write for Writing<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.file.write(buf).map_err(FilestoreError::io("write", self.path))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
