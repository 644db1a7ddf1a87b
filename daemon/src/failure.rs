//! Why a run failed.

use std::time::Duration;

use config::{UnknownName, explain};
use engine::error::{Error, Explanation};
use engine::repository::RepositoryError;

/// Why one attempt of a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The engine's verb failed.
    #[error(transparent)]
    Engine(#[from] Error),
    /// The repository could not be opened.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The run made no progress: pg_dump or the store hangs.
    #[error("no progress for {} seconds, so the run was stopped", .0.as_secs())]
    Stalled(Duration),
    /// A check found damage.
    #[error("{damaged} of {checked} backups of {instance} are damaged: {}", .findings.join("; "))]
    Damage {
        /// Whose backups.
        instance: String,
        /// How many are damaged.
        damaged: usize,
        /// How many there are.
        checked: usize,
        /// What is wrong, in a sentence each; the first few.
        findings: Vec<String>,
    },
    /// A check found no damage, but other problems.
    #[error("problems with the backups of {instance}: {}", .wrong.join("; "))]
    Suspect {
        /// Whose backups.
        instance: String,
        /// What is wrong, in a sentence each.
        wrong: Vec<String>,
    },
    /// The configuration that was read again has no such instance or target.
    #[error(transparent)]
    Gone(#[from] UnknownName),
    /// The program has a bug.
    #[error("the run failed because of a bug in odoo-backup: {0}")]
    Fault(String),
}

impl Failure {
    /// Returns whether another attempt may succeed.
    pub(crate) fn is_worth_a_retry(&self) -> bool {
        match self {
            // A backup that failed verification fails the next time, too.
            Self::Engine(error) => !error.refutes_backup() && !error.is_other_database(),
            Self::Repository(_) | Self::Stalled(_) => true,
            Self::Damage { .. } | Self::Suspect { .. } | Self::Gone(_) | Self::Fault(_) => false,
        }
    }

    /// Returns whether another process holds the lock of the instance.
    pub(crate) fn is_held_elsewhere(&self) -> bool {
        matches!(self, Self::Engine(error) if error.is_held_elsewhere())
    }

    /// Returns it as people and programs see it.
    pub(crate) fn explain(&self) -> Explanation {
        let explanation = match self {
            // Passed on as they are, so that their hints are found.
            Self::Engine(error) => explain(error),
            Self::Repository(error) => explain(error),
            Self::Gone(unknown) => explain(unknown),
            other => explain(other),
        };
        Explanation { hint: explanation.hint.or_else(|| self.hint()), ..explanation }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Stalled(_) => {
                "check that the database and the repository answer (`odoo-backup doctor`); if the work is \
                slow by nature, raise `stall_timeout`"
                    .into()
            }
            Self::Damage { .. } => {
                "run `odoo-backup check` to see what is damaged, back up again, and check the disk or \
                bucket of the repository"
                    .into()
            }
            _ => return None,
        })
    }
}
