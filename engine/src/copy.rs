//! `copy`: copies backups of one repository into another, unchanged.
//!
//! Only missing objects are copied, each compared in transit with the digest in the manifest. The
//! manifest comes last. So an interruption leaves complete backups, and unreferenced objects that
//! the next run uses.

mod destination;
mod objects;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use self::destination::Destination;
use self::objects::{Outcome, bring};
use crate::error::Error;
use crate::manifest::StoredObject;
use crate::repository::{BackupId, BackupRef, Damage, Lock, Purpose, Repository, RepositoryError, damage_of_document};
use crate::run::Run;
use crate::store::Key;

/// The result of a copy.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Copied {
    /// Backups that were not there before.
    pub backups: Vec<BackupRef>,
    /// How many backups were there already and lack nothing.
    pub there: u64,
    /// How many objects were stored: those of new backups, and those that existing backups there
    /// had lost.
    pub objects: u64,
    /// Their bytes, together.
    pub bytes: u64,
    /// Backups that were not copied because objects of theirs are damaged in the source.
    pub damaged: Vec<NotCopied>,
    /// Backups that were not copied because they are quarantined.
    pub set_aside: Vec<LeftAside>,
}

/// A backup that is not copied because it is quarantined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeftAside {
    /// The backup.
    #[serde(flatten)]
    pub backup: BackupRef,
    /// Whether it is quarantined in the destination instead of the source.
    pub there: bool,
}

impl fmt::Display for LeftAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.there { "destination" } else { "source" };
        let backup = &self.backup;
        write!(f, "{backup} was not copied: it is quarantined in the {place} repository")
    }
}

/// A backup that cannot be copied.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NotCopied {
    /// The backup.
    #[serde(flatten)]
    pub backup: BackupRef,
    /// Its damage.
    pub damage: Vec<Damage>,
}

impl fmt::Display for NotCopied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not copied", self.backup)?;
        self.damage.iter().try_for_each(|damage| write!(f, ": {}: {}", damage.key, damage.reason))
    }
}

/// Returns the backups of `from` that are newer than the newest of the same instance in `to`, the
/// oldest first. Older backups that `to` lacks were removed there, or were not copied because they
/// are damaged. Quarantined backups are included, so that the copy can report them. In `to`, a
/// quarantined backup counts as existing.
///
/// # Errors
/// Any error of either store
pub async fn newer(from: &Repository, to: &Repository, instance: Option<&str>) -> Result<Vec<BackupRef>, Error> {
    let mut newest: BTreeMap<String, BackupId> = BTreeMap::new();
    let names = to.names_with_set_aside(instance).await?;
    let now = to.clocks().await.now();
    // A backup dated in the future would exclude all others until then.
    for BackupRef { instance, id } in names.into_iter().filter(|backup| !backup.id.is_future(now)) {
        let newest = newest.entry(instance).or_insert_with(|| id.clone());
        if id > *newest {
            *newest = id;
        }
    }
    let mut names = from.names_with_set_aside(instance).await?;
    names.retain(|backup| newest.get(&backup.instance).is_none_or(|newest| backup.id > *newest));
    names.sort();
    Ok(names)
}

/// Copies backups. Reports backups that are damaged in `from`, and copies the rest.
///
/// # Errors
/// As the cause of [`Error::Verb`]: a store failed; an instance is locked in `to`; an object there
/// has the same name but belongs to another backup, or is damaged. What was copied until then
/// stays.
pub async fn copy(from: &Repository, to: &Repository, backups: &[BackupRef], run: &Run) -> Result<Copied, Error> {
    let mut instances: BTreeMap<&str, BTreeSet<&BackupRef>> = BTreeMap::new();
    for backup in backups {
        instances.entry(&backup.instance).or_default().insert(backup);
    }
    let work = async {
        let mut copied = Copied::default();
        for (instance, backups) in instances {
            copy_instance(from, to, instance, backups, run, &mut copied).await?;
        }
        Ok::<_, Error>(copied)
    };
    work.await.map_err(|error| error.during(format!("copy backups to {}", to.store().location())))
}

