//! What a signature says: yes, no, or could not tell.

use std::fmt;

use jiff::Timestamp;

use super::Namespace;

/// Whether a document is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A configured signer made it.
    Trusted(SignedBy),
    /// No configured signer made it, or not for this.
    Untrusted(Distrust),
    /// Whether a configured signer made it is not known.
    Unknown(Doubt),
}

impl Verdict {
    /// Returns who signed a trusted document.
    pub fn trusted(&self) -> Option<&SignedBy> {
        match self {
            Self::Trusted(by) => Some(by),
            Self::Untrusted(_) | Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted(by) => write!(f, "trusted: {by}"),
            Self::Untrusted(why) => write!(f, "untrusted: {why}"),
            Self::Unknown(why) => write!(f, "could not tell: {why}"),
        }
    }
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The fingerprint of the key, as `ssh-keygen -l` shows it.
    pub key: String,
    /// The comment of its line in the signers file, printable. It may be empty.
    pub comment: String,
    /// The instances of that line.
    pub principals: String,
    /// The number of that line.
    pub line: usize,
}

impl fmt::Display for SignedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signed by the key {}", self.key)?;
        if !self.comment.is_empty() {
            write!(f, " ({})", self.comment)?;
        }
        Ok(())
    }
}

/// Why a document is not trusted. The text continues a sentence such as "the backup is untrusted:".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// There is no signature.
    #[error("it has no signature")]
    Unsigned,
    /// The signature is no signature of SSH: cut, damaged, or something else.
    #[error("its signature is damaged: {0}")]
    Malformed(String),
    /// The signature was made by another algorithm than Ed25519 with SHA-2.
    #[error("its signature was not made by an ssh-ed25519 key")]
    OtherAlgorithm,
    /// The signature was made for another purpose.
    #[error("its signature is for {found:?} and not for {expected}")]
    OtherNamespace {
        /// What it is for.
        found: String,
        /// What it must be for.
        expected: Namespace,
    },
    /// The signature was made over other bytes, such as another backup's manifest.
    #[error(
        "its signature by the key {key} is for other bytes: it was changed, or the signature is another document's"
    )]
    OtherBytes {
        /// The key that the signature names. It need not be a configured one.
        key: String,
    },
    /// The signers file does not name the key.
    #[error("it was signed by the key {key}, which the signers file does not name")]
    UnknownKey {
        /// The fingerprint.
        key: String,
    },
    /// The key may sign other instances alone.
    #[error("it was signed by the key {key}, which signs {principals} and not {instance}")]
    OtherInstance {
        /// The fingerprint.
        key: String,
        /// The instances of its lines.
        principals: String,
        /// The instance that it must sign.
        instance: String,
    },
    /// The key may not sign for this purpose.
    #[error("it was signed by the key {key}, which signs {namespaces} and not {expected}")]
    NotFor {
        /// The fingerprint.
        key: String,
        /// What it may sign for.
        namespaces: String,
        /// What it must sign for.
        expected: Namespace,
    },
    /// The backup is older than the validity of the key.
    #[error("it was signed by the key {key}, which is valid from {after} on, and the backup is of {at}")]
    NotYetValid {
        /// The fingerprint.
        key: String,
        /// `valid-after`
        after: Timestamp,
        /// The time of the backup.
        at: Timestamp,
    },
    /// The key had expired or was revoked when the backup was made.
    #[error("it was signed by the key {key}, which was valid until {before}, and the backup is of {at}")]
    Expired {
        /// The fingerprint.
        key: String,
        /// `valid-before`
        before: Timestamp,
        /// The time of the backup.
        at: Timestamp,
    },
}

impl Distrust {
    /// Returns how much of what a signer needs was there. Of several lines with one key, the
    /// reason of the one that comes nearest is reported.
    pub(super) fn nearness(&self) -> u8 {
        match self {
            Self::OtherInstance { .. } => 1,
            Self::NotFor { .. } => 2,
            Self::NotYetValid { .. } | Self::Expired { .. } => 3,
            _ => 0,
        }
    }

    /// Returns what the operator can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Unsigned => {
                "use a backup that is signed; if you know that this one is yours, accept it alone with \
                 `--accept-unsigned ID`"
            }
            Self::Malformed(_) | Self::OtherBytes { .. } => {
                "use another backup or another copy of this one; a person or a program other than odoo-backup may have \
                 changed the repository"
            }
            Self::UnknownKey { .. } => {
                "compare the fingerprint with that of the host that made the backup (`ssh-keygen -lf FILE`); if they \
                 are the same, add the key to the signers file"
            }
            Self::OtherInstance { .. } => {
                "if the key may sign this instance, add the instance to its line in the signers file"
            }
            Self::OtherAlgorithm | Self::OtherNamespace { .. } | Self::NotFor { .. } => {
                "use a backup that odoo-backup signed with a key of the signers file"
            }
            Self::NotYetValid { .. } | Self::Expired { .. } => {
                "use a backup of the time in which the key was valid; if the time in the signers file is wrong, correct it"
            }
        }
        .to_owned()
    }
}

/// Why it is not known whether a document is trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The validity of the key is limited, and the time of the backup is not known.
    #[error("the key {key} was valid for some time, and the backup's id is no time")]
    NoTime {
        /// The fingerprint.
        key: String,
    },
    /// The signature is in a later version of the format.
    #[error("its signature is in version {0} of the format, and this program reads version 1")]
    NewerSignature(u32),
    /// The signature or the signers file could not be read.
    #[error("{0}")]
    Unreadable(String),
}

impl Doubt {
    /// Returns what the operator can do, if that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoTime { .. } | Self::Unreadable(_) => None,
            Self::NewerSignature(_) => {
                Some("use the version of odoo-backup that made the backup, or a later one".into())
            }
        }
    }
}
