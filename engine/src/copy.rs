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
use crate::manifest::{Manifest, StoredObject};
use crate::repository::{
    BackupId, BackupRef, Damage, Documents, Lock, ObjectListing, Purpose, Repository, RepositoryError,
    damage_of_document,
};
use crate::run::Run;
use crate::store::{Key, Mode};

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
    copy_or_forecast(from, to, backups, false, run).await
}

/// Returns what [`copy`] would do, and does nothing: it takes no lock and reads no object of the
/// source. So it reports an object as damaged only if it is missing or has another size.
///
/// # Errors
/// Those of [`copy`], except that of the lock
pub async fn forecast(from: &Repository, to: &Repository, backups: &[BackupRef], run: &Run) -> Result<Copied, Error> {
    copy_or_forecast(from, to, backups, true, run).await
}

async fn copy_or_forecast(
    from: &Repository,
    to: &Repository,
    backups: &[BackupRef],
    dry_run: bool,
    run: &Run,
) -> Result<Copied, Error> {
    let mut instances: BTreeMap<&str, BTreeSet<&BackupRef>> = BTreeMap::new();
    for backup in backups {
        instances.entry(&backup.instance).or_default().insert(backup);
    }
    let work = async {
        let mut copied = Copied::default();
        for (instance, backups) in instances {
            if dry_run {
                forecast_instance(from, to, instance, backups, run, &mut copied).await?;
            } else {
                copy_instance(from, to, instance, backups, run, &mut copied).await?;
            }
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
        let mut copying = Copying::new(from, lock.run(), destination, copied);
        // The oldest come first, so that the destination always has everything up to some day.
        for backup in backups {
            copying.copy_locked(backup, lock).await?;
        }
        Ok(())
    });
    copying.await
}

/// Adds to `copied` what [`copy_instance`] would do.
async fn forecast_instance(
    from: &Repository,
    to: &Repository,
    instance: &str,
    backups: BTreeSet<&BackupRef>,
    run: &Run,
    copied: &mut Copied,
) -> Result<(), Error> {
    let look = async { Ok::<_, Error>((Destination::look(to, instance).await?, from.listed(instance).await?)) };
    let (destination, mut source) = run.until_cancelled(look).await?;
    let mut copying = Copying::new(from, run, destination, copied);
    for backup in backups {
        copying.forecast(backup, &mut source).await?;
    }
    Ok(())
}

/// The copying of one instance's backups.
struct Copying<'a> {
    from: &'a Repository,
    run: &'a Run,
    destination: Destination<'a>,
    /// Damaged objects in the source. Several backups may reference them.
    broken: HashMap<Key, Damage>,
    /// Whether the databases of the backups were compared.
    is_compared: bool,
    copied: &'a mut Copied,
}

/// A backup of which something is missing in the destination.
struct Missing {
    documents: Documents,
    /// Whether the backup itself is there.
    is_there: bool,
    objects: Vec<(StoredObject, Mode)>,
}

impl<'a> Copying<'a> {
    fn new(from: &'a Repository, run: &'a Run, destination: Destination<'a>, copied: &'a mut Copied) -> Self {
        Self { from, run, destination, broken: HashMap::new(), is_compared: false, copied }
    }

    /// Copies one backup, which is protected from a prune meanwhile. `lock` is that of the instance
    /// in the destination.
    async fn copy_locked(&mut self, backup: &BackupRef, lock: &Lock) -> Result<(), Error> {
        let reading = match self.from.lock_to_read(backup, self.run).await {
            Err(RepositoryError::NoSuchBackup { .. }) => return self.leave_gone(backup).await,
            other => other?,
        };
        let done = self.copy(backup, lock).await;
        match reading {
            Some(reading) => reading.finish(done).await,
            None => done,
        }
    }

    /// Leaves out a backup that has no manifest in the source.
    async fn leave_gone(&mut self, backup: &BackupRef) -> Result<(), Error> {
        let aside = backup.quarantined_manifest();
        let head = async { Ok::<_, Error>(self.from.store().head(&aside).await?) };
        if self.run.until_cancelled(head).await?.is_some() {
            self.leave_aside(backup, false);
        } else {
            self.run.progress.warn(&format!("{backup} was removed before it could be copied"));
        }
        Ok(())
    }

