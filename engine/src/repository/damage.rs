//! Records damage that was found and not repaired yet, so that commands that do not read the
//! objects know of it.
//!
//! ```text
//! <instance>/damage.json
//! ```
//!
//! The object exists only while there is damage. If a listing lacks it, no damage is known.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Damage, ObjectListing, Repository, RepositoryError, layout, member};
use crate::manifest::Manifest;
use crate::store::Key;

/// The name of the object.
pub(crate) const DAMAGE: &str = "damage.json";

/// What is wrong with an object, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FoundDamage {
    /// The reasons, in sentences.
    pub(crate) reasons: Vec<String>,
    /// When it was found first, by the clock of the machine that found it.
    pub(crate) found_at: Timestamp,
    /// Whether the damage was found by reading the object. Then only reading it shows that it is
    /// intact again.
    #[serde(default)]
    pub(crate) by_reading: bool,
}

/// Damaged objects of an instance.
pub(crate) type KnownDamage = BTreeMap<Key, FoundDamage>;

/// `damage.json`
#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    objects: KnownDamage,
}

/// Returns the known damage of the objects that a backup needs.
pub(crate) fn damage_of(manifest: &Manifest, known: &KnownDamage) -> Vec<Damage> {
    if known.is_empty() {
        return Vec::new();
    }
    let hit = layout::needed(manifest).filter_map(|key| known.get_key_value(&key));
    let hit = hit.map(|(key, found)| Damage {
        key: key.clone(),
        reason: format!("{} (found {:.0}, not read since)", found.reasons.join("; "), found.found_at),
    });
    hit.collect()
}

impl Repository {
    /// Returns the damage of an instance that was found and not repaired.
    ///
    /// # Errors
    /// [`RepositoryError::Damaged`] if `damage.json` is damaged itself; any error of the store
    pub(crate) async fn known_damage(&self, instance: &str) -> Result<KnownDamage, RepositoryError> {
        let Ok(folder) = Key::new(instance) else { return Ok(KnownDamage::new()) };
        let document = self.marked::<Document>(&member(&folder, DAMAGE)).await?;
        Ok(document.unwrap_or_default().objects)
    }

    /// Returns the same for an instance that was listed. Without a record, nothing is read.
    ///
    /// # Errors
    /// Those of [`Self::known_damage`]
    pub(crate) async fn known_damage_of(&self, listed: &ObjectListing) -> Result<KnownDamage, RepositoryError> {
        match listed.has_known_damage() {
            true => self.known_damage(listed.instance()).await,
            false => Ok(KnownDamage::new()),
        }
    }

    /// Changes the recorded damage of an instance, and stores it if it changed. Reads it again
    /// first, because another check may have found something in the meantime. A record that cannot
    /// be read is replaced only with `may_replace`.
    ///
    /// # Errors
    /// Those of [`Self::known_damage`]
    pub(crate) async fn note_damage(
        &self,
        instance: &str,
        may_replace: bool,
        change: impl FnOnce(&mut KnownDamage),
    ) -> Result<(), RepositoryError> {
        let Ok(folder) = Key::new(instance) else { return Ok(()) };
        let key = member(&folder, DAMAGE);
        let before = match self.known_damage(instance).await {
            // The content of the damaged record is lost. What is known now is recorded again.
            Err(error) if may_replace && error.is_of_object() => None,
            known => Some(known?),
        };
        let mut objects = before.clone().unwrap_or_default();
        change(&mut objects);
        match (objects.is_empty(), before) {
            (_, Some(before)) if before == objects => Ok(()),
            (true, _) => Ok(self.store.delete(&key).await?),
            (false, _) => self.write(&key, &Document { objects }).await,
        }
    }
}
