//! Describes why a lock is refused or was lost.

/// A lock that was refused or lost.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process does something that excludes it.
    #[error("{holder}, last seen {age} seconds ago")]
    Held {
        /// Who does what to which instance.
        holder: String,
        /// Seconds since the holder last renewed its lock, by the store's clock.
        age: u64,
    },
    /// The lock was held and is lost.
    #[error("the lock of {instance} was lost: {reason}")]
    Lost {
        /// The instance.
        instance: String,
        /// How that was noticed.
        reason: String,
    },
    /// An object that was just stored is not listed, so the claims of other processes may be
    /// missing too.
    #[error("unable to lock in {location}: its listing lacks an object that was just stored")]
    StaleListing {
        /// Where the repository is.
        location: String,
    },
}

impl LockError {
    /// Returns what the operator can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Held { .. } => "try again when that is done; a lock whose owner is gone expires ten minutes after it \
                 was last seen (`odoo-backup unlock --list`)"
                .into(),
            Self::Lost { .. } => {
                "check that the repository can be reached, and try again; nothing was removed or made visible after that"
                    .into()
            }
            Self::StaleListing { .. } => {
                "use a store whose listings are consistent, such as S3 or a local disk".into()
            }
        }
    }
}