async fn copy_instance(
    from: &Repository,
    to: &Repository,
    instance: &str,
    backups: BTreeSet<&BackupRef>,
    run: &Run,
    copied: &mut Copied,
) -> Result<(), Error> {
    let copying = to.locked(instance, Purpose::Copy, run, async |lock| {
        let destination = lock.run().until_cancelled(Destination::look(to, instance)).await?;
        let mut copying = Copying { from, lock, destination, broken: HashMap::new(), is_compared: false, copied };
        // The oldest come first, so that the destination always has everything up to some day.
        for backup in backups {
            copying.copy_locked(backup).await?;
        }
        Ok(())
    });
    copying.await
}

/// The copying of one instance's backups.
struct Copying<'a> {
    from: &'a Repository,
    /// The lock of the instance in the destination.
    lock: &'a Lock,
    destination: Destination<'a>,
    /// Damaged objects in the source. Several backups may reference them.
    broken: HashMap<Key, Damage>,
    /// Whether the databases of the backups were compared.
    is_compared: bool,
    copied: &'a mut Copied,
}

impl Copying<'_> {
    /// Copies one backup, which is protected from a prune meanwhile.
    async fn copy_locked(&mut self, backup: &BackupRef) -> Result<(), Error> {
        let run = self.lock.run().clone();
        let reading = match self.from.lock_to_read(backup, &run).await {
            Err(RepositoryError::NoSuchBackup { selector, .. }) => {
                let aside = backup.quarantined_manifest();
                if run.until_cancelled(async { Ok::<_, Error>(self.from.store().head(&aside).await?) }).await?.is_some()
                {
                    self.leave_aside(backup, false);
                    return Ok(());
                }
                run.progress.warn(&format!("{selector} was removed before it could be copied"));
                return Ok(());
            }
            other => other?,
        };
        let done = self.copy(backup).await;
        match reading {
            Some(reading) => reading.finish(done).await,
            None => done,
        }
    }

    async fn copy(&mut self, backup: &BackupRef) -> Result<(), Error> {
        if self.destination.has_set_aside(backup) {
            self.leave_aside(backup, true);
            return Ok(());
        }
        let documents = match self.from.documents(backup).await {
            Ok(documents) => documents,
            Err(error) => {
                return self.leave_out(backup, [damage_of_document::<Error>(backup.manifest(), error)?]);
            }
        };
        if !self.is_compared {
            self.is_compared = true;
            if let Some(warning) = self.destination.is_of_another(self.from, &documents.manifest).await? {
                self.lock.run().progress.warn(&warning);
            }
        }
        let there = self.destination.backup(backup, &documents).await?;
        let is_there = there.is_some();
        // Objects that it lost there are copied, if it references the same objects here.
        let is_named =
            |object: &&StoredObject| there.as_ref().is_none_or(|there| there.objects().any(|named| named == *object));
        let mut missing = Vec::new();
        for object in documents.manifest.objects().filter(is_named) {
            if let Some(damage) = self.broken.get(&object.key) {
                let damage = damage.clone();
                return self.leave_out(backup, [damage]);
            }
            if let Some(mode) = self.lock.run().until_cancelled(self.destination.lacks(object)).await? {
                missing.push((object.clone(), mode));
            }
        }
        let name = backup.to_string();
        tracing::info!(backup = name, objects = missing.len(), is_there, "copying");
        let stores = (self.from.store(), self.destination.repository.store());
        let outcomes = self.lock.run().until_cancelled(bring(stores, &name, missing, self.lock.run())).await?;
        let mut damage = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Stored(object) => {
                    self.copied.objects += 1;
                    self.copied.bytes += object.stored.size;
                    self.destination.add(&object);
                }
                Outcome::Damaged(found) => {
                    self.broken.insert(found.key.clone(), found.clone());
                    damage.push(found);
                }
            }
        }
        if !damage.is_empty() {
            return self.leave_out(backup, damage);
        }
        if is_there {
            self.copied.there += 1;
            return Ok(());
        }
        // The rest takes a moment and must not be interrupted. If the lock were lost, a prune might
        // have removed an object.
        self.lock.confirm().await?;
        self.destination.commit(backup, &documents).await?;
        self.copied.backups.push(backup.clone());
        Ok(())
    }

    fn leave_aside(&mut self, backup: &BackupRef, there: bool) {
        self.copied.set_aside.push(LeftAside { backup: backup.clone(), there });
    }

    fn leave_out(&mut self, backup: &BackupRef, damage: impl Into<Vec<Damage>>) -> Result<(), Error> {
        self.copied.damaged.push(NotCopied { backup: backup.clone(), damage: damage.into() });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
