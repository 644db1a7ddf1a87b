//! Handles file systems that lack an operation, such as exFAT, SMB shares and some FUSE file
//! systems. Records what was done without the operation.

use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::{file_system_of, sync};

/// The operations that were missing, in sentences, each once.
static TOLERATED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Records what the file system of `path` lacks: `cannot flush folders`.
pub(crate) fn tolerate(path: &Path, lacks: &str) {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let sentence = sentence(folder, lacks);
    let mut tolerated = TOLERATED.lock().unwrap_or_else(PoisonError::into_inner);
    // Recorded by file system, not by folder: a repository has thousands of folders.
    let known = tolerated.iter().any(|known| known.ends_with(lacks));
    if !known {
        tracing::warn!("{sentence}");
        tolerated.insert(sentence);
    }
}

fn sentence(folder: &Path, lacks: &str) -> String {
    let name = file_system_of(folder).unwrap_or_else(|| "unknown".into());
    format!("the file system of {} ({name}) {lacks}", folder.display())
}

/// Returns what was recorded since the last call, and clears it.
pub(crate) fn take_tolerated() -> Vec<String> {
    let tolerated = std::mem::take(&mut *TOLERATED.lock().unwrap_or_else(PoisonError::into_inner));
    tolerated.into_iter().collect()
}

/// Returns whether the error says that a file system has no such operation. Otherwise the operation
/// failed.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    let unsupported = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTTY, Errno::BADF, Errno::NOTSUP];
    error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error().is_some_and(|raw| unsupported.contains(&Errno::from_raw_os_error(raw)))
}

/// Returns whether the error says that a file system cannot do this to any file. Some report
/// `EPERM`, as for a missing privilege.
pub(crate) fn is_refused(error: &io::Error) -> bool {
    is_unsupported(error) || error.raw_os_error() == Some(Errno::PERM.raw_os_error())
}

/// Sets the permissions of a file or folder that this process just created, if its file system has
/// permissions.
///
/// # Errors
/// Those of the operating system
pub(crate) fn restrict(made: &File, path: &Path, mode: u32) -> io::Result<()> {
    let has_mode = |file: &File| file.metadata().map(|found| found.mode() & 0o7777 == mode);
    if has_mode(made)? {
        return Ok(());
    }
    match made.set_permissions(Permissions::from_mode(mode)) {
        Err(error) if !is_refused(&error) => return Err(error),
        _ => {}
    }
    if !has_mode(made)? {
        tolerate(path, "keeps no permissions: every user who may enter the folder may read its files");
    }
    Ok(())
}

/// Returns what the file system of a folder lacks, in sentences. Tries it with files that are
/// removed again.
///
/// # Errors
/// Those of the operating system if nothing can be tried
pub(crate) fn lacks(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut lacks = |what: &str| found.push(sentence(folder, what));
    let file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    let _ = file.as_file().set_permissions(Permissions::from_mode(0o600));
    if file.as_file().metadata()?.mode() & 0o077 != 0 {
        lacks("keeps no permissions: every user who may enter the folder may read its files");
    }
    let other = file.path().with_extension("other");
    match rustix::fs::renameat_with(CWD, file.path(), CWD, &other, RenameFlags::NOREPLACE) {
        Ok(()) => {
            let _ = std::fs::rename(&other, file.path());
        }
        Err(_) => match std::fs::hard_link(file.path(), &other) {
            Ok(()) => {
                let _ = std::fs::remove_file(&other);
            }
            Err(_) => {
                lacks("cannot create a file without replacing another: let one odoo-backup write there at a time")
            }
        },
    }
    let before = take_tolerated();
    sync(folder)?;
    let said = take_tolerated();
    let mut tolerated = TOLERATED.lock().unwrap_or_else(PoisonError::into_inner);
    tolerated.extend(before);
    drop(tolerated);
    found.extend(said);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentence_names_file_system() {
        let said = sentence(Path::new("/proc"), "keeps nothing");
        assert_eq!(said, "the file system of /proc (proc) keeps nothing");
    }

    #[test]
    fn ordinary_folder_lacks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(lacks(folder.path()).unwrap(), Vec::<String>::new());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn missing_operation_is_not_a_failure() {
        for errno in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP] {
            assert!(is_unsupported(&errno.into()), "{errno:?}");
        }
        for errno in [Errno::IO, Errno::NOSPC, Errno::ACCESS, Errno::STALE] {
            assert!(!is_refused(&errno.into()), "{errno:?}");
        }
    }
}
