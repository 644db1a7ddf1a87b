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
    #[error("the listing of {location} lacks an object that was stored before: no lock can rest on it")]
    StaleListing {
        /// Where the repository is.
        location: String,
    },
}

impl LockError {
    /// How an operator mends it.
    pub fn hint(&self) -> String {
        match self {
            Self::Held { .. } => "try again when that is done; a lock whose owner died is free ten minutes after it \
                 was last seen; `odoo-backup unlock --list` shows all"
                .into(),
            Self::Lost { .. } => {
                "nothing was removed or made visible after that; see that the store can be reached, and try again"
                    .into()
            }
            Self::StaleListing { .. } => {
                "put the repository on a store whose listings are consistent, as S3 and local disks are".into()
            }
        }
    }
}
