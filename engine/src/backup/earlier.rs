//! What the repository has of an instance before a backup begins.

use std::collections::BTreeSet;

use super::seen::Seen;
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
    pub(super) async fn than(mut seen: Seen<'a>, id: &BackupId) -> Result<Self, Error> {
        let repository = seen.repository;
        let mut warnings: Vec<_> = seen.unreadable.iter().map(|error| explain(error).with_hint()).collect();
        let backups = std::mem::take(&mut seen.backups);
        let (mut latest, mut own, mut link) = (None, None, None);
        for backup in backups.iter().rev().filter(|backup| backup.id < *id) {
            match seen.documents(backup).await {
                Ok(read) => {
                    let manifest = Digest::of(&read.manifest_bytes);
                    link.get_or_insert(BackupLink { id: backup.id.clone(), manifest });
                    latest.get_or_insert_with(|| read.manifest.clone());
                    if read.manifest.imported.is_none() {
                        own = Some(read.manifest.clone());
                        break;
                    }
                }
                Err(error) if !error.is_of_object() => return Err(error.into()),
                Err(error) => warnings.push(format!("unable to reuse the files of {backup}: {error}")),
            }
        }
        let listed = seen.listed;
        let damage = match repository.known_damage_of(&listed).await {
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
    pub(super) fn reason_against<const N: usize>(&self, objects: [&StoredObject; N]) -> Option<String> {
        let damage = objects.into_iter().find_map(|object| self.damage.get(&object.key));
        match damage {
            Some(found) => Some(found.reasons.join("; ")),
            None if objects.into_iter().all(|object| self.listed.holds(object)) => None,
            None => Some("it is missing or has the wrong size".to_owned()),
        }
    }
}
