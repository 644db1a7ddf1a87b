//! What the repository has of an instance before a backup begins.

use std::collections::BTreeSet;

use crate::error::{Error, explain};
use crate::manifest::{BackupLink, Manifest, StoredObject};
use crate::repository::{BackupId, Evidence, KnownDamage, ObjectListing, Repository};
use crate::stream::Digest;

/// The backup that the next one builds upon, and what is known of the objects.
pub(super) struct Earlier<'a> {
    pub(super) repository: &'a Repository,
    /// The latest readable backup.
    pub(super) latest: Option<Manifest>,
    /// The latest readable backup that was not imported. The next dump builds upon no other.
    pub(super) own: Option<Manifest>,
    /// The latest backup, and its manifest.
    pub(super) link: Option<BackupLink>,
    pub(super) listed: ObjectListing,
    pub(super) damage: KnownDamage,
    /// Backups that failed verification.
    pub(super) refuted: BTreeSet<BackupId>,
    /// What is wrong with earlier backups.
    pub(super) warnings: Vec<String>,
}

impl<'a> Earlier<'a> {
    /// Looks at what is earlier than `id`: an imported backup may be older than others.
    ///
    /// # Errors
    /// [`Error::Repository`], [`Error::Store`] where the store is not available.
    pub(super) async fn than(repository: &'a Repository, instance: &str, id: &BackupId) -> Result<Self, Error> {
        let (mut names, unreadable) = repository.readable_names(Some(instance)).await?;
        let mut warnings: Vec<_> = unreadable.iter().map(|error| explain(error).with_hint()).collect();
        // Folders that may not be read were named above.
        let (listed, _) = ObjectListing::readable(&**repository.store(), instance).await?;
        names.retain(|earlier| earlier.id < *id);
        names.sort();
        let (mut latest, mut own, mut link) = (None, None, None);
        for backup in names.iter().rev() {
            match repository.documents(backup).await {
                Ok(read) => {
                    let is_own = read.manifest.imported.is_none();
                    let manifest = Digest::of(&read.manifest_bytes);
                    link.get_or_insert(BackupLink { id: backup.id.clone(), manifest });
                    if is_own {
                        own = Some(read.manifest.clone());
                    }
                    latest.get_or_insert(read.manifest);
                    if is_own {
                        break;
                    }
                }
                Err(error) if !error.is_of_object() => return Err(error.into()),
                Err(error) => warnings.push(format!("unable to reuse the files of {backup}: {error}")),
            }
        }
        let damage = match if listed.has_known_damage() {
            repository.known_damage(instance).await
        } else {
            Ok(KnownDamage::new())
        } {
            Err(error) if error.is_of_object() => {
                warnings.push(format!("unable to tell which objects are damaged: {error}"));
                KnownDamage::new()
            }
            known => known?,
        };
        let evidence = listed.evidence(repository.clocks().await);
        let refuted = evidence.into_iter().filter(|(_, evidence)| matches!(evidence, Evidence::Refuted(_)));
        let refuted = refuted.map(|(id, _)| id).collect();
        Ok(Self { repository, latest, own, link, listed, damage, refuted, warnings })
    }

    /// Returns why objects that belong together must not be built upon, if so.
    pub(super) fn reason_against(&self, objects: [&StoredObject; 2]) -> Option<String> {
        let damage = objects.into_iter().find_map(|object| self.damage.get(&object.key));
        match damage {
            Some(found) => Some(found.reasons.join("; ")),
            None if objects.into_iter().all(|object| self.listed.holds(object)) => None,
            None => Some("it is missing or has the wrong size".to_owned()),
        }
    }
}
