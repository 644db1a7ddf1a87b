//! Finds the backup that the operator names, by an id, `latest` or `latest~N`.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::damage::{DAMAGE, KnownDamage, damage_of};
use super::selector::{Position, Selector};
use super::sight::Sight;
use super::{BackupId, BackupRef, Clocks, Evidence, Flaw, Repository, RepositoryError};
use crate::manifest::Manifest;
use crate::store::{Key, StoreError};

/// A backup that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The backup.
    pub backup: BackupRef,
    /// Why `latest` skipped newer backups, in sentences. If no backup is good, why this one was
    /// used nevertheless.
    pub warnings: Vec<String>,
}

impl Repository {
    /// Returns all existing backups of one instance, or of all instances.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn names(&self, instance: Option<&str>) -> Result<Vec<BackupRef>, RepositoryError> {
        let (names, unreadable) = self.readable_names(instance).await?;
        match unreadable.into_iter().next() {
            Some(unreadable) => Err(unreadable.into()),
            None => Ok(names),
        }
    }

    /// Does the same as [`Self::names`], but skips folders that may not be read and returns their
    /// errors separately.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn readable_names(
        &self,
        instance: Option<&str>,
    ) -> Result<(Vec<BackupRef>, Vec<StoreError>), RepositoryError> {
        let mut sight = self.look(instance).await?;
        let unreadable = std::mem::take(&mut sight.unreadable);
        Ok((sight.into_names(), unreadable))
    }

    /// Returns the backups of an instance, each with the time at which its manifest was stored.
    pub(crate) async fn dated(&self, instance: &str) -> Result<Dated, RepositoryError> {
        let Sight { clocks, backups, .. } = self.look(Some(instance)).await?;
        Ok(Dated { clocks, backups: backups.into_iter().map(|(backup, seen)| (backup.id, seen.modified)).collect() })
    }

    /// Returns the flaws of a backup, as [`Listing::flaws`](super::Listing::flaws) does.
    ///
    /// # Errors
    /// Any error of the store
    pub async fn flaws(&self, manifest: &Manifest) -> Result<Vec<Flaw>, RepositoryError> {
        let mut flaws = Vec::new();
        match self.known_damage(&manifest.instance).await {
            Err(error) if error.is_of_object() => {
                tracing::warn!("unable to tell which backups of {} are damaged: {error}", manifest.instance);
            }
            known => {
                let damage = damage_of(manifest, &known?);
                flaws.extend((!damage.is_empty()).then_some(Flaw::Damaged(damage)));
            }
        }
        flaws.extend(manifest.is_future(self.clocks().await.now()).then_some(Flaw::Future));
        let evidence = self.proofs(&manifest.instance).await?;
        flaws.extend(matches!(evidence.get(&manifest.id), Some(Evidence::Refuted(_))).then_some(Flaw::Refuted));
        Ok(flaws)
    }

    /// Returns whether an object that the backup needs is known to be damaged.
    pub(crate) async fn is_known_damaged(&self, manifest: &Manifest) -> Result<bool, RepositoryError> {
        match self.known_damage(&manifest.instance).await {
            Ok(known) => Ok(!damage_of(manifest, &known).is_empty()),
            // The record of damage cannot be read, so the backup may be damaged.
            Err(error) if error.is_of_object() => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Returns the backups of [`Self::names`] and the quarantined ones, by instance and id.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn names_with_set_aside(&self, instance: Option<&str>) -> Result<Vec<BackupRef>, RepositoryError> {
        let mut sight = self.look(instance).await?;
        if let Some(unreadable) = sight.unreadable.pop() {
            return Err(unreadable.into());
        }
        let set_aside = std::mem::take(&mut sight.set_aside);
        let mut names: Vec<_> = sight.into_names().into_iter().chain(set_aside).collect();
        names.sort();
        Ok(names)
    }

    /// Returns the backup that `selector` names: an id, a unique start of an id, `latest` or
    /// `latest~N`, each optionally behind `INSTANCE/`. `latest` alone is the latest of
    /// `default_instance`, or of the repository's only instance. It is never a backup that is dated
    /// in the future or known to be damaged while there is another. `latest~N` counts only those
    /// that are neither.
    ///
    /// # Errors
    /// [`RepositoryError::NoSuchBackup`], [`RepositoryError::TooFew`],
    /// [`RepositoryError::Ambiguous`], [`RepositoryError::WhichInstance`]; those of
    /// [`Self::verified_manifest`].
    pub async fn find(&self, selector: &str, default_instance: Option<&str>) -> Result<Manifest, RepositoryError> {
        self.verified_manifest(&self.resolve(selector, default_instance).await?).await
    }

    /// Does the same as [`Self::find`], without reading the manifest. Logs which backups it
    /// skipped.
    ///
    /// # Errors
    /// Those of [`Self::find`], except those of the manifest
    pub async fn resolve(&self, selector: &str, default_instance: Option<&str>) -> Result<BackupRef, RepositoryError> {
        let Selected { backup, warnings } = self.select(selector, default_instance).await?;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        Ok(backup)
    }

    /// Does the same as [`Self::resolve`], and returns what it skipped instead of logging it.
    ///
    /// # Errors
    /// Those of [`Self::resolve`]
    pub async fn select(&self, selector: &str, default_instance: Option<&str>) -> Result<Selected, RepositoryError> {
        self.select_among(selector, default_instance, Among::Backups).await
    }

    /// Does the same as [`Self::select`], but `latest` may be a backup that is known to be damaged
    /// here. Callers use it to look for another copy of that backup.
    ///
    /// # Errors
    /// Those of [`Self::select`]
    pub async fn select_damaged_too(
        &self,
        selector: &str,
        default_instance: Option<&str>,
    ) -> Result<Selected, RepositoryError> {
        self.select_among(selector, default_instance, Among::DamagedToo).await
    }

    /// Does the same as [`Self::resolve`], but a quarantined backup, or one without its manifest,
    /// can be named too. It is never the latest.
    ///
    /// # Errors
    /// Those of [`Self::resolve`]
    pub async fn resolve_with_set_aside(
        &self,
        selector: &str,
        default_instance: Option<&str>,
    ) -> Result<BackupRef, RepositoryError> {
        Ok(self.select_among(selector, default_instance, Among::Remains).await?.backup)
    }

    async fn select_among(
        &self,
        selector: &str,
        default_instance: Option<&str>,
        among: Among,
    ) -> Result<Selected, RepositoryError> {
        let parsed = Selector::parse(selector);
        let instance = match parsed.backup {
            Position::Latest(_) => parsed.instance.or(default_instance),
            Position::Id(_) => parsed.instance,
        };
        let mut sight = self.look(instance).await?;
        // The latest backup may be in a folder that may not be read. A full id can be resolved from
        // what can be read.
        let is_named = sight.backups.iter().any(|(backup, _)| parsed.is_whole_id(&backup.id));
        if let Some(unreadable) = sight.unreadable.pop().filter(|_| !is_named || among == Among::Remains) {
            return Err(unreadable.into());
        }
        let wanted = match parsed.backup {
            Position::Id(wanted) => wanted,
            Position::Latest(before) => {
                return self.latest(sight, before, selector, among).await?.ok_or_else(|| self.no_such(selector));
            }
        };
        let remains: Vec<_> = match among {
            Among::Remains => {
                std::mem::take(&mut sight.set_aside).into_iter().chain(sight.gaps.lost.drain(..)).collect()
            }
            Among::Backups | Among::DamagedToo => Vec::new(),
        };
        let mut names: Vec<_> = sight.into_names().into_iter().chain(remains).collect();
        names.sort_by(|a, b| a.id.cmp(&b.id));
        names.retain(|backup| !wanted.is_empty() && backup.id.as_str().starts_with(wanted));
        match names.as_slice() {
            [] => Err(self.no_such(selector)),
            [backup] => Ok(Selected { backup: backup.clone(), warnings: Vec::new() }),
            several => {
                let ids = several.iter().map(BackupRef::to_string).collect();
                Err(RepositoryError::Ambiguous { selector: selector.to_owned(), ids })
            }
        }
    }

    fn no_such(&self, selector: &str) -> RepositoryError {
        RepositoryError::NoSuchBackup { selector: selector.to_owned(), location: self.store.location() }
    }

    /// Returns the newest backup that is good as far as known, without the `before` newest of them.
    /// If there is no good one at all, the latest is the newest damaged one, and last one dated in
    /// the future. Returns `None` if there is no backup.
    async fn latest(
        &self,
        sight: Sight,
        before: usize,
        selector: &str,
        among: Among,
    ) -> Result<Option<Selected>, RepositoryError> {
        let instances: BTreeSet<_> = sight.backups.iter().map(|(backup, _)| backup.instance.clone()).collect();
        if instances.len() > 1 {
            return Err(RepositoryError::WhichInstance { instances: instances.into_iter().collect() });
        }
        let Some(instance) = instances.into_iter().next() else { return Ok(None) };
        let now = sight.clocks.now();
        let known = match sight.with_damage.contains(&instance) && among == Among::Backups {
            true => self.known_damage(&instance).await,
            false => Ok(KnownDamage::new()),
        };
        let mut warnings = Vec::new();
        let known = match known {
            Err(error) if error.is_of_object() => {
                warnings.push(format!("unable to tell which backups of {instance} are damaged: {error}"));
                KnownDamage::new()
            }
            known => known?,
        };
        let mut backups = sight.into_names();
        backups.sort();
        let (future, present): (Vec<_>, Vec<_>) =
            backups.into_iter().rev().partition(|backup| backup.id.is_future(now));
        for backup in &future {
            warnings.push(format!("skipped {backup}: {}", Flaw::Future));
        }
        let mut damaged = None;
        let mut usable = 0;
        for backup in present {
            match self.damage_in_the_way(&backup, &known).await? {
                None if usable == before => return Ok(Some(Selected { backup, warnings })),
                None => usable += 1,
                Some(flaw) => {
                    warnings.push(format!("skipped {backup}: {flaw}"));
                    damaged.get_or_insert(backup);
                }
            }
        }
        if before > 0 {
            let (selector, location) = (selector.to_owned(), self.store.location());
            return Err(RepositoryError::TooFew { selector, instance, usable, location });
        }
        let Some(backup) = damaged.or_else(|| future.into_iter().next()) else { return Ok(None) };
        warnings.push(format!("used {backup} nevertheless: no other backup is better"));
        Ok(Some(Selected { backup, warnings }))
    }

    /// Returns known damage that a restore would meet. Returns `None` if there is none, and if the
    /// manifest cannot be read, because that is an error of its own.
    async fn damage_in_the_way(
        &self,
        backup: &BackupRef,
        known: &KnownDamage,
    ) -> Result<Option<Flaw>, RepositoryError> {
        if known.is_empty() {
            return Ok(None);
        }
        let manifest = match self.verified_manifest(backup).await {
            Ok(manifest) => manifest,
            Err(error) if error.is_of_object() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut damage = damage_of(&manifest, known);
        damage.retain(|damage| manifest.is_restored_from(&damage.key));
        Ok((!damage.is_empty()).then_some(Flaw::Damaged(damage)))
    }
}

/// The backups of an instance by their dates.
pub(crate) struct Dated {
    pub(crate) clocks: Clocks,
    pub(crate) backups: Vec<(BackupId, Timestamp)>,
}

/// Which backups a selector may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Among {
    Backups,
    DamagedToo,
    Remains,
}

impl Manifest {
    /// Returns whether a restore needs the object. It does not need the lists of tables,
    /// attachments and findings.
    fn is_restored_from(&self, key: &Key) -> bool {
        let tables = self.database.rows.as_ref().map(|rows| &rows.list.key);
        let attachments = self.attachments.as_ref().map(|attachments| &attachments.list.key);
        let findings = self.filestore.list_of_findings().map(|list| &list.key);
        ![tables, attachments, findings].contains(&Some(key)) && key.name() != DAMAGE
    }
}
