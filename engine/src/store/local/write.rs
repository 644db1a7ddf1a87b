//! Makes every change in the folder: temporary files, renames, and flushes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::clock::clock;
use super::consent::Consent;
use super::{is_absent, present};
use crate::folder::{self, Taken, Unnamed, sync};
use crate::store::{Mode, StoreErrorKind};

/// The start of temporary files' names, which [`sweep`] removes.
const TEMPORARY: &str = ".tmp-";
const FOLDER_MODE: u32 = 0o700;
/// How often concurrent deletes may remove a folder under a new file before that is an error.
const ATTEMPTS: usize = 100;

/// What the writing thread receives of a body.
pub(super) enum Piece {
    /// More bytes.
    Data(Bytes),
    /// The successful end. A channel that closes without it was abandoned.
    End,
}

/// Writes what arrives, and commits it as `path`. Returns its size. Leaves nothing if that fails.
pub(super) fn write(
    root: &Path,
    path: &Path,
    mode: Mode,
    pieces: mpsc::Receiver<Piece>,
    consent: &Consent,
) -> Result<u64, StoreErrorKind> {
    let folder = path.parent().unwrap_or(root);
    let written = write_file(root, folder, path, mode, pieces, consent);
    if written.is_err() {
        remove_empty(root, folder);
    }
    written
}

fn write_file(
    root: &Path,
    folder: &Path,
    path: &Path,
    mode: Mode,
    mut pieces: mpsc::Receiver<Piece>,
    consent: &Consent,
) -> Result<u64, StoreErrorKind> {
    // The rename below decides. This check only spares the producer's work.
    if mode.creates() && path.symlink_metadata().is_ok() {
        return Err(StoreErrorKind::AlreadyExists);
    }
    let failed = |error| kind(path, error);
    // This error is not shown: the body's own error counts, or the caller is gone. Dropping the
    // file removes it.
    let abandoned = || StoreErrorKind::Io(io::ErrorKind::Interrupted.into());
    let mut file = create_temporary(root, folder)?;
    let mut size = 0;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Data(data)) => {
                file.file().write_all(&data).map_err(failed)?;
                size += data.len() as u64;
            }
            Some(Piece::End) => break,
            None => return Err(abandoned()),
        }
    }
    file.flush(path).map_err(failed)?;
    let taken = if mode.creates() { Taken::Refuse } else { Taken::Replace };
    match consent.commit(|| file.rename(path, taken)).ok_or_else(abandoned)? {
        Ok(_) => {}
        Err(refused) if mode.creates() && refused.kind() == io::ErrorKind::AlreadyExists => {
            return Err(StoreErrorKind::AlreadyExists);
        }
        Err(refused) => return Err(kind(path, refused)),
    }
    // All folders are flushed, even those that existed: another call may have created one without
    // flushing it yet.
    for folder in folders(root, folder).into_iter().rev() {
        sync(&folder).map_err(|error| kind(&folder, error))?;
    }
    Ok(size)
}

/// Removes the file, and the folders that become empty.
pub(super) fn delete(root: &Path, path: &Path) -> Result<(), StoreErrorKind> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if is_absent(&error) => return present(root),
        // A folder of this name is not the object of this name.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Ok(()),
        Err(error) => return Err(kind(path, error)),
    }
    let last = remove_empty(root, path.parent().unwrap_or(root));
    // A prune deletes a manifest before the objects that it names. After a power loss the manifest
    // must not be the one that remains.
    match sync(&last) {
        Err(error) if !is_absent(&error) => Err(kind(&last, error)),
        _ => Ok(()),
    }
}

/// Removes `folder` and its parents, up to the first that is not empty or is the root. Returns that
/// one.
fn remove_empty(root: &Path, folder: &Path) -> PathBuf {
    let mut folders = folders(root, folder).into_iter().rev();
    folders.find(|folder| folder == root || fs::remove_dir(folder).is_err()).unwrap_or_else(|| root.to_owned())
}

/// Removes temporary files last written at least `older_than` ago. Returns their names.
pub(super) fn sweep(root: &Path, older_than: Duration) -> Result<Vec<String>, StoreErrorKind> {
    present(root)?;
    // The earlier clock counts: one that is ahead would make files that are being written look old.
    let now = clock(root).map_or_else(SystemTime::now, |now| SystemTime::from(now).min(SystemTime::now()));
    let mut removed = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(kind(&folder, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| kind(&folder, error))?;
            let path = entry.path();
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(kind(&path, error)),
            };
            if metadata.is_dir() {
                waiting.push(path);
                continue;
            }
            let temporary =
                metadata.is_file() && entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
            // A file dated in the future, by a clock that was wrong, counts as new.
            let age = metadata.modified().ok().and_then(|time| now.duration_since(time).ok());
            if temporary && age.is_some_and(|age| age >= older_than) {
                match fs::remove_file(&path) {
                    Err(error) if !is_absent(&error) => return Err(kind(&path, error)),
                    _ => removed.push(path.strip_prefix(root).unwrap_or(&path).display().to_string()),
                }
            }
        }
    }
    removed.sort();
    Ok(removed)
}

/// Creates `root` and its missing parents.
pub(super) fn create_root(root: &Path) -> io::Result<()> {
    let missing: Vec<_> = root.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        folder::make(folder, FOLDER_MODE)?;
        // The parent of a relative path's first segment is spelt "".
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// Returns a temporary file in `folder`, which is created if it is missing. Dropping the file
/// removes it.
fn create_temporary(root: &Path, folder: &Path) -> Result<Unnamed, StoreErrorKind> {
    let mut attempt = 0;
    loop {
        // The root itself is never created here: if its disk is not mounted, the backup must not go
        // to the disk below.
        present(root)?;
        attempt += 1;
        let mut missing = folders(root, folder).into_iter().skip(1);
        let made = missing.try_for_each(|folder| folder::make(&folder, FOLDER_MODE));
        match made.and_then(|()| Unnamed::begin(folder, TEMPORARY)) {
            Ok(file) => return Ok(file),
            // A concurrent delete found the folder empty. A file in it protects it from the next
            // delete.
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {}
            Err(error) => return Err(kind(folder, error)),
        }
    }
}

/// Returns the folders from `root` to `folder`, including both.
fn folders(root: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> =
        folder.ancestors().take_while(|ancestor| ancestor.starts_with(root)).map(Path::to_owned).collect();
    all.reverse();
    all
}

/// Returns the kind of an error of the operating system, by what the operator can do about it.
pub(super) fn kind(path: &Path, error: io::Error) -> StoreErrorKind {
    let text = || format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full(text()),
        io::ErrorKind::PermissionDenied => StoreErrorKind::Denied(text()),
        io::ErrorKind::ReadOnlyFilesystem => StoreErrorKind::ReadOnly(path.to_owned()),
        _ => StoreErrorKind::Io(error),
    }
}
