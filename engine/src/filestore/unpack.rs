//! A volume back into a folder of files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::FilestoreError;
use super::archive::read_members;
use crate::folder::{self, Kind, OpenFolder};
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
/// Its files and folders, and those above it that are missing, get the owner and the permissions of
/// the folder that they lie in, where this process may give them away: a filestore restored by root
/// must be Odoo's again. It is Odoo's from the beginning, so no name in it is trusted: what is made
/// there is reached from the open folder, and never through a link.
#[derive(Debug, Clone)]
pub struct NewFilestore {
    root: OpenFolder,
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
    /// Creates the folder `root`, and those above it that are missing. `writers` tracks whoever may
    /// still write there.
    ///
    /// # Errors
    /// [`FilestoreError::Io`], also where it exists.
    pub fn create(root: &Path, writers: &TaskTracker) -> Result<Self, FilestoreError> {
        let (above, like) = make_above(root)?;
        let name = root.file_name().and_then(OsStr::to_str).ok_or_else(|| no_name(root))?;
        let made = above.create_folder(name).map_err(FilestoreError::io("create", root))?;
        let made = made.ok_or_else(|| FilestoreError::io("create", root)(io::ErrorKind::AlreadyExists.into()))?;
        like.give(&made, root, like.folder_mode)?;
        let root = above.subfolder(name).map_err(FilestoreError::io("open", root))?;
        Ok(Self { root, like, _writer: writers.token() })
    }

    /// One that is there and has no name yet.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn open(root: &Path, writers: &TaskTracker) -> Result<Self, FilestoreError> {
        let (above, like) = make_above(root)?;
        let name = root.file_name().and_then(OsStr::to_str).ok_or_else(|| no_name(root))?;
        let root = above.subfolder(name).map_err(FilestoreError::io("open", root))?;
        Ok(Self { root, like, _writer: writers.token() })
    }

    /// Creates only the folders above `root` that are missing.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn create_above(root: &Path) -> Result<(), FilestoreError> {
        make_above(root).map(drop)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns the open folder.
    pub(crate) fn folder(&self) -> &OpenFolder {
        &self.root
    }

    /// Makes sure that everything unpacked survives a loss of power.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn sync(&self) -> Result<(), FilestoreError> {
        let folder = File::open(self.root()).map_err(FilestoreError::io("open", self.root()))?;
        match rustix::fs::syncfs(&folder).map_err(io::Error::from) {
            Err(error) if folder::is_unsupported(&error) => {
                folder::tolerate(
                    self.root(),
                    "cannot be flushed to the disk: a loss of power may take what was restored",
                );
                Ok(())
            }
            other => other.map_err(FilestoreError::io("write", self.root())),
        }
    }

    /// Adds a file, whose path within the filestore was checked and is new, by way of `buffer`.
    /// Returns its length in bytes.
    ///
    /// # Errors
    /// [`FilestoreError::Io`], as an [`io::Error`]'s source; whatever `content` fails with.
    pub fn add(&self, path: &str, content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<u64> {
        let target = self.root().join(path);
        let mut file = self.create_file(path, &target)?;
        let written = copy(content, &mut Writing { file: &mut file, path: &target }, buffer)?;
        self.like.give(&file, &target, self.like.folder_mode & 0o666)?;
        Ok(written)
    }

    /// Adds a small file of this content. `false`: one of that name is there already.
    ///
    /// # Errors
    /// [`FilestoreError::Io`]
    pub fn add_small(&self, path: &str, content: &[u8]) -> Result<bool, FilestoreError> {
        let target = self.root().join(path);
        if matches!(self.root.look(path), Ok(Some(found)) if found.kind == Kind::File) {
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

/// Opens the folder that `root` is to be in, after those that are missing were made, and what is
/// made there is to be like.
fn make_above(root: &Path) -> Result<(OpenFolder, Like), FilestoreError> {
    let parent = root.parent().unwrap_or(root);
    let existing = parent.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let mut folder = OpenFolder::open(existing).map_err(FilestoreError::io("open", existing))?;
    let like = Like::of(&folder).map_err(FilestoreError::io("inspect", existing))?;
    for name in parent.strip_prefix(existing).unwrap_or(Path::new("")) {
        let path = folder.path().join(name);
        let name = name.to_str().ok_or_else(|| no_name(&path))?;
        // Another restore may make it at the same time.
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
            // Not a sticky or set-user-id bit, and always usable by its owner.
            folder_mode: found.mode & 0o2777 | 0o700,
        })
    }

    /// Gives away what is open, not what is called so: whoever owns the folder could have put a
    /// link to another's file there.
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

/// Unpacks the wanted files of a volume's tar archive, and reads `archive` to its end, so that its
/// own end has been verified when this returns. `wanted` is asked by a file's path and its length
/// in bytes, before anything of it is written.
///
/// # Errors
/// [`FilestoreError`], as an [`io::Error`]'s source; whatever `archive` and `wanted` fail with.
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

/// Reads a volume's tar archive to its very end, and hands each file's checked path, its length in
/// bytes and its content to `each`.
///
/// # Errors
/// [`FilestoreError::BadArchive`] and [`FilestoreError::BadName`] where it holds what no filestore
/// holds.
pub fn read_files(
    archive: impl Read,
    mut each: impl FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    read_members(archive, |member, content| each(&member.path, member.size, content))
}

/// The longest path that Linux takes, in bytes.
pub(super) const LONGEST_PATH: usize = 4096;

/// Returns a path in a filestore is relative, plain and UTF-8: nothing that leaves the folder.
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

/// Names the file in an error of writing it, so that it is not taken for one of reading the
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
