//! Describes failures to read or write a filestore.

use std::io;
use std::path::PathBuf;

use crate::folder;

/// A failure to read or write a filestore.
#[derive(Debug, thiserror::Error)]
pub enum FilestoreError {
    /// The operating system refused an operation.
    #[error("unable to {action} {}", path.display())]
    Io {
        /// The operation, such as `read` or `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Nothing says where the filestore is, and it was not found.
    #[error("it is not known where the filestore is: no `data_dir` is set, and none was found")]
    Unknown,
    /// A name that a filestore cannot have: some systems could not restore it, or it would leave
    /// the folder.
    #[error("{path:?} is not a name that a filestore can have: {reason}")]
    BadName {
        /// The name.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More than half of the files that the attachments name cannot be backed up, and no earlier
    /// backup has them.
    #[error("{lost} of the {named} files that the attachments name are neither in {} nor in an earlier backup{}", folder.display(), because(.why))]
    Lost {
        /// How many files the backup would lack, without those that the latest backup lacks
        /// already.
        lost: u64,
        /// How many files the attachments name, without those that the latest backup lacks already.
        named: u64,
        /// The filestore.
        folder: PathBuf,
        /// The reason, if a single one explains it.
        why: Option<String>,
        /// Whether the files exist but may not be read.
        denied: bool,
    },
    /// A folder in the filestore is not part of it.
    #[error("{} in the filestore is {what}", folder.display())]
    Contains {
        /// The folder.
        folder: PathBuf,
        /// `the repository`
        what: String,
    },
    /// An archive contains something other than plain files, the same name twice, or another number
    /// of files than its list.
    #[error("the archive is not a filestore's: {0}")]
    BadArchive(String),
}

impl FilestoreError {
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Returns what the operator can do, if that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown => "set `data_dir` in the section of the configuration, or in odoo.conf; `odoo-backup doctor` says where it was looked for".into(),
            Self::Io { action: "change the owner of", path, .. } => {
                let name = path.parent().and_then(folder::file_system_of).unwrap_or_else(|| "unknown".into());
                format!(
                    "mount the file system ({name}) with the user that Odoo runs as (`uid=`), or restore as that user: \
                     it cannot change the owner of files"
                )
            }
            Self::Io { source, path, .. } => match source.kind() {
                // This error is not the operating system's: root does not follow the link.
                io::ErrorKind::PermissionDenied if source.raw_os_error().is_none() => {
                    "give the link to root (`sudo chown -h root`), or write the real path into the configuration".into()
                }
                io::ErrorKind::PermissionDenied => "run odoo-backup as the user that Odoo runs as, or as root".into(),
                io::ErrorKind::NotFound => {
                    "check `data_dir` or `filestore` in the configuration, and `data_dir` in odoo.conf".into()
                }
                io::ErrorKind::AlreadyExists => "move it away first, or restore to another target".into(),
                _ => return folder::hint_of(source, path),
            },
            Self::Lost { denied: true, .. } => {
                "run odoo-backup as the user that Odoo runs as, or as root; `--accept-missing` backs up what can be read"
                    .into()
            }
            Self::Lost { .. } => {
                "check `data_dir` or `filestore` in the configuration, and `data_dir` in odoo.conf: the folder may be \
                 another database's, or its disk may not be mounted; if the files are lost, `--accept-missing` backs \
                 up what is there"
                    .into()
            }
            Self::Contains { .. } => "move it out of the filestore, and set its key in the configuration to the new place".into(),
            Self::BadName { .. } => "move it out of the filestore: Odoo did not make it".into(),
            Self::BadArchive(_) => return None,
        })
    }
}

fn because(why: &Option<String>) -> String {
    why.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
}

impl From<FilestoreError> for io::Error {
    /// Wraps the error, so that it passes through a stream and can be found as its source.
    fn from(error: FilestoreError) -> Self {
        io::Error::other(error)
    }
}
