//! Opens folders, below which everything is reached name by name and never through a symbolic link.
//!
//! Root works in folders that other users own in part. A link that one of them creates at any
//! moment would lead root to files of others. So a path is followed once, to an open folder, and
//! from there only names are used.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::is_root;

/// The kernel's own limit.
const MOST_LINKS: usize = 40;

/// A starting point for lookups, neither readable nor writable by itself.
const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// An open folder.
#[derive(Debug, Clone)]
pub struct OpenFolder {
    place: Arc<OwnedFd>,
    path: PathBuf,
    /// Whether a link directly in the folder that leads to a folder is followed for reading.
    follows_folders: bool,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryKind {
    File,
    Folder,
    Link,
    /// A device, a socket, a named pipe.
    Other,
}

/// What the system says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryStat {
    pub(crate) kind: EntryKind,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// When it was last modified, in seconds since 1970.
    pub(crate) mtime: u64,
    /// Device and inode.
    pub(crate) id: (u64, u64),
    /// User and group.
    pub(crate) owner: (u32, u32),
    pub(crate) mode: u32,
}

impl From<Stat> for EntryStat {
    fn from(stat: Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Folder,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        };
        Self {
            kind,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: u64::try_from(stat.st_mtime).unwrap_or(0),
            id: (stat.st_dev, stat.st_ino),
            owner: (stat.st_uid, stat.st_gid),
            mode: stat.st_mode,
        }
    }
}

impl OpenFolder {
    /// Opens a folder. Root follows a link only if root owns it, or if its owner also owns the
    /// folder that the path leads to.
    ///
    /// # Errors
    /// Those of the operating system, also if it is not a folder
    pub fn open(path: &Path) -> io::Result<Self> {
        let place = if is_root() {
            let root = rustix::fs::open("/", PLACE | OFlags::DIRECTORY, Mode::empty())?;
            follow(root, std::path::absolute(path)?.as_os_str(), Vec::new())?
        } else {
            rustix::fs::open(path, PLACE | OFlags::DIRECTORY, Mode::empty())?
        };
        Ok(Self { place: place.into(), path: path.to_owned(), follows_folders: false })
    }

    /// Returns the same folder, but reads through links directly in it that lead to folders. Some
    /// operators spread a filestore over disks that way.
    #[must_use]
    pub(crate) fn following_folders(self) -> Self {
        Self { follows_folders: true, ..self }
    }

    /// Returns the path under which it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a path that reaches a name in the folder while this exists, whatever happens to the
    /// folders above. It is for functions that accept only paths.
    #[must_use]
    pub fn within(&self, name: &OsStr) -> PathBuf {
        let opened = Path::new("/proc/self/fd").join(self.place.as_raw_fd().to_string());
        if opened.exists() { opened.join(name) } else { self.path.join(name) }
    }

    /// Returns what the system says of the folder itself.
    pub(crate) fn found(&self) -> io::Result<EntryStat> {
        Ok(rustix::fs::fstat(&*self.place)?.into())
    }

