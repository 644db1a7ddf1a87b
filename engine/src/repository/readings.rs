//! Records when each object was last read back, so that checks of a sample cover all objects in
//! time.
//!
//! ```text
//! <instance>/check.json
//! ```

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Repository, RepositoryError, member};
use crate::store::Key;

/// The name of the record.
pub(super) const READINGS: &str = "check.json";

/// The last time that an object was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastRead {
    /// The time, by the clock of the machine that read it.
    pub(crate) at: Timestamp,
    /// Whether it matched the manifests.
    pub(crate) sound: bool,
}

/// `check.json`
#[derive(Debug, Default, Serialize, Deserialize)]
struct Readings {
    #[serde(default)]
    objects: BTreeMap<Key, LastRead>,
}

impl Repository {
    /// Returns when the objects of an instance were last read back. Objects without an entry are
    /// unknown.
    ///
    /// # Errors
    /// Any error of the store
    pub(crate) async fn last_read(&self, instance: &str) -> Result<BTreeMap<Key, LastRead>, RepositoryError> {
        let Ok(folder) = Key::new(instance) else { return Ok(BTreeMap::new()) };
        match self.marked::<Readings>(&member(&folder, READINGS)).await {
            Ok(readings) => Ok(readings.unwrap_or_default().objects),
            // Everything then counts as never read, which only costs time.
            Err(error) if error.is_of_object() => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    /// Records when the objects of an instance were last read back, and replaces the former record.
    /// If two processes do so at the same time, one record is lost: those objects are read again.
    ///
    /// # Errors
    /// Any error of the store
    pub(crate) async fn note_read(
        &self,
        instance: &str,
        objects: BTreeMap<Key, LastRead>,
    ) -> Result<(), RepositoryError> {
        let Ok(folder) = Key::new(instance) else { return Ok(()) };
        self.write(&member(&folder, READINGS), &Readings { objects }).await
    }
}
