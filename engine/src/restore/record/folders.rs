//! Folders that change their names, identified by their inodes.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, RenameFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::filestore::FilestoreError;
use crate::folder::{self, OpenFolder};
use crate::restore::RestoreError;

/// The identity of a folder: its inode. The device's number may differ after a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::restore) struct FolderId(u64);

impl FolderId {
    /// Returns what exists at a path, if anything.
    pub(in crate::restore) fn at(path: &Path) -> Result<Option<Self>, FilestoreError> {
        match path.symlink_metadata() {
            Ok(found) => Ok(Some(Self(found.ino()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("inspect", path, source)),
        }
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> FilestoreError {
    FilestoreError::Io { action, path: path.to_owned(), source }
}

/// Makes sure that the folder, if it exists, can be renamed within its parent.
pub(crate) fn check_movable(path: &Path) -> Result<(), RestoreError> {
    let refused = |reason| RestoreError::NotMovable { path: path.to_owned(), reason };
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(|source| failed("inspect", path, source))?,
    };
    if metadata.is_symlink() {
        return Err(refused("it is a symbolic link"));
    }
    if !metadata.is_dir() {
        return Err(refused("it is not a folder"));
    }
    let above = path.parent().unwrap_or(path);
    let above = above.metadata().map_err(|source| failed("inspect", above, source))?;
    let statx = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE);
    // A folder of the same file system can be mounted there, too.
    let is_mounted = statx.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    if is_mounted || above.dev() != metadata.dev() {
        return Err(refused("it is a mount point, or on another file system than its parent folder"));
    }
    Ok(())
}

/// A folder, and the path that it should have.
pub(in crate::restore) type Goal<'a> = (Option<FolderId>, &'a Path);

/// Gives both folders their paths, whichever of `paths` they have now, so that it survives a power
/// failure. All paths lie in the same folder, which is opened once: the owner of an ancestor could
/// replace it meanwhile. A folder that is in place stays; anything else in the way is an error.
pub(in crate::restore) fn arrange(goals: [Goal<'_>; 2], paths: [&Path; 3]) -> Result<(), FilestoreError> {
    let above = paths[0].parent().unwrap_or(Path::new("/"));
    let around = match OpenFolder::open(above) {
        // There is no filestore, and none should be.
        Err(error) if error.kind() == io::ErrorKind::NotFound && goals.iter().all(|(folder, _)| folder.is_none()) => {
            return Ok(());
        }
        opened => opened.map_err(|source| failed("open", above, source))?,
    };
    for (index, (folder, path)) in goals.iter().enumerate() {
        let Some(folder) = folder else { continue };
        let gone = || failed("find the folder that is to become", path, io::ErrorKind::NotFound.into());
        let from = find(&around, *folder, paths)?.ok_or_else(gone)?;
        let (other, way_out) = goals[1 - index];
        match id_in(&around, path)? {
            Some(there) if there == *folder => {}
            None => rename_to_new(&around, from, path)?,
            Some(there) if other == Some(there) => {
                // In one step, so that no other process can create a folder under a name that is
                // free in between.
                match around.rename(name(from), name(path), RenameFlags::EXCHANGE) {
                    // Network file systems do not support this.
                    Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                        rename_to_new(&around, path, way_out)?;
                        rename_to_new(&around, from, path)?;
                    }
                    done => done.map_err(|error| failed("rename the filestore", path, error.into()))?,
                }
            }
            Some(_) => return Err(failed("rename the filestore to", path, io::ErrorKind::AlreadyExists.into())),
        }
    }
    folder::sync(above).map_err(|source| failed("write", above, source))
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

fn find<'a>(around: &OpenFolder, folder: FolderId, paths: [&'a Path; 3]) -> Result<Option<&'a Path>, FilestoreError> {
    for path in paths {
        if id_in(around, path)? == Some(folder) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Returns what has the last name of a path in the open folder.
fn id_in(around: &OpenFolder, path: &Path) -> Result<Option<FolderId>, FilestoreError> {
    let found = name(path).to_str().map_or(Ok(None), |name| around.look(name));
    Ok(found.map_err(|source| failed("inspect", path, source))?.map(|found| FolderId(found.id.1)))
}

/// Renames a folder to a name that must be free. On file systems that cannot guarantee it, the name
/// is checked first.
fn rename_to_new(around: &OpenFolder, from: &Path, to: &Path) -> Result<(), FilestoreError> {
    let renamed = match around.rename(name(from), name(to), RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if id_in(around, to)?.is_none() => {
            around.rename(name(from), name(to), RenameFlags::empty())
        }
        other => other,
    };
    renamed.map_err(|error| failed("rename the filestore to", to, error.into()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Tries every state in which a kill can leave the folders while they swap names, or swap back.
    #[test]
    fn folders_reach_their_places_from_anywhere() {
        const NAMES: [&str; 3] = ["staging", "staging_restoring", "staging_before"];
        for (old_at, new_at) in [(Some(0), 1), (Some(2), 1), (Some(1), 0), (Some(2), 0), (None, 1), (None, 0)] {
            for forward in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let paths = NAMES.map(|name| folder.path().join(name));
                let make = |at: usize, content: &str| {
                    fs::create_dir(&paths[at]).unwrap();
                    fs::write(paths[at].join("what"), content).unwrap();
                    FolderId::at(&paths[at]).unwrap()
                };
                let (new, old) = (make(new_at, "new"), old_at.and_then(|at| make(at, "old")));
                let [target, incoming, outgoing] = [&*paths[0], &*paths[1], &*paths[2]];
                let goals = if forward { [(new, target), (old, outgoing)] } else { [(old, target), (new, incoming)] };
                for _again in 0..2 {
                    arrange(goals, [target, incoming, outgoing]).unwrap();
                    let is = |at: usize| fs::read_to_string(paths[at].join("what")).ok();
                    let expected = match (forward, old_at.is_some()) {
                        (true, true) => [Some("new"), None, Some("old")],
                        (true, false) => [Some("new"), None, None],
                        (false, true) => [Some("old"), Some("new"), None],
                        (false, false) => [None, Some("new"), None],
                    };
                    assert_eq!([is(0), is(1), is(2)].each_ref().map(Option::as_deref), expected, "{old_at:?} {new_at}");
                }
            }
        }
    }

    #[test]
    fn foreign_folder_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        paths.iter().take(2).for_each(|path| fs::create_dir(path).unwrap());
        let new = FolderId::at(&paths[1]).unwrap();
        let all = [&*paths[0], &*paths[1], &*paths[2]];
        let error = arrange([(new, &paths[0]), (None, &paths[2])], all).unwrap_err();
        assert!(
            matches!(error, FilestoreError::Io { ref source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
        );
        assert_eq!(FolderId::at(&paths[1]).unwrap(), new);
    }
}
