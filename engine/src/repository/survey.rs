//! Counts what a repository holds, from one listing and without reading manifests: cheap enough to
//! do for every repository of a configuration, whatever its size.

use std::collections::BTreeMap;

use futures::StreamExt;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::damage::DAMAGE;
use super::readings::READINGS;
use super::{BackupId, BackupRef, Repository, RepositoryError, layout};
use crate::manifest::{MANIFEST, SET_ASIDE};
use crate::store::{Key, Object, StoreError};

/// What a repository holds.
#[derive(Debug, Default)]
pub struct Survey {
    /// The bytes that all objects take together, also those of no instance.
    pub bytes: u64,
    /// The instances that have backups, by name.
    pub instances: BTreeMap<String, Surveyed>,
    /// Folders that may not be read. The counts lack what they contain.
    pub unreadable: Vec<StoreError>,
}

/// What a repository holds of an instance.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// How many backups there are.
    pub backups: usize,
    /// How many backups a repair has quarantined.
    pub quarantined: usize,
    /// The newest backup.
    pub newest: Option<BackupId>,
    /// The bytes that its objects take.
    pub bytes: u64,
    /// When a check last recorded that it read objects back, by the store's clock.
    pub data_read_at: Option<Timestamp>,
    /// The objects that are known to be damaged. `None`: there is a record of damage, and it cannot
    /// be read.
    pub damaged: Option<Vec<DamagedObject>>,
}

/// An object that is known to be damaged, and was not repaired yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DamagedObject {
    /// Its name within the repository.
    pub key: Key,
    /// What is wrong with it, in sentences.
    pub reasons: Vec<String>,
    /// When that was found first.
    pub found_at: Timestamp,
}

impl Survey {
    /// Counts an object. Returns the instance if the object says that damage of it is known.
    fn see(&mut self, object: &Object) -> Option<String> {
        self.bytes += object.size;
        let mut segments = object.key.segments();
        let (name, inside) = (segments.next()?, segments.next());
        if name == layout::LOCKS || inside.is_none() {
            return None;
        }
        let instance = match self.instances.get_mut(name) {
            Some(instance) => instance,
            None => self.instances.entry(name.to_owned()).or_default(),
        };
        instance.bytes += object.size;
        match (object.key.name(), BackupRef::of_object(&object.key)) {
            (MANIFEST, Some(backup)) => {
                instance.backups += 1;
                // Ids sort by time.
                instance.newest = instance.newest.take().max(Some(backup.id));
            }
            (SET_ASIDE, Some(_)) => instance.quarantined += 1,
            _ => {}
        }
        if layout::is_mark(&object.key, READINGS) {
            instance.data_read_at = Some(object.modified);
        }
        layout::is_mark(&object.key, DAMAGE).then(|| name.to_owned())
    }
}

impl Repository {
    /// Counts what the repository holds.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]. A folder that may not be read is not an error here.
    pub async fn survey(&self) -> Result<Survey, RepositoryError> {
        let (mut survey, mut with_damage) = (Survey::default(), Vec::new());
        let mut objects = self.store().list(None);
        while let Some(object) = objects.next().await {
            match object {
                Ok(object) => with_damage.extend(survey.see(&object)),
                Err(error) if error.is_of_folder() => survey.unreadable.push(error),
                Err(error) => return Err(error.into()),
            }
        }
        survey.instances.retain(|_, held| held.backups + held.quarantined > 0);
        for held in survey.instances.values_mut() {
            held.damaged = Some(Vec::new());
        }
        for name in with_damage {
            let Some(held) = survey.instances.get_mut(&name) else { continue };
            held.damaged = match self.known_damage(&name).await {
                Ok(known) => {
                    let damaged = known.into_iter();
                    Some(
                        damaged
                            .map(|(key, found)| DamagedObject { key, reasons: found.reasons, found_at: found.found_at })
                            .collect(),
                    )
                }
                Err(error) if error.is_of_object() => None,
                Err(error) => return Err(error),
            };
        }
        Ok(survey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_instance_has_no_time() {
        let survey = see(&["sales/20261121T020003Z-3f9c/manifest.json", "sales/20261121T020003Z-3f9c/check.json"]);
        assert_eq!(survey.instances["sales"].data_read_at, None);
    }

    fn see(keys: &[&str]) -> Survey {
        let mut survey = Survey::default();
        for key in keys {
            let key = Key::new(*key).unwrap();
            survey.see(&Object { key, size: 10, modified: Timestamp::UNIX_EPOCH });
        }
        survey
    }

    #[test]
    fn only_backups_of_instances_are_counted() {
        let survey = see(&[
            "repository.json",
            "RESTORE.txt",
            "locks/sales/backup-1.json",
            "sales/check.json",
            "sales/20261121T020003Z-3f9c/manifest.json",
            "sales/20261120T020003Z-3f9c/manifest.json",
            "sales/20261120T020003Z-3f9c/database.dump.zst",
            "sales/20261119T020003Z-3f9c/set-aside.json",
        ]);
        assert_eq!(survey.bytes, 80);
        let names: Vec<_> = survey.instances.keys().collect();
        assert_eq!(names, ["sales"]);
        let sales = &survey.instances["sales"];
        assert_eq!((sales.backups, sales.quarantined, sales.bytes), (2, 1, 50));
        assert_eq!(sales.data_read_at, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(sales.newest.as_ref().unwrap().as_str(), "20261121T020003Z-3f9c");
    }
}