    /// Returns what the system says of a path below it, without following a link. Returns `None` if
    /// nothing exists there.
    ///
    /// # Errors
    /// Those of the operating system
    pub(crate) fn look(&self, path: &str) -> io::Result<Option<EntryStat>> {
        let looked = self.parent_of(path).and_then(|(folder, name)| {
            let folder = folder.as_ref().unwrap_or(&self.place);
            Ok(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
        });
        match looked {
            Ok(stat) => Ok(Some(stat.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a file for reading, without waiting for the other end of a named pipe.
    ///
    /// # Errors
    /// Those of the operating system
    pub(crate) fn read_file(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let (folder, name) = self.parent_of(path)?;
        Ok(rustix::fs::openat(folder.as_ref().unwrap_or(&self.place), name, flags, Mode::empty())?.into())
    }

    /// Creates a new file that only its owner can read.
    ///
    /// # Errors
    /// Those of the operating system
    pub(crate) fn create_file(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (folder, name) = self.parent_of(path)?;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(rustix::fs::openat(folder.as_ref().unwrap_or(&self.place), name, flags, mode)?.into())
    }

    /// Creates a folder that only its owner can enter, and opens it. Returns `None` if it exists.
    ///
    /// # Errors
    /// Those of the operating system, also if something other than a folder has the name
    pub(crate) fn create_folder(&self, path: &str) -> io::Result<Option<File>> {
        let (folder, name) = self.parent_of(path)?;
        let folder = folder.as_ref().unwrap_or(&self.place);
        match rustix::fs::mkdirat(folder, name, Mode::RWXU) {
            Ok(()) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                Ok(Some(rustix::fs::openat(folder, name, flags, Mode::empty())?.into()))
            }
            Err(Errno::EXIST) => match self.look(path)? {
                Some(found) if found.kind == EntryKind::Folder => Ok(None),
                _ => Err(Errno::EXIST.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the folder at this path below it.
    ///
    /// # Errors
    /// Those of the operating system, also if it is a link
    pub(crate) fn subfolder(&self, path: &str) -> io::Result<Self> {
        let place = self.descend(OsStr::new(path))?;
        let place = place.map_or_else(|| self.place.clone(), Arc::new);
        Ok(Self { place, path: self.path.join(path), follows_folders: false })
    }

    /// Lists the folder at this path below it, unsorted. The empty path is this folder itself.
    ///
    /// # Errors
    /// Those of the operating system
    pub(crate) fn list(&self, path: &str) -> io::Result<Vec<(OsString, EntryKind)>> {
        let folder = self.descend(OsStr::new(path))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(folder.as_ref().unwrap_or(&self.place), ".", flags, Mode::empty())?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::RegularFile => EntryKind::File,
                FileType::Directory => EntryKind::Folder,
                FileType::Symlink => EntryKind::Link,
                // Not every file system reports the kind in its lists.
                FileType::Unknown => match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => EntryStat::from(stat).kind,
                    Err(Errno::NOENT) => continue,
                    Err(error) => return Err(error.into()),
                },
                _ => EntryKind::Other,
            };
            entries.push((name.to_owned(), kind));
        }
        Ok(entries)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the operating system
    pub(crate) fn remove_file(&self, path: &str) -> io::Result<()> {
        let (folder, name) = self.parent_of(path)?;
        Ok(rustix::fs::unlinkat(folder.as_ref().unwrap_or(&self.place), name, AtFlags::empty())?)
    }

    /// Renames an entry directly in this folder.
    ///
    /// # Errors
    /// Those of the operating system
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr, flags: RenameFlags) -> rustix::io::Result<()> {
        if flags.is_empty() {
            return rustix::fs::renameat(&*self.place, from, &*self.place, to);
        }
        rustix::fs::renameat_with(&*self.place, from, &*self.place, to, flags)
    }

    /// Fails unless a link directly in the folder leads to a folder, and is followed.
    pub(crate) fn leads_to_folder(&self, name: &str) -> io::Result<()> {
        self.follow_link(OsStr::new(name)).map(drop)
    }

    /// Returns the folder in which a path ends, and its last name there. `None` means this folder.
    fn parent_of<'a>(&self, path: &'a str) -> io::Result<(Option<OwnedFd>, &'a str)> {
        match path.rsplit_once('/') {
            Some((folder, name)) => Ok((self.descend(OsStr::new(folder))?, name)),
            None => Ok((None, path)),
        }
    }

    /// Opens a folder below, name by name. `None` means this folder.
    fn descend(&self, path: &OsStr) -> io::Result<Option<OwnedFd>> {
        let mut here: Option<OwnedFd> = None;
        for part in Path::new(path).components() {
            let Component::Normal(name) = part else {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leads out of the folder"));
            };
            let opened = rustix::fs::openat(
                here.as_ref().unwrap_or(&self.place),
                name,
                PLACE | OFlags::DIRECTORY | OFlags::NOFOLLOW,
                Mode::empty(),
            );
            here = Some(match opened {
                Err(Errno::NOTDIR | Errno::LOOP) if here.is_none() && self.follows_folders => self.follow_link(name)?,
                other => other?,
            });
        }
        Ok(here)
    }

    /// Follows a link directly in this folder to another folder.
    fn follow_link(&self, name: &OsStr) -> io::Result<OwnedFd> {
        let link = rustix::fs::openat(&*self.place, name, PLACE | OFlags::NOFOLLOW, Mode::empty())?;
        let found = EntryStat::from(rustix::fs::fstat(&link)?);
        if found.kind != EntryKind::Link {
            return Err(Errno::NOTDIR.into());
        }
        let target = rustix::fs::readlinkat(&link, "", Vec::new())?;
        let start = rustix::fs::openat(&*self.place, ".", PLACE | OFlags::DIRECTORY, Mode::empty())?;
        let folder = follow(start, OsStr::from_bytes(target.as_bytes()), vec![found.owner.0])?;
        if EntryStat::from(rustix::fs::fstat(&folder)?).id == self.found()?.id {
            return Err(io::Error::other("it leads back to the folder that it is in"));
        }
        Ok(folder)
    }
}

/// Follows a path from `start` to a folder, link by link. `makers` own the links that were followed
/// before.
///
/// # Errors
/// As root, [`io::ErrorKind::PermissionDenied`] if a link's owner is neither root nor the owner of
/// the folder
fn follow(start: OwnedFd, path: &OsStr, mut makers: Vec<u32>) -> io::Result<OwnedFd> {
    let mut here = start;
    let mut rest = names(path);
    if Path::new(path).is_absolute() {
        here = rustix::fs::open("/", PLACE | OFlags::DIRECTORY, Mode::empty())?;
    }
    let mut links = 0;
    while let Some(name) = rest.pop() {
        let next = rustix::fs::openat(&here, &*name, PLACE | OFlags::NOFOLLOW, Mode::empty())?;
        let found = EntryStat::from(rustix::fs::fstat(&next)?);
        if found.kind != EntryKind::Link {
            here = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        makers.push(found.owner.0);
        let target = rustix::fs::readlinkat(&next, "", Vec::new())?;
        let target = OsStr::from_bytes(target.as_bytes());
        if Path::new(target).is_absolute() {
            here = rustix::fs::open("/", PLACE | OFlags::DIRECTORY, Mode::empty())?;
        }
        rest.extend(names(target));
    }
    let found = EntryStat::from(rustix::fs::fstat(&here)?);
    if found.kind != EntryKind::Folder {
        return Err(Errno::NOTDIR.into());
    }
    let stranger = makers.into_iter().find(|maker| *maker != 0 && *maker != found.owner.0);
    match stranger.filter(|_| is_root()) {
        Some(maker) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "root does not follow a symbolic link of {} to a folder of {}",
                super::user_name(maker),
                super::user_name(found.owner.0)
            ),
        )),
        None => Ok(here),
    }
}

/// Returns the names of a path, the last one first.
fn names(path: &OsStr) -> Vec<OsString> {
    let names = Path::new(path).components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut names: Vec<_> = names.collect();
    names.reverse();
    names
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> (tempfile::TempDir, OpenFolder) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("inside/ab")).unwrap();
        fs::create_dir(root.path().join("outside")).unwrap();
        fs::write(root.path().join("outside/secret"), "s").unwrap();
        let open = OpenFolder::open(&root.path().join("inside")).unwrap();
        (root, open)
    }

