//! Unpacks volumes into a folder of files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use serde::Serialize;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use utoipa::ToSchema;

use super::FilestoreError;
use super::archive::read_members;
use crate::folder::{self, EntryKind, OpenFolder};
use crate::stream::{CHUNK, copy};

/// The files that were unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Unpacked {
    /// The number of files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// A new, empty folder that becomes a filestore.
///
/// Its files and folders, and missing parents, get the owner and the permissions of the folder
/// around them, if this process may change owners: a filestore that root restores must be Odoo's
/// again. It is Odoo's from the start, so no name in it can be trusted. Everything is created
/// relative to the open folder, and never through a link.
#[derive(Debug, Clone)]
pub struct NewFilestore {
    root: OpenFolder,
    like: Like,
    /// Kept while there may be a writer.
    _writer: TaskTrackerToken,
}

/// The owner and the permissions of new files.
#[derive(Debug, Clone, Copy)]
struct Like {
    owner: Option<(u32, u32)>,
    folder_mode: u32,
}

impl NewFilestore {
    /// Creates the folder `root` and its missing parents. `writers` tracks the tasks that may still
    /// write there.
    ///
    /// # Errors
    /// [`FilestoreError::Io`], also if it exists
    pub fn create(root: &Path, writers: &TaskTracker) -> Result<Self, FilestoreError> {
        let (above, like) = make_above(root)?;
        let name = root.file_name().and_then(OsStr::to_str).ok_or_else(|| no_name(root))?;
        let made = above.create_folder(name).map_err(FilestoreError::io("create", root))?;
        let made = made.ok_or_else(|| FilestoreError::io("create", root)(io::ErrorKind::AlreadyExists.into()))?;
        like.give(&made, root, like.folder_mode)?;
        let root = above.subfolder(name).map_err(FilestoreError::io("open", root))?;
        Ok(Self { root, like, _writer: writers.token() })
    }

    /// Opens a folder that exists under a temporary name.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn open(root: &Path, writers: &TaskTracker) -> Result<Self, FilestoreError> {
        let (above, like) = make_above(root)?;
        let name = root.file_name().and_then(OsStr::to_str).ok_or_else(|| no_name(root))?;
        let root = above.subfolder(name).map_err(FilestoreError::io("open", root))?;
        Ok(Self { root, like, _writer: writers.token() })
    }

    /// Creates the missing parents of `root`.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn create_above(root: &Path) -> Result<(), FilestoreError> {
        make_above(root).map(drop)
    }

    /// Returns the path of the folder.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns the open folder.
    pub(crate) fn folder(&self) -> &OpenFolder {
        &self.root
    }

    /// Flushes everything that was unpacked, so that it survives a power loss.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn sync(&self) -> Result<(), FilestoreError> {
        let folder = File::open(self.root()).map_err(FilestoreError::io("open", self.root()))?;
        match rustix::fs::syncfs(&folder).map_err(io::Error::from) {
            Err(error) if folder::is_unsupported(&error) => {
                folder::tolerate(
                    self.root(),
                    "cannot be flushed to the disk: a power loss may destroy what was restored",
                );
                Ok(())
            }
            other => other.map_err(FilestoreError::io("write", self.root())),
        }
    }

    /// Adds a file through `buffer`. Its path within the filestore must be checked and new. Returns
    /// its length in bytes.
    ///
    /// # Errors
    /// [`FilestoreError::Io`], as an [`io::Error`]'s source; those of `content`
    pub fn add(&self, path: &str, content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<u64> {
        let target = self.root().join(path);
        let mut file = self.create_file(path, &target)?;
        let written = copy(content, &mut Writing { file: &mut file, path: &target }, buffer)?;
        self.like.give(&file, &target, self.like.folder_mode & 0o666)?;
        Ok(written)
    }

    /// Adds a small file with this content. Returns `false` if a file of that name exists.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn add_small(&self, path: &str, content: &[u8]) -> Result<bool, FilestoreError> {
        let target = self.root().join(path);
        if matches!(self.root.look(path), Ok(Some(found)) if found.kind == EntryKind::File) {
            return Ok(false);
        }
        let mut file = self.create_file(path, &target)?;
        file.write_all(content).map_err(FilestoreError::io("write", &target))?;
        self.like.give(&file, &target, self.like.folder_mode & 0o666)?;
        Ok(true)
    }

    fn create_file(&self, path: &str, target: &Path) -> Result<File, FilestoreError> {
        let file = match self.root.create_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folders(path)?;
                self.root.create_file(path)
            }
            other => other,
        };
        file.map_err(FilestoreError::io("create", target))
    }

    /// Creates the folders of a file's path.
    fn create_folders(&self, path: &str) -> Result<(), FilestoreError> {
        for (end, _) in path.match_indices('/') {
            let (folder, target) = (&path[..end], self.root().join(&path[..end]));
            // Another volume may be unpacked in parallel.
            if let Some(made) = self.root.create_folder(folder).map_err(FilestoreError::io("create", &target))? {
                self.like.give(&made, &target, self.like.folder_mode)?;
            }
        }
        Ok(())
    }
}

