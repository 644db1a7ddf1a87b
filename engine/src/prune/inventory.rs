//! What there is of an instance, and which of it is needed by what.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::TryStreamExt;
use retention::{Backup, Figures};

use crate::error::Error;
use crate::manifest::{MANIFEST, Manifest, SET_ASIDE};
use crate::repository::layout::{ids, needed};
use crate::repository::{BackupId, Damaged, Evidence, Repository, member, said_of};
use crate::store::{Key, Object};

/// All objects of an instance, and its manifests.
pub(super) struct Inventory {
    pub(super) objects: Vec<Object>,
    /// Each held against its checksums: by a flipped bit a manifest would name other objects than it needs.
    pub(super) manifests: Vec<Manifest>,
    /// Backups whose manifest cannot be read.
    pub(super) damaged: Vec<Damaged>,
    /// Backups whose checksums are not of their manifest alone: a run was cut off where it changed it.
    pub(super) unsettled: Vec<BackupId>,
}

impl Inventory {
    pub(super) async fn take(repository: &Repository, instance: &str) -> Result<Self, Error> {
        let objects = list(repository, instance).await?;
        let ids: Vec<BackupId> = ids(&objects).collect();
        let (mut manifests, mut damaged, mut unsettled) = (Vec::new(), Vec::new(), Vec::new());
        for (id, read) in repository.verified_backups(instance, ids, &objects).await? {
            match read {
                Ok(verified) => {
                    unsettled.extend((!verified.are_settled).then_some(id));
                    manifests.push(verified.manifest);
                }
                Err(error) => damaged.push(Damaged { instance: instance.to_owned(), id, error }),
            }
        }
        Ok(Self { objects, manifests, damaged, unsettled })
    }

    /// The backups that can be read, as retention sees them.
    pub(super) fn backups(&self) -> Vec<Backup> {
        let (pinned, proofs) = said_of(&self.objects);
        let seen =
            |manifest: &Manifest| as_retention_sees(manifest, pinned.contains(&manifest.id), proofs.get(&manifest.id));
        self.manifests.iter().map(seen).collect()
    }

    /// Whether a backup was set aside, and is none any more.
    pub(super) fn has_set_aside(&self, instance: &str, id: &BackupId) -> bool {
        let has = |name| self.objects.iter().any(|object| object.key == member(&id.key(instance), name));
        has(SET_ASIDE) && !has(MANIFEST)
    }

    /// What each of `doomed` frees, if they go from the oldest to the newest: an object is free when the last that names it goes.
    pub(super) fn frees(&self, doomed: &[BackupId]) -> BTreeMap<BackupId, u64> {
        let sizes: HashMap<&Key, u64> = self.objects.iter().map(|object| (&object.key, object.size)).collect();
        let is_doomed = |manifest: &&Manifest| doomed.contains(&manifest.id);
        let kept = self.manifests.iter().filter(|manifest| !is_doomed(manifest));
        let mut taken: HashSet<Key> = kept.flat_map(needed).collect();
        let mut going: Vec<&Manifest> = self.manifests.iter().filter(is_doomed).collect();
        going.sort_by(|a, b| b.id.cmp(&a.id));
        let freed = going.into_iter().map(|manifest| {
            let own = needed(manifest).filter(|key| taken.insert(key.clone()));
            let bytes = own.filter_map(|key| sizes.get(&key)).sum();
            (manifest.id.clone(), bytes)
        });
        freed.collect()
    }
}

pub(super) fn as_retention_sees(manifest: &Manifest, pinned: bool, evidence: Option<&Evidence>) -> Backup {
    Backup {
        id: manifest.id.to_string(),
        instance: manifest.instance.clone(),
        created_at: manifest.created_at,
        pinned,
        proven: evidence.is_some_and(|evidence| evidence.proven().is_some()),
        warned: !manifest.warnings.is_empty(),
        figures: Figures {
            rows: manifest.database.rows.as_ref().map(|rows| rows.rows),
            attachments: manifest.attachments.as_ref().map(|attachments| attachments.counts.rows),
            bytes: Some(manifest.database.object.plain.size + manifest.filestore.bytes),
        },
    }
}

pub(super) async fn list(repository: &Repository, instance: &str) -> Result<Vec<Object>, Error> {
    let Ok(prefix) = Key::new(instance) else { return Ok(Vec::new()) };
    Ok(repository.store().list(Some(&prefix)).try_collect().await?)
}