    /// Finds out what the destination lacks of a backup. Returns `None` if the backup is left out.
    async fn missing(&mut self, backup: &BackupRef) -> Result<Option<Missing>, Error> {
        if self.destination.has_set_aside(backup) {
            self.leave_aside(backup, true);
            return Ok(None);
        }
        let documents = match self.from.documents(backup).await {
            Ok(documents) => documents,
            Err(error) => {
                let damage = damage_of_document::<Error>(backup.manifest(), error)?;
                self.leave_out(backup, [damage]);
                return Ok(None);
            }
        };
        let Manifest { format, .. } = documents.manifest;
        let to = self.destination.repository;
        if format > to.description().format {
            let (location, found) = (to.store().location(), to.description().format);
            return Err(
                RepositoryError::OlderFormat { location, found, backup: backup.to_string(), needed: format }.into()
            );
        }
        if !self.is_compared {
            self.is_compared = true;
            if let Some(warning) = self.destination.is_of_another(self.from, &documents.manifest).await? {
                self.run.progress.warn(&warning);
            }
        }
        let there = self.destination.backup(backup, &documents).await?;
        let is_there = there.is_some();
        // Objects that it lost there are copied, if it references the same objects here.
        let is_named =
            |object: &&StoredObject| there.as_ref().is_none_or(|there| there.objects().any(|named| named == *object));
        let mut objects = Vec::new();
        for object in documents.manifest.objects().filter(is_named) {
            if let Some(damage) = self.broken.get(&object.key) {
                let damage = damage.clone();
                self.leave_out(backup, [damage]);
                return Ok(None);
            }
            if let Some(mode) = self.run.until_cancelled(self.destination.lacks(object)).await? {
                objects.push((object.clone(), mode));
            }
        }
        Ok(Some(Missing { documents, is_there, objects }))
    }

    /// Counts what [`Self::copy_locked`] would do. `source` lists the instance.
    async fn forecast(&mut self, backup: &BackupRef, source: &mut ObjectListing) -> Result<(), Error> {
        if !source.has(&backup.manifest()) {
            return self.leave_gone(backup).await;
        }
        let Some(Missing { is_there, objects, .. }) = self.missing(backup).await? else { return Ok(()) };
        // The listing may be older than the manifest, or omit an object.
        let unlisted: Vec<_> = objects.iter().filter(|(object, _)| !source.holds(object)).collect();
        for (object, _) in unlisted {
            match self.from.store().head(&object.key).await? {
                Some(found) => source.insert(found),
                None => source.remove(&object.key),
            }
        }
        let lost: Vec<Damage> = objects.iter().filter_map(|(object, _)| source.damage_of(object)).collect();
        if !lost.is_empty() {
            self.broken.extend(lost.iter().map(|damage| (damage.key.clone(), damage.clone())));
            self.leave_out(backup, lost);
            return Ok(());
        }
        for (object, _) in &objects {
            self.stored(object);
        }
        match is_there {
            true => self.copied.there += 1,
            false => self.copied.backups.push(backup.clone()),
        }
        Ok(())
    }

    async fn copy(&mut self, backup: &BackupRef, lock: &Lock) -> Result<(), Error> {
        let Some(Missing { documents, is_there, objects }) = self.missing(backup).await? else { return Ok(()) };
        let name = backup.to_string();
        tracing::info!(backup = name, objects = objects.len(), is_there, "copying");
        let stores = (self.from.store(), self.destination.repository.store());
        let outcomes = self.run.until_cancelled(bring(stores, &name, objects, self.run)).await?;
        let mut damage = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Stored(object) => self.stored(&object),
                Outcome::Damaged(found) => {
                    self.broken.insert(found.key.clone(), found.clone());
                    damage.push(found);
                }
            }
        }
        if !damage.is_empty() {
            self.leave_out(backup, damage);
            return Ok(());
        }
        if is_there {
            self.copied.there += 1;
            return Ok(());
        }
        // The rest takes a moment and must not be interrupted. If the lock were lost, a prune might
        // have removed an object.
        lock.confirm().await?;
        self.destination.commit(backup, &documents).await?;
        self.copied.backups.push(backup.clone());
        Ok(())
    }

    fn leave_aside(&mut self, backup: &BackupRef, there: bool) {
        self.copied.set_aside.push(LeftAside { backup: backup.clone(), there });
    }

    /// Records that an object is in the destination now, or would be.
    fn stored(&mut self, object: &StoredObject) {
        self.copied.objects += 1;
        self.copied.bytes += object.stored.size;
        self.destination.add(object);
    }

    fn leave_out(&mut self, backup: &BackupRef, damage: impl Into<Vec<Damage>>) {
        self.copied.damaged.push(NotCopied { backup: backup.clone(), damage: damage.into() });
    }
}

#[cfg(test)]
mod tests;
