//! Everything that changes the folder: temporary files, renames, and what makes them last.

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

/// What temporary files begin with, and so what [`sweep`] removes.
const TEMPORARY: &str = ".tmp-";
const FOLDER_MODE: u32 = 0o700;
/// How often a folder may be removed under a new file by deletes at the same time before that
/// counts as an error.
const ATTEMPTS: usize = 100;

/// What a body becomes on its way to the writing thread.
pub(super) enum Piece {
    /// More of it.
    Data(Bytes),
    /// It ended well. A channel that closes without this was abandoned.
    End,
}

/// Writes what arrives and commits it as `path`; returns its size. Where that fails, nothing is
/// left.
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
    // The rename below decides; this spares the producer's work.
    if mode == Mode::CreateNew && path.symlink_metadata().is_ok() {
        return Err(StoreErrorKind::AlreadyExists);
    }
    let failed = |error| kind(path, error);
    // Nobody sees this answer: there the body's own error counts, or nobody waits. Dropping the
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
    let taken = if mode == Mode::Replace { Taken::Replace } else { Taken::Refuse };
    match consent.commit(|| file.rename(path, taken)).ok_or_else(abandoned)? {
        Ok(_) => {}
        Err(refused) if mode == Mode::CreateNew && refused.kind() == io::ErrorKind::AlreadyExists => {
            return Err(StoreErrorKind::AlreadyExists);
        }
        Err(refused) => return Err(kind(path, refused)),
    }
    // All of them, even where this call made none: another may have made one a moment ago and not
    // have flushed it yet.
    for folder in folders(root, folder).into_iter().rev() {
        sync(&folder).map_err(|error| kind(&folder, error))?;
    }
    Ok(size)
}

/// Removes the file, and the folders that it leaves empty.
pub(super) fn delete(root: &Path, path: &Path) -> Result<(), StoreErrorKind> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if is_absent(&error) => return present(root),
        // A folder by this name is not the object by this name.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Ok(()),
        Err(error) => return Err(kind(path, error)),
    }
    let last = remove_empty(root, path.parent().unwrap_or(root));
    // Prune deletes a manifest before what it names: after a loss of power the manifest must not be
    // the one that is still there.
    match sync(&last) {
        Err(error) if !is_absent(&error) => Err(kind(&last, error)),
        _ => Ok(()),
    }
}

/// Removes `folder` and those above it, up to the first that is not empty or is the root, and
/// returns that one.
fn remove_empty(root: &Path, folder: &Path) -> PathBuf {
    let mut folders = folders(root, folder).into_iter().rev();
    folders.find(|folder| folder == root || fs::remove_dir(folder).is_err()).unwrap_or_else(|| root.to_owned())
}

/// Removes temporary files that were last written `older_than` ago or before, and names them.
pub(super) fn sweep(root: &Path, older_than: Duration) -> Result<Vec<String>, StoreErrorKind> {
    present(root)?;
    // By the earlier clock: one that is ahead would make what is being written old.
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
            // A file from the future, by a clock that was wrong, counts as new.
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

/// Makes `root` and what is missing above it.
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

/// Returns a temporary file in `folder`, which is made where it is missing. It vanishes when it is
/// dropped.
fn create_temporary(root: &Path, folder: &Path) -> Result<Unnamed, StoreErrorKind> {
    let mut attempt = 0;
    loop {
        // The root itself is never made here: where a disk is not mounted, the backup must not go
        // to the one beneath.
        present(root)?;
        attempt += 1;
        let mut missing = folders(root, folder).into_iter().skip(1);
        let made = missing.try_for_each(|folder| folder::make(&folder, FOLDER_MODE));
        match made.and_then(|()| Unnamed::begin(folder, TEMPORARY)) {
            Ok(file) => return Ok(file),
            // A delete at the same time found the folder empty. A file in it keeps it from the
            // next.
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {}
            Err(error) => return Err(kind(folder, error)),
        }
    }
}

/// Returns the folders from `root` to `folder`, both included.
fn folders(root: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> =
        folder.ancestors().take_while(|ancestor| ancestor.starts_with(root)).map(Path::to_owned).collect();
    all.reverse();
    all
}

/// Returns what an operator would mend, from what the operating system says.
pub(super) fn kind(path: &Path, error: io::Error) -> StoreErrorKind {
    let text = || format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full(text()),
        io::ErrorKind::PermissionDenied => StoreErrorKind::Denied(text()),
        io::ErrorKind::ReadOnlyFilesystem => StoreErrorKind::ReadOnly(path.to_owned()),
        _ => StoreErrorKind::Io(error),
    }
}
