//! What was already wrong with files at the source, so that a copy is not blamed for it.

use std::collections::HashSet;

use super::RestoredCopy;
use crate::error::{Error, explain};
use crate::manifest::{Check, Subject};

/// What was wrong with files when they were backed up.
pub(super) enum AtSource {
    Known {
        /// Their content was wrong.
        damaged: HashSet<String>,
        /// They were not backed up.
        lacking: HashSet<String>,
    },
    /// Something was wrong, and the list of it cannot be read, for this reason.
    Unknown(String),
}

impl AtSource {
    /// Reads what the backup found.
    ///
    /// # Errors
    /// The store is not available.
    pub(super) async fn of(copy: &RestoredCopy<'_>) -> Result<Self, Error> {
        let read = copy.repository.without_cache().findings(copy.manifest).await;
        let found = match read.map_err(Error::from) {
            Ok(found) => found,
            // Dump and files are intact, and a restore must not fail because of a list.
            Err(error) if error.is_damage() => return Ok(Self::Unknown(explain(&error).to_string())),
            Err(error) => return Err(error),
        };
        let unreadable =
            found.unreadable.iter().filter_map(|line| line.split_once(": ")).map(|(path, _)| path.to_owned());
        let lacking = found.missing.iter().chain(&found.deleted).chain(&found.skipped).cloned().chain(unreadable);
        let damaged = found.damaged.iter().chain(&found.changed).cloned().collect();
        Ok(Self::Known { damaged, lacking: lacking.collect() })
    }

    /// Returns whether a file's content was wrong. `None` if that is not known.
    pub(super) fn was_damaged(&self, name: &str) -> Option<bool> {
        match self {
            Self::Known { damaged, .. } => Some(damaged.contains(name)),
            Self::Unknown(_) => None,
        }
    }

    /// Returns whether a file was not backed up. `None` if that is not known.
    pub(super) fn lacked(&self, name: &str) -> Option<bool> {
        match self {
            Self::Known { lacking, .. } => Some(lacking.contains(name)),
            Self::Unknown(_) => None,
        }
    }

    /// Returns a check without a result: `differences` may be the source's or the copy's.
    pub(super) fn skipped(&self, subject: Subject, differences: &str) -> Check {
        let unknown = match self {
            Self::Known { .. } => String::new(),
            Self::Unknown(why) => {
                format!(", and the list of what was already wrong at the source cannot be read: {why}")
            }
        };
        Check::skipped(subject, format!("{differences}{unknown}"))
    }
}