    #[test]
    fn links_below_are_never_followed() {
        let (root, open) = folder();
        symlink(root.path().join("outside"), root.path().join("inside/zz")).unwrap();
        symlink(root.path().join("outside/secret"), root.path().join("inside/ab/file")).unwrap();
        open.create_file("zz/new").unwrap_err();
        open.create_folder("zz/new").unwrap_err();
        open.create_folder("zz").unwrap_err();
        open.create_file("ab/file").unwrap_err();
        open.read_file("zz/secret").unwrap_err();
        open.read_file("ab/file").unwrap_err();
        open.remove_file("zz/secret").unwrap_err();
        open.list("zz").unwrap_err();
        open.subfolder("../outside").unwrap_err();
        assert_eq!(open.look("ab/file").unwrap().unwrap().kind, EntryKind::Link);
        assert_eq!(fs::read_dir(root.path().join("outside")).unwrap().count(), 1);
    }

    #[test]
    fn names_below_are_reached() {
        let (root, open) = folder();
        assert!(open.create_folder("ab").unwrap().is_none());
        assert!(open.create_folder("cd").unwrap().is_some());
        open.create_file("cd/file").unwrap().write_all(b"x").unwrap();
        assert_eq!(open.look("cd/file").unwrap().unwrap().size, 1);
        assert_eq!(open.look("cd/none").unwrap(), None);
        assert_eq!(open.list("cd").unwrap(), [("file".into(), EntryKind::File)]);
        open.remove_file("cd/file").unwrap();
        assert_eq!(fs::read_dir(root.path().join("inside/cd")).unwrap().count(), 0);
        // A folder that is renamed meanwhile is still the same folder.
        fs::rename(root.path().join("inside"), root.path().join("moved")).unwrap();
        open.create_file("cd/other").unwrap();
        assert!(root.path().join("moved/cd/other").exists());
    }

    #[test]
    fn folder_links_are_followed_on_request() {
        let (root, open) = folder();
        symlink("../outside", root.path().join("inside/zz")).unwrap();
        symlink(".", root.path().join("inside/yy")).unwrap();
        fs::create_dir(root.path().join("outside/deep")).unwrap();
        symlink("../deep", root.path().join("outside/deep/er")).unwrap();
        let open = open.following_folders();
        assert_eq!(open.list("zz").unwrap().len(), 2);
        open.read_file("zz/secret").unwrap();
        open.list("zz/deep/er").unwrap_err();
        open.list("yy").unwrap_err();
    }

    #[test]
    fn root_follows_no_strangers_link() {
        if !is_root() {
            eprintln!("only root can make another user's link");
            return;
        }
        let (root, _) = folder();
        let link = root.path().join("link");
        symlink("outside", &link).unwrap();
        OpenFolder::open(&link).unwrap();
        std::os::unix::fs::lchown(&link, Some(4321), Some(4321)).unwrap();
        let error = OpenFolder::open(&link).unwrap_err();
        assert_eq!(error.to_string(), "root does not follow a symbolic link of 4321 to a folder of root");
        std::os::unix::fs::chown(root.path().join("outside"), Some(4321), Some(4321)).unwrap();
        OpenFolder::open(&link).unwrap();
    }
}
