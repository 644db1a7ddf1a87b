//! What can fail between here and a filestore's folder.

use std::io;
use std::path::PathBuf;

/// A failure to read or write a filestore.
#[derive(Debug, thiserror::Error)]
pub enum FilestoreError {
    /// The operating system refused.
    #[error("unable to {action} {}", path.display())]
    Io {
        /// `read`, `create`.
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that a filestore cannot have: it could not be restored everywhere, or would leave the folder.
    #[error("{path:?} is not a name that a filestore can have: {reason}")]
    BadName {
        /// The name.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An archive holds something other than plain files, twice the same name, or another number of files than its list.
    #[error("the archive is not one of a filestore: {0}")]
    BadArchive(String),
}

impl FilestoreError {
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// How an operator mends it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => "run odoo-backup as the user that Odoo runs as, or as root".into(),
                io::ErrorKind::NotFound => {
                    "check `data_dir` or `filestore` in the configuration, and `data_dir` in odoo.conf".into()
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free some space; nothing was left behind".into()
                }
                io::ErrorKind::AlreadyExists => "move it away first, or restore to another target".into(),
                _ => return None,
            },
            Self::BadName { .. } => "move it out of the filestore: Odoo did not make it".into(),
            Self::BadArchive(_) => return None,
        })
    }
}

impl From<FilestoreError> for io::Error {
    /// Travels through a stream and is found again in its error's source.
    fn from(error: FilestoreError) -> Self {
        io::Error::other(error)
    }
}
