//! What goes wrong with sealed objects.

use std::io;
use std::path::PathBuf;

use super::header::Kinds;
use crate::small_file::PrivateFileError;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// An identity file was not read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// An identity file contains something else.
    #[error("{} is not an identity file: {reason}", path.display())]
    NotIdentity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. No line of it is repeated.
        reason: String,
    },
    /// An identity is itself encrypted.
    #[error("the identity {} has a passphrase, which a program without a terminal cannot ask for", .0.display())]
    Passphrase(PathBuf),
    /// No key of an identity file fits.
    #[error("the identity {} does not open this: it is sealed to {sealed_to}, and none of them is its key", path.display())]
    WrongIdentity {
        /// The identity file.
        path: PathBuf,
        /// What it is sealed to.
        sealed_to: Kinds,
    },
    /// No key of the backup or of the host fits.
    #[error("it is sealed to {sealed_to}, and none of them is a key that the backup names or this host has")]
    UnknownKey {
        /// What it is sealed to.
        sealed_to: Kinds,
    },
    /// It is not sealed, or not by age.
    #[error("it is not sealed: it does not start as a file of age does")]
    NotSealed,
    /// It is sealed in a later format of age.
    #[error("it is sealed in a later format of age than this program reads (v1)")]
    NewerFormat,
    /// It is sealed with a passphrase.
    #[error("it is sealed with a passphrase and not to keys, so odoo-backup did not seal it")]
    SealedByPassphrase,
    /// Its header is not one of age.
    #[error("the header of the sealed object is damaged: {0}")]
    Header(&'static str),
    /// Its header or its content was changed, or belongs to another object.
    #[error("the sealed object was changed after it was sealed, or parts of it are another object's")]
    Altered,
    /// Its last part was changed or cut.
    #[error("the end of the sealed object is missing or was changed")]
    AlteredEnd,
    /// Its end is missing.
    #[error("the sealed object is cut: its end is missing")]
    Truncated,
    /// What was opened is larger than it can be.
    #[error("the sealed object has more than {0} bytes, the limit for what it is")]
    TooLong(u64),
    /// The key of a chain is not the one that its backups name.
    #[error("it contains the key {found}, and the backup names {expected}")]
    OtherKey {
        /// The public half that the manifest names.
        expected: String,
        /// The public half of what it contains.
        found: String,
    },
    /// It contains something other than the key of a chain.
    #[error("it does not contain the key of a chain of backups")]
    NoKey,
    /// Reading or writing failed.
    #[error("unable to read or write a sealed object")]
    Io(#[source] io::Error),
}

impl SealError {
    /// Returns whether the object was changed or is not what the backup says, as opposed to a
    /// missing key or trouble of this machine.
    pub fn is_of_object(&self) -> bool {
        match self {
            Self::File(_)
            | Self::NotIdentity { .. }
            | Self::Passphrase(_)
            | Self::WrongIdentity { .. }
            | Self::UnknownKey { .. }
            | Self::NewerFormat
            | Self::Io(_) => false,
            Self::NotSealed
            | Self::SealedByPassphrase
            | Self::Header(_)
            | Self::Altered
            | Self::AlteredEnd
            | Self::Truncated
            | Self::TooLong(_)
            | Self::OtherKey { .. }
            | Self::NoKey => true,
        }
    }

    /// Returns what the operator can do, if that is known.
    pub fn hint(&self) -> Option<String> {
        const DAMAGED: &str = "run `odoo-backup check --read-data` to see what is damaged; another repository or an \
                               earlier backup may have it intact";
        Some(match self {
            Self::File(error) => return error.hint(),
            Self::NotIdentity { .. } => {
                "give the file with the private key that `odoo-backup key new` or `age-keygen` wrote, or an ssh-ed25519 \
                 private key"
                    .into()
            }
            Self::Passphrase(path) => format!(
                "decrypt it into a file in memory for the time of the restore: `age -d {0} > /dev/shm/identity`, or for \
                 an SSH key a copy and `ssh-keygen -p -f COPY`; then remove that file",
                path.display()
            ),
            Self::WrongIdentity { .. } => {
                "use the identity of one of the `recipients` that were configured when the backup was made \
                 (`odoo-backup key show`)"
                    .into()
            }
            Self::UnknownKey { .. } => {
                "give an identity of the recipients with `--identity FILE`; if that is of no use, the object belongs to \
                 another backup: run `odoo-backup check --read-data`"
                    .into()
            }
            Self::NewerFormat => "use a later version of odoo-backup, or open it by hand with the program age".into(),
            Self::Io(_) => return None,
            _ => DAMAGED.into(),
        })
    }
}

impl From<SealError> for io::Error {
    /// Wraps the error, so that it passes through a stream and can be found as its source. An error
    /// of the stream itself is returned unchanged.
    fn from(error: SealError) -> Self {
        match error {
            SealError::Io(error) => error,
            SealError::File(_) | SealError::WrongIdentity { .. } | SealError::UnknownKey { .. } => {
                Self::new(io::ErrorKind::PermissionDenied, error)
            }
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
