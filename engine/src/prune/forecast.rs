//! What a prune would do at another moment, and what `forget` would remove. Nothing is written.

use jiff::Timestamp;
use retention::Backup;

use super::inventory::Inventory;
use super::removal::Readers;
use super::{PruneOptions, Pruned, refuse_protected, survey};
use crate::error::Error;
use crate::instance::Instance;
use crate::repository::{BackupRef, Repository};
use crate::run::Run;

/// A moment to plan for, other than now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    /// The moment. Backups made after it do not count.
    pub at: Timestamp,
    /// When the schedule makes further backups until then. Each is assumed to have no warnings, and
    /// the figures of the newest backup.
    pub expected: Vec<Timestamp>,
}

/// Begins the id of a backup that does not exist yet. No id of a backup begins with it.
const EXPECTED: &str = "expected ";

pub(super) fn is_expected(id: &str) -> bool {
    id.starts_with(EXPECTED)
}

impl Then {
    /// Makes a list of backups what it will be then, as far as that is known.
    pub(super) fn pretend(&self, backups: &mut Vec<Backup>) {
        let newest =
            backups.iter().filter(|backup| backup.created_at <= self.at).max_by_key(|backup| backup.created_at);
        let Some(Backup { instance, figures, created_at, .. }) = newest.cloned() else {
            backups.clear();
            return;
        };
        backups.retain(|backup| backup.created_at <= self.at);
        let expected = self.expected.iter().filter(|moment| **moment > created_at && **moment <= self.at);
        backups.extend(expected.map(|moment| {
            let id = format!("{EXPECTED}{moment}");
            Backup { figures, ..Backup::new(id, instance.as_str(), *moment) }
        }));
    }
}

/// Returns what a prune would do at another moment. The plan has the existing backups alone.
///
/// # Errors
/// As the cause of [`Error::Verb`]: those of the store
pub async fn forecast_at(
    repository: &Repository,
    instance: &Instance,
    options: PruneOptions,
    then: &Then,
    run: &Run,
) -> Result<Pruned, Error> {
    let options = PruneOptions { dry_run: true, ..options };
    let survey = run.until_cancelled(survey(repository, instance, options, Some(then)));
    let (pruned, _) = survey.await.map_err(|error| error.during(format!("prune {}", instance.name)))?;
    Ok(pruned)
}

/// What [`forget`](super::forget) would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Whether another process reads the backup, which keeps it.
    pub in_use: bool,
    /// The bytes that only this backup needs. `None` if that is not known, because its manifest
    /// cannot be read or it is quarantined.
    pub frees_bytes: Option<u64>,
}

/// Returns what [`forget`](super::forget) would do.
///
/// # Errors
/// Those of [`forget`](super::forget), except that of the lock
pub async fn forecast_forget(
    repository: &Repository,
    backup: &BackupRef,
    spelt_out: bool,
    run: &Run,
) -> Result<Forgotten, Error> {
    let BackupRef { instance, id } = backup;
    let forecast = run.until_cancelled(async {
        let inventory = Inventory::take(repository, instance, false).await?;
        refuse_protected(repository, backup, &inventory, spelt_out).await?;
        let readers = Readers::at(repository, inventory.clocks.now(), instance).await?;
        let frees_bytes = inventory.frees(std::slice::from_ref(id)).remove(id);
        Ok::<_, Error>(Forgotten { in_use: readers.read(id), frees_bytes })
    });
    forecast.await.map_err(|error| error.during(format!("forget {backup}")))
}
