//! What a verb fails with, and how any error is explained to the operator.

mod explain;
mod hook;
mod import;
mod refusals;
mod restore;

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::io;

pub use self::explain::{Explanation, explain, explain_with};
pub use self::hook::HookError;
pub use self::import::ImportError;
pub use self::refusals::{Obstacle, OtherDatabase};
pub use self::restore::RestoreError;

use crate::cause;
use crate::dump::DamagedVolume;
use crate::filestore::FilestoreError;
use crate::manifest::Verification;
use crate::odoo::{AnonymizeError, NeutralizeError};
use crate::postgres::PostgresError;
use crate::repository::{LockError, RepositoryError, says_damaged};
use crate::run::{Interrupted, Interruptible, Stalled};
use crate::store::StoreError;
use crate::stream::{Malformed, Mismatch};

/// The failure of a verb.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository, or what was looked up in it.
    #[error(transparent)]
    Repository(RepositoryError),
    /// The store under the repository.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A PostgreSQL server or one of its programs.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The filestore's folder.
    #[error(transparent)]
    Filestore(#[from] FilestoreError),
    /// A copy could not be neutralized.
    #[error("unable to neutralize the copy")]
    Neutralize(#[source] NeutralizeError),
    /// A copy could not be anonymized.
    #[error("unable to anonymize the copy")]
    Anonymize(#[source] AnonymizeError),
    /// A target that cannot be replaced or reverted.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A file that cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The operating system, during the named action.
    #[error("unable to {action}")]
    Io {
        /// The action and its object.
        action: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A verb as a whole.
    #[error("unable to {action}")]
    Verb {
        /// `back up production`
        action: String,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// The name is already in use.
    #[error("{what} already exists")]
    Exists {
        /// `the database "staging" at localhost:5432`
        what: String,
    },
    /// What was read differs from the manifest.
    #[error("{what}: expected {expected}, found {found}")]
    Differs {
        /// What was compared: `files of the filestore`.
        what: String,
        /// What the manifest says.
        expected: u64,
        /// What was found.
        found: u64,
    },
    /// A restored copy differs from the backup.
    #[error("the restored copy differs from the backup: {}", .0.failures())]
    NotAsBackedUp(Box<Verification>),
    /// A file that the backup does not contain.
    #[error("the backup {backup} contains no file {what:?}")]
    NoSuchFile {
        /// An attachment's id, or a path.
        what: String,
        /// The backup's name.
        backup: String,
    },
    /// A retention policy that cannot be followed.
    #[error(transparent)]
    Plan(retention::PlanError),
    /// A list of attachments where none exists.
    #[error("the backup {backup} has no list of attachments: its database is not an Odoo database")]
    NoAttachments {
        /// The backup's name.
        backup: String,
    },
    /// An operation that needs an Odoo database.
    #[error("the backup {backup} is not a backup of an Odoo database")]
    NotOdoo {
        /// The backup's name.
        backup: String,
    },
    /// A target that must not or cannot be replaced.
    #[error("the restore was refused; the target is unchanged")]
    Refused {
        /// All reasons.
        obstacles: Vec<Obstacle>,
    },
    /// Another database than that of the latest backup of the same name.
    #[error("{0}")]
    OtherDatabase(Box<OtherDatabase>),
    /// A hook of the operator failed.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// There was no progress any more.
    #[error("no progress for {seconds} seconds, so the run was stopped")]
    Stalled {
        /// How long.
        seconds: u64,
    },
    /// Stopped by the operator or the daemon.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Adds which verb failed, on what: `back up production`.
    pub fn during(self, action: impl Into<String>) -> Self {
        Self::Verb { action: action.into(), source: Box::new(self) }
    }

    /// Returns whether another process holds the lock, so that a later attempt can succeed.
    pub fn is_held_elsewhere(&self) -> bool {
        match self {
            Self::Repository(RepositoryError::Lock(error)) => matches!(error, LockError::Held { .. }),
            Self::Verb { source, .. } => source.is_held_elsewhere(),
            _ => false,
        }
    }

    /// Returns whether another process is using the instance or the target.
    pub fn is_locked(&self) -> bool {
        match self {
            Self::Restore(error) => matches!(error, RestoreError::UnderWay { .. }),
            Self::Verb { source, .. } => source.is_locked(),
            _ => self.is_held_elsewhere(),
        }
    }

    /// Returns whether there is no repository where the configuration says.
    pub fn is_no_repository(&self) -> bool {
        match self {
            Self::Repository(error) => error.is_no_repository(),
            Self::Store(error) => error.is_no_such_place(),
            Self::Verb { source, .. } => source.is_no_repository(),
            _ => false,
        }
    }

    /// Returns whether the database is another one than that of the latest backup.
    pub fn is_other_database(&self) -> bool {
        match self {
            Self::OtherDatabase(_) => true,
            Self::Verb { source, .. } => source.is_other_database(),
            _ => false,
        }
    }

    /// Returns whether it was stopped rather than that it failed.
    pub fn is_interruption(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Verb { source, .. } => source.is_interruption(),
            _ => false,
        }
    }

    /// Returns whether an object of the repository is missing or damaged, as opposed to an
    /// obstacle.
    pub fn is_damage(&self) -> bool {
        self.first_in_causes(says_damaged).unwrap_or(false)
    }

    /// Returns whether the next reading of the object may differ: its bytes came wrong or not at
    /// all. A wrong content stays wrong.
    pub(crate) fn is_of_one_reading(&self) -> bool {
        let of_reading = |error: &(dyn StdError + 'static)| {
            let of_content = error.is::<Malformed>() || error.is::<FilestoreError>();
            let of_bytes = error.is::<Mismatch>() || error.is::<StoreError>() || error.is::<DamagedVolume>();
            (of_content || of_bytes).then_some(of_bytes)
        };
        self.is_damage() && self.first_in_causes(of_reading).unwrap_or(false)
    }

    /// Returns the first answer of `says` in the chain of causes.
    fn first_in_causes<T>(&self, says: impl Fn(&(dyn StdError + 'static)) -> Option<T>) -> Option<T> {
        let mut current: Option<&(dyn StdError + 'static)> = Some(self);
        while let Some(error) = current {
            if let Some(said) = says(error) {
                return Some(said);
            }
            current = match error.downcast_ref::<Self>() {
                // These display their cause's text, so [`cause::of`] skips that cause.
                Some(Self::Repository(RepositoryError::Store(error))) => Some(error),
                Some(Self::Repository(error)) => Some(error),
                Some(Self::Store(error)) => Some(error),
                Some(Self::Verb { source, .. }) => Some(&**source),
                _ => cause::of(error),
            };
        }
        None
    }

    /// Returns the PostgreSQL error at the root, at any depth.
    pub(crate) fn of_postgres(&self) -> Option<&PostgresError> {
        let mut current: Option<&(dyn StdError + 'static)> = Some(self);
        while let Some(error) = current {
            if let Some(found) = error.downcast_ref::<PostgresError>() {
                return Some(found);
            }
            current = match error.downcast_ref::<Self>() {
                Some(Self::Postgres(error)) => return Some(error),
                Some(Self::Repository(RepositoryError::Store(error)) | Self::Store(error)) => Some(error),
                Some(Self::Repository(error)) => Some(error),
                Some(Self::Verb { source, .. }) => Some(&**source),
                _ => cause::of(error),
            };
        }
        None
    }

    /// Returns whether a copy differed from the backup or could not be made of it, as opposed to an
    /// obstacle.
    pub fn refutes_backup(&self) -> bool {
        match self {
            Self::Verb { source, .. } => source.refutes_backup(),
            Self::NotAsBackedUp(_) | Self::Differs { .. } => true,
            _ => self.is_damage(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Repository(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Postgres(error) => error.hint(),
            Self::Filestore(error) => error.hint(),
            Self::Neutralize(error) => error.hint(),
            Self::Anonymize(error) => error.hint(),
            Self::Restore(error) => error.hint(),
            Self::Import(error) => error.hint(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => Some(
                "mount the file system writable; in a systemd service with `ProtectSystem=strict`, add the folder to \
                      `ReadWritePaths=` of its unit by `systemctl edit`"
                    .into(),
            ),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Some("free some space".into()),
            Self::Exists { .. } => {
                Some("choose another name or target, or rename the existing one: nothing is overwritten".into())
            }
            Self::Differs { .. } | Self::NotAsBackedUp(_) => {
                Some("run `odoo-backup check --read-data` to see what is damaged, or restore another backup".into())
            }
            Self::Plan(error) => Some(error.hint().to_owned()),
            Self::NoSuchFile { backup, .. } => Some(format!("list the files of the backup: `odoo-backup files {backup}`")),
            Self::Stalled { .. } => Some(
                "check that the database and the repository answer (`odoo-backup doctor`); if the work is slow by nature, raise `stall_timeout`"
                    .into(),
            ),
            Self::Hook(error) => Some(error.hint()),
            Self::NotOdoo { .. } => Some("use `--format dump`, which exports any database".into()),
            Self::Refused { obstacles } => {
                let hints: BTreeSet<_> = obstacles.iter().map(|one| one.hint.as_str()).collect();
                Some(hints.into_iter().collect::<Vec<_>>().join("; "))
            }
            Self::OtherDatabase(other) => Some(other.hint()),
            Self::NoAttachments { .. } | Self::Io { .. } | Self::Verb { .. } | Self::Interrupted => None,
        }
    }
}

impl From<RepositoryError> for Error {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::Interrupted(_) => Self::Interrupted,
            error => Self::Repository(error),
        }
    }
}

impl Verification {
    /// Returns the verification if it passed.
    ///
    /// # Errors
    /// [`Error::NotAsBackedUp`] where a check failed.
    pub fn require(self) -> Result<Self, Error> {
        if self.passed() { Ok(self) } else { Err(Error::NotAsBackedUp(Box::new(self))) }
    }
}

impl From<Interrupted> for Error {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<Stalled> for Error {
    fn from(Stalled { seconds }: Stalled) -> Self {
        Self::Stalled { seconds }
    }
}

impl Interruptible for Error {
    fn is_interruption(&self) -> bool {
        Self::is_interruption(self)
    }
}

#[cfg(test)]
mod tests;
