//! Tells whether a due backup exists already, no matter which process made it.

use jiff::Timestamp;

use super::identity::{DatabaseIdentity, DatabaseSameness, readable};
use super::seen::Seen;
use crate::error::Error;
use crate::instance::Instance;
use crate::repository::{BackupId, BackupRef, Repository};

/// Returns the newest good backup of the instance's database that shows the moment `since` or a
/// later one, by this machine's clock.
///
/// Skips backups dated in the future, and those that the store received before `since`, whatever
/// their date: a clock was ahead then. Skips backups of another database, imported ones, and those
/// with known damage.
pub(super) async fn by(
    repository: &Repository,
    instance: &Instance,
    since: Timestamp,
) -> Result<Option<BackupId>, Error> {
    let dated = repository.dated(&instance.name).await?;
    let clocks = dated.clocks;
    // As exact as the names of backups.
    let since = BackupId::new(since.checked_sub(clocks.ahead()).unwrap_or(since)).created_at().unwrap_or(since);
    let serves = |id: &BackupId, stored: Timestamp| {
        !id.is_future(clocks.now()) && id.created_at().is_some_and(|date| date.min(stored) >= since)
    };
    let mut candidates: Vec<BackupId> =
        dated.backups.into_iter().filter(|(id, stored)| serves(id, *stored)).map(|(id, _)| id).collect();
    if candidates.is_empty() {
        return Ok(None);
    }
    candidates.sort_by(|a, b| b.cmp(a));
    let own = DatabaseIdentity::ask(instance).await?;
    let mut seen = Seen::of(repository, &instance.name).await?;
    for id in candidates {
        let backup = BackupRef::new(instance.name.as_str(), id);
        let Some(manifest) = readable(&mut seen, &backup).await? else { continue };
        let is_same = manifest.imported.is_none()
            && !matches!(own.compare(&DatabaseIdentity::of(&manifest)), DatabaseSameness::Other(_));
        if is_same && !repository.is_known_damaged(&manifest).await? {
            return Ok(Some(backup.id));
        }
    }
    Ok(None)
}