fn no_name(root: &Path) -> FilestoreError {
    FilestoreError::BadName { path: root.to_owned(), reason: "a filestore's folder needs a name in UTF-8" }
}

/// Opens the parent of `root` after creating missing parents. Also returns the owner and
/// permissions for what is created there.
fn make_above(root: &Path) -> Result<(OpenFolder, Like), FilestoreError> {
    let parent = root.parent().unwrap_or(root);
    let existing = parent.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let mut folder = OpenFolder::open(existing).map_err(FilestoreError::io("open", existing))?;
    let like = Like::of(&folder).map_err(FilestoreError::io("inspect", existing))?;
    for name in parent.strip_prefix(existing).unwrap_or(Path::new("")) {
        let path = folder.path().join(name);
        let name = name.to_str().ok_or_else(|| no_name(&path))?;
        // Another restore may create it at the same time.
        if let Some(made) = folder.create_folder(name).map_err(FilestoreError::io("create", &path))? {
            like.give(&made, &path, like.folder_mode)?;
        }
        folder = folder.subfolder(name).map_err(FilestoreError::io("open", &path))?;
    }
    Ok((folder, like))
}

impl Like {
    fn of(folder: &OpenFolder) -> io::Result<Self> {
        let found = folder.found()?;
        Ok(Self {
            owner: folder::is_root().then_some(found.owner),
            // New folders get no sticky or set-user-id bit, and are always usable by their owner.
            folder_mode: found.mode & 0o2777 | 0o700,
        })
    }

    /// Changes the owner of the open file, not of the path: the owner of the folder could have
    /// replaced the path by a link to another user's file.
    fn give(&self, file: &File, path: &Path, mode: u32) -> Result<(), FilestoreError> {
        if let Some((user, group)) = self.owner {
            let found = file.metadata().map_err(FilestoreError::io("inspect", path))?;
            if (found.uid(), found.gid()) != (user, group) {
                std::os::unix::fs::fchown(file, Some(user), Some(group))
                    .map_err(FilestoreError::io("change the owner of", path))?;
            }
        }
        folder::restrict(file, path, mode).map_err(FilestoreError::io("change the permissions of", path))
    }
}

/// Unpacks the wanted files of a volume's tar archive. Reads `archive` to its end, so that it is
/// verified when this returns. `wanted` gets a file's path and its length in bytes before anything
/// of it is written.
///
/// # Errors
/// [`FilestoreError`], as an [`io::Error`]'s source; those of `archive` and `wanted`
pub fn unpack(
    archive: impl Read,
    into: &NewFilestore,
    task: &crate::progress::Task,
    wanted: impl Fn(&str, u64) -> io::Result<bool>,
) -> io::Result<Unpacked> {
    let mut unpacked = Unpacked::default();
    let mut buffer = vec![0; CHUNK];
    read_files(archive, |path, size, content| {
        if !wanted(path, size)? {
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

/// Reads a volume's tar archive to its end. Passes each file's checked path, its length in bytes
/// and its content to `each`.
///
/// # Errors
/// [`FilestoreError::BadArchive`] and [`FilestoreError::BadName`] if it contains what no filestore
/// contains
pub fn read_files(
    archive: impl Read,
    mut each: impl FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    read_members(archive, |member, content| each(&member.path, member.size, content))
}

/// The longest path that Linux accepts, in bytes.
pub(super) const LONGEST_PATH: usize = 4096;

/// Returns a path in a filestore as text, if it is relative, plain and UTF-8. Such a path cannot
/// leave the folder.
pub(crate) fn check_path(bytes: &[u8]) -> Result<&str, FilestoreError> {
    let bad = |reason| FilestoreError::BadName { path: OsStr::from_bytes(bytes).into(), reason };
    let name = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
    if name.len() > LONGEST_PATH {
        return Err(FilestoreError::BadName {
            path: name[..name.floor_char_boundary(100)].into(),
            reason: "it begins a path that is longer than 4096 bytes",
        });
    }
    if name.is_empty() || name.contains('\0') {
        return Err(bad("it is empty or contains a zero byte"));
    }
    if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(bad("it leads out of the folder"));
    }
    Ok(name)
}

/// Names the file in an error of writing it, so that it is not taken for an error of reading the
/// archive.
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
