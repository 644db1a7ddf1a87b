//! A backup, its copies, and the prune after it.

use std::collections::BTreeMap;

use config::{MAIN, explain};
use engine::backup::{BackupOptions, Made, backup, backup_unless_made};
use engine::manifest::Manifest;
use engine::repository::Repository;

use super::Work;
use crate::failure::Failure;
use crate::follow::{PruneIn, Stored, follow};
use crate::journal::{RemovedBackup, RunOutcome};

/// Backs up, unless another daemon has served the slot.
pub(super) async fn back_up(repository: &Repository, work: &Work<'_>, reread: bool) -> Result<RunOutcome, Failure> {
    // It may have been upgraded since the daemon opened it.
    let repository = &repository.opened_again().await?;
    let options = BackupOptions { reread, ..BackupOptions::of(&work.instance.instance) };
    let manifest = match work.slot {
        None => backup(repository, &work.instance.instance, options, work.run).await?,
        Some(slot) => match backup_unless_made(repository, &work.instance.instance, slot, options, work.run).await? {
            Made::Now(manifest) => *manifest,
            Made::Before(_) => return Ok(RunOutcome::Elsewhere),
        },
    };
    let mut warnings = manifest.warnings.clone();
    let stored = Stored { repository, name: MAIN, manifest: &manifest };
    let followed = follow(work.config, stored, work.instance, true, work.run).await;
    for (to, copied) in followed.copies {
        match copied {
            Ok(copied) => {
                warnings.extend(copied.damaged.iter().map(ToString::to_string));
                warnings.extend(copied.set_aside.iter().map(ToString::to_string));
            }
            // The backup exists, and the next copy catches up: another backup would not help.
            Err(error) => warnings.push(format!("no copy in {to}: {}", explain(&error))),
        }
    }
    let mut figures = figures_of(&manifest);
    let (own, further): (Vec<_>, Vec<_>) = followed.prunes.into_iter().partition(|prune| prune.repository == MAIN);
    warnings.extend(own.iter().flat_map(PruneIn::warnings));
    figures.extend(named(["removed_backups", "removed_bytes"], removed(&own)));
    for prune in &further {
        warnings.extend(prune.warnings().into_iter().map(|warning| format!("in {}: {warning}", prune.repository)));
    }
    figures.extend(named(["removed_copies", "removed_copies_bytes"], removed(&further)));
    let removed = own.iter().chain(&further).flat_map(removed_backups).collect();
    Ok(RunOutcome::Done { figures, backup: Some(manifest.id), warnings, removed, proof: None })
}

/// Returns how many backups were removed, and the freed bytes; `None` if no prune succeeded.
fn removed(prunes: &[PruneIn]) -> Option<(u64, u64)> {
    let removed = prunes.iter().filter_map(|prune| prune.pruned.as_ref().ok()).map(|pruned| &pruned.removed);
    removed
        .map(|removed| (removed.backups.len() as u64, removed.bytes))
        .reduce(|one, other| (one.0 + other.0, one.1 + other.1))
}

/// Returns the backups that a prune removed, and why.
fn removed_backups(prune: &PruneIn) -> impl Iterator<Item = RemovedBackup> {
    let reason = format!("no rule keeps it ({})", prune.instance.instance.retention.policy);
    let backups = prune.pruned.iter().flat_map(|pruned| &pruned.removed.backups);
    backups.map(move |backup| RemovedBackup {
        repository: prune.repository.clone(),
        backup: backup.clone(),
        reason: reason.clone(),
    })
}

/// Returns what was removed, as figures of these names.
fn named([backups, bytes]: [&str; 2], removed: Option<(u64, u64)>) -> impl Iterator<Item = (String, u64)> {
    let figures = removed.map(|(count, size)| [(backups.to_owned(), count), (bytes.to_owned(), size)]);
    figures.into_iter().flatten()
}

fn figures_of(manifest: &Manifest) -> BTreeMap<String, u64> {
    let figures = [
        ("stored_bytes", manifest.stored_bytes()),
        ("database_bytes", manifest.database.dump.plain().size),
        ("filestore_bytes", manifest.filestore.bytes),
        ("filestore_files", manifest.filestore.files),
    ];
    figures.map(|(name, figure)| (name.to_owned(), figure)).into()
}
