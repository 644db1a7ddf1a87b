//! Files with a private key.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::open;

/// Anything larger is no key.
const LARGEST: usize = 64 * 1024;

/// Why a file with a private key was not read.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The operating system refused it, or it is no small regular file.
    #[error("unable to read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Other users can read it.
    #[error("the private key {} was not used, because other users can read it (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl PrivateFileError {
    /// Returns what the operator can do, if that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exposed { path, .. } => Some(format!(
                "run `chmod 600 {}`; if a person who must not have the key could read it, make a new one",
                path.display()
            )),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run as the owner of the file, or give it to the user that odoo-backup runs as".into())
            }
            Self::Io { .. } => None,
        }
    }
}

/// Reads a small file with a private key. The bytes are overwritten when they are dropped.
///
/// As for `ssh`, a group may read a file of another user: systemd and Kubernetes hand out
/// credentials as root's, with the group of the service. All users never may.
///
/// # Errors
/// [`PrivateFileError`]
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    let failed = |source| PrivateFileError::Io { path: path.to_owned(), source };
    let (file, metadata) = open(path).map_err(failed)?;
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    let forbidden = if is_own { 0o077 } else { 0o007 };
    if metadata.mode() & forbidden != 0 {
        return Err(PrivateFileError::Exposed { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    // A vector that grows would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + 1));
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > LARGEST {
        let reason = format!("it has more than {LARGEST} bytes, so it is no key");
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, reason)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    fn with_mode(folder: &Path, mode: u32) -> PathBuf {
        let path = folder.join(format!("{mode:o}"));
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn own_file_open_to_others_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o400, 0o700] {
            assert_eq!(**read_private(&with_mode(folder.path(), mode)).unwrap(), *b"secret", "{mode:o}");
        }
        for mode in [0o640, 0o604, 0o620, 0o644, 0o660] {
            let refused = read_private(&with_mode(folder.path(), mode)).unwrap_err();
            assert!(matches!(refused, PrivateFileError::Exposed { mode: found, .. } if found == mode), "{mode:o}");
            assert!(refused.hint().unwrap().contains("chmod 600"));
        }
    }

    #[test]
    fn group_may_read_foreign_file() {
        let folder = tempfile::tempdir().unwrap();
        let [by_group, by_all] = [0o440, 0o444].map(|mode| with_mode(folder.path(), mode));
        if chown(&by_group, Some(65_534), None).and_then(|()| chown(&by_all, Some(65_534), None)).is_err() {
            eprintln!("skipped: this test must run as root");
            return;
        }
        assert!(read_private(&by_group).is_ok());
        assert!(matches!(read_private(&by_all), Err(PrivateFileError::Exposed { .. })));
    }

    #[test]
    fn large_and_missing_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let large = with_mode(folder.path(), 0o600);
        fs::write(&large, vec![b'a'; LARGEST + 1]).unwrap();
        for path in [large, folder.path().join("missing"), folder.path().to_owned()] {
            assert!(matches!(read_private(&path), Err(PrivateFileError::Io { .. })), "{}", path.display());
        }
    }
}
