//! Records damage that restore, drill, export or fetch meet in a backup.

use std::collections::BTreeSet;
use std::io;

use super::data::{read_dump_volume, read_volume};
use super::known::note;
use crate::error::{Error, explain};
use crate::manifest::{Manifest, StoredObject};
use crate::repository::{Damage, Repository, RepositoryError};
use crate::run::Run;
use crate::store::Key;

/// Reads the objects again that `failure` reports as damaged. Returns the damage, which is empty if
/// all are intact. Returns `None` if the failure names no object.
///
/// # Errors
/// What prevented the reading
pub(crate) async fn look_again(
    repository: &Repository,
    manifest: &Manifest,
    failure: &Error,
    run: &Run,
) -> Result<Option<Vec<Damage>>, Error> {
    let said = explain(failure).to_string();
    let named: Vec<_> = manifest.objects().filter(|object| said.contains(object.key.as_str())).collect();
    let mut damage = BTreeSet::new();
    for object in &named {
        damage.extend(read_again(repository, manifest, object, run).await?);
    }
    Ok((!named.is_empty()).then(|| damage.into_iter().collect()))
}

/// Records what a second reading of a backup's objects found, so that listings, checks and the next
/// backup know it.
///
/// # Errors
/// What prevented the recording
pub(crate) async fn write_down(repository: &Repository, manifest: &Manifest, damage: &[Damage]) -> Result<(), Error> {
    let manifest_key = manifest.backup().manifest();
    // A backup that was pruned in the meantime is not damaged.
    if damage.is_empty() || repository.store().head(&manifest_key).await?.is_none() {
        return Ok(());
    }
    let mut listed = BTreeSet::new();
    for Damage { key, .. } in damage {
        if is_listed(repository, manifest, key).await? {
            listed.insert(key);
        }
    }
    Ok(note(repository, &manifest.instance, damage, |key| !listed.contains(key)).await?)
}

/// Records the damage that a failure reports, if a second reading confirms it. The caller reports
/// the failure itself, so a problem here is only a warning.
pub(crate) async fn take_note(repository: &Repository, manifest: &Manifest, failure: &Error, run: &Run) {
    if !failure.is_damage() {
        return;
    }
    let noted = async {
        let damage = look_again(repository, manifest, failure, run).await?;
        if damage.as_ref().is_some_and(Vec::is_empty) {
            run.progress.warn("an object looked damaged, but was intact when it was read again");
        }
        write_down(repository, manifest, &damage.unwrap_or_default()).await
    };
    if let Err(error) = run.until_cancelled(noted).await {
        warn_of_unwritten(&error, run);
    }
}

/// Warns that the damage could not be recorded.
pub(crate) fn warn_of_unwritten(error: &Error, run: &Run) {
    run.progress.warn(&format!("unable to record that the backup is damaged: {}", explain(error)));
}

/// Records that objects of an instance were read to their end and are intact.
///
/// # Errors
/// What prevented the recording
pub(crate) async fn settle(
    repository: &Repository,
    instance: &str,
    read: impl IntoIterator<Item = &Key>,
) -> Result<(), RepositoryError> {
    repository.note_damage(instance, false, |known| read.into_iter().for_each(|key| drop(known.remove(key)))).await
}

async fn read_again(
    repository: &Repository,
    manifest: &Manifest,
    object: &StoredObject,
    run: &Run,
) -> Result<Vec<Damage>, Error> {
    let task = run.progress.task(object.key.as_str(), Some(object.plain.size));
    let dumps = manifest.database.dump.volumes().map_or(&[][..], |stored| &stored.volumes);
    let is_named = |one: &StoredObject| one.key == object.key;
    let volume = manifest.filestore.volumes.iter().find(|volume| is_named(&volume.object));
    let of_dump = dumps.iter().find(|volume| is_named(&volume.object) || is_named(&volume.index));
    match (volume, of_dump) {
        (Some(volume), _) => read_volume(repository, volume, task).await,
        (None, Some(volume)) => read_dump_volume(repository, volume, task).await,
        (None, None) => {
            let read = repository.examine(object, task, |plain| io::copy(plain, &mut io::sink())).await?;
            Ok(read.damage().into_iter().collect())
        }
    }
}

/// Returns whether a listing shows the damage: the object is missing, or has another size.
async fn is_listed(repository: &Repository, manifest: &Manifest, key: &Key) -> Result<bool, Error> {
    let found = repository.store().head(key).await?;
    let size = manifest.objects().find(|object| object.key == *key).map(|object| object.stored.size);
    Ok(found.map(|found| found.size) != size)
}
