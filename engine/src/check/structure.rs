//! Checks an instance's backups by its listing, the manifests and their checksums, without reading
//! other objects.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::{InstanceCheck, Unnamed};
use crate::error::Error;
use crate::manifest::{Manifest, StoredObject};
use crate::repository::{
    BackupId, BackupRef, Checksums, Damage, ObjectListing, Quarantined, Repository, Verified, damage_of_document,
    layout,
};
use crate::store::Key;

/// The survey of an instance.
pub(super) struct Survey {
    pub(super) listed: ObjectListing,
    pub(super) backups: Vec<Surveyed>,
    pub(super) aside: Quarantined,
    /// Problems of the listing.
    pub(super) alarms: Vec<String>,
    /// Whether these are all backups of the instance.
    pub(super) is_whole: bool,
}

/// The survey of a backup.
pub(super) struct Surveyed {
    pub(super) backup: BackupRef,
    /// `None` if it cannot be read.
    pub(super) manifest: Option<Manifest>,
    /// Whether the manifest does not exist, although other objects may.
    pub(super) is_lost: bool,
    pub(super) damage: Vec<Damage>,
}

impl Surveyed {
    /// Returns whether it is dated in the future.
    pub(super) fn is_future(&self, now: Timestamp) -> bool {
        self.manifest.as_ref().map_or_else(|| self.backup.id.is_future(now), |manifest| manifest.is_future(now))
    }
}

/// Surveys backups of an instance.
pub(super) async fn survey(repository: &Repository, wanted: InstanceCheck) -> Result<Survey, Error> {
    let InstanceCheck { ids, lost, mut listed, alarms } = wanted;
    let wanted: HashSet<&BackupId> = ids.iter().collect();
    let is_whole = listed.backups().all(|id| wanted.contains(&id));
    let aside = repository.quarantined(&listed).await?;
    let verified = repository.verified_backups(&listed, ids).await?;
    let manifests =
        verified.iter().filter_map(|(_, verified)| verified.as_ref().ok()).map(|verified| &verified.manifest);
    find_newer(repository, manifests, &mut listed).await?;
    let mut backups = Vec::new();
    for (backup, verified) in verified {
        backups.push(match verified {
            Ok(Verified { manifest, checksums: sums, .. }) => {
                let damage = damage_of(&manifest, &sums, &listed);
                Surveyed { backup, manifest: Some(manifest), is_lost: false, damage }
            }
            Err(error) => {
                let damage = damage_of_document::<Error>(backup.manifest(), error)?;
                Surveyed { backup, manifest: None, is_lost: false, damage: vec![damage] }
            }
        });
    }
    for id in lost {
        let backup = BackupRef::new(listed.instance(), id);
        let key = backup.manifest();
        let damage = Damage { key, reason: "it is missing, but the backup's SHA256SUMS exists".to_owned() };
        backups.push(Surveyed { backup, manifest: None, is_lost: true, damage: vec![damage] });
    }
    backups.sort_by(|a, b| a.backup.cmp(&b.backup));
    let mut survey = Survey { listed, backups, aside, alarms, is_whole };
    survey.find_contradictions();
    Ok(survey)
}

/// Looks up objects that manifests name but the listing lacks or shows with another size. A prune
/// that repacks may have stored them since, and a listing may be wrong.
async fn find_newer(
    repository: &Repository,
    manifests: impl Iterator<Item = &Manifest>,
    listed: &mut ObjectListing,
) -> Result<(), Error> {
    let is_wrong = |object: &&StoredObject| listed.damage_of(object).is_some();
    let wrong: HashSet<&Key> =
        manifests.flat_map(Manifest::objects).filter(is_wrong).map(|object| &object.key).collect();
    for key in wrong {
        match repository.store().head(key).await? {
            Some(found) => listed.insert(found),
            None => listed.remove(key),
        }
    }
    Ok(())
}

fn damage_of(manifest: &Manifest, sums: &Checksums, listed: &ObjectListing) -> Vec<Damage> {
    let sizes = manifest.objects().filter_map(|object| listed.damage_of(object));
    sizes.chain(wrong_checksums(manifest, sums)).collect()
}

/// Returns the damage if `SHA256SUMS` contradicts the manifest. Operators without this program
/// verify objects by `SHA256SUMS`.
fn wrong_checksums(manifest: &Manifest, sums: &Checksums) -> Option<Damage> {
    let backup = manifest.backup();
    let folder = backup.folder();
    let own = manifest.objects().filter(|object| object.key.is_under(&folder));
    let wrong: Vec<_> = own
        .filter(|object| sums.get(object.key.name()) != Some(&object.stored.sha256))
        .map(|object| object.key.name())
        .collect();
    let reason = || format!("it does not contain the manifest's digest of {}", wrong.join(", "));
    (!wrong.is_empty()).then(|| Damage { key: backup.checksums(), reason: reason() })
}

impl Survey {
    pub(super) fn instance(&self) -> &str {
        self.listed.instance()
    }

    /// Returns the manifests that can be read.
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.backups.iter().filter_map(|backup| backup.manifest.as_ref())
    }

    /// Finds manifests that contradict, about an object, the manifest of the backup that made it.
    fn find_contradictions(&mut self) {
        let manifests = || self.backups.iter().filter_map(|backup| backup.manifest.as_ref());
        let own = manifests().flat_map(|manifest| {
            let folder = manifest.backup().folder();
            manifest.objects().filter(move |object| object.key.is_under(&folder))
        });
        let made: HashMap<Key, StoredObject> = own.map(|object| (object.key.clone(), object.clone())).collect();
        for backup in &mut self.backups {
            let Some(manifest) = &backup.manifest else { continue };
            let key = manifest.backup().manifest();
            let differs = |object: &&StoredObject| made.get(&object.key).is_some_and(|made| made != *object);
            backup.damage.extend(manifest.objects().filter(differs).map(|object| Damage {
                key: key.clone(),
                reason: format!("what it says of {} differs from what the backup that made it says", object.key),
            }));
        }
    }

    /// Returns the objects that no backup needs, or `None` if that cannot be known.
    pub(super) fn unnamed(&self) -> Option<Unnamed> {
        let manifests: Option<Vec<&Manifest>> = self.backups.iter().map(|backup| backup.manifest.as_ref()).collect();
        let manifests = manifests.filter(|_| self.is_whole)?;
        let named: HashSet<Key> = manifests.into_iter().flat_map(layout::needed).collect();
        let unnamed = self.listed.objects().filter(|object| {
            layout::is_ours(&object.key) && !named.contains(&object.key) && !self.aside.keeps(&object.key)
        });
        let sizes: BTreeMap<&Key, u64> = unnamed.map(|object| (&object.key, object.size)).collect();
        let (objects, bytes) = (sizes.len() as u64, sizes.values().sum());
        (objects > 0).then(|| Unnamed { instance: self.instance().to_owned(), objects, bytes })
    }
}
