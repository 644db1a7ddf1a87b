//! Why a lock cannot be had, or is held no more.

/// A lock that was refused or lost.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another does what excludes it.
    #[error("{holder}, last seen {age} seconds ago")]
    Held {
        /// Who does what to which instance.
        holder: String,
        /// Seconds since the holder last renewed its lock, by the store's clock.
        age: u64,
    },
    /// It was held and is no more.
    #[error("the lock of {instance} was lost: {reason}")]
    Lost {
        /// The instance.
        instance: String,
        /// What was seen.
        reason: String,
    },
    /// What was stored a moment ago is not listed, so others' claims may not be, either.
    #[error("unable to lock in {location}: its listing lacks an object that was just stored")]
    StaleListing {
        /// Where the repository is.
        location: String,
    },
}

impl LockError {
    /// Returns how an operator mends it.
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
