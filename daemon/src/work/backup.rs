//! A backup, and what follows it: its copies, and the prune of what it made superfluous.

use std::collections::BTreeMap;

use engine::backup::{BackupOptions, Made, backup, backup_unless_made};
use engine::config::{CopyRepository, Instance};
use engine::copy::after_backup;
use engine::error::explain;
use engine::manifest::Manifest;
use engine::prune::{PruneOptions, Repacked, prune};
use engine::repository::Repository;
use engine::run::Run;

use super::Work;
use crate::failure::Failure;
use crate::journal::Outcome;

/// Backs up, unless another has served the slot.
pub(super) async fn back_up(repository: &Repository, work: &Work<'_>, reread: bool) -> Result<Outcome, Failure> {
    let options = BackupOptions { reread, ..BackupOptions::of(work.instance) };
    let manifest = match work.slot {
        None => backup(repository, work.instance, options, work.run).await?,
        Some(slot) => match backup_unless_made(repository, work.instance, slot, options, work.run).await? {
            Made::Now(manifest) => *manifest,
            Made::Before(_) => return Ok(Outcome::Elsewhere),
        },
    };
    let mut warnings = manifest.warnings.clone();
    let mut copies = Vec::new();
    for (to, copied) in after_backup(work.config, repository, &manifest, work.run).await {
        match copied {
            Ok(copied) => {
                warnings.extend(copied.damaged.iter().map(ToString::to_string));
                warnings.extend(copied.set_aside.iter().map(ToString::to_string));
                copies.extend(work.config.copies.get(&to));
            }
            // The backup is there, and the next copy makes up for it: to back up again would not help.
            Err(error) => warnings.push(format!("no copy in {to}: {}", explain(&error))),
        }
    }
    let mut figures = figures_of(&manifest);
    if work.instance.retention.is_configured {
        let pruned = prune_behind(repository, work.instance, work.run).await;
        warnings.extend(pruned.warnings);
        figures.extend(named(["removed_backups", "removed_bytes"], pruned.removed));
    }
    if let Some(pruned) = prune_copies(&copies, work).await {
        warnings.extend(pruned.warnings);
        figures.extend(named(["removed_copies", "removed_copies_bytes"], pruned.removed));
    }
    Ok(Outcome::Done { figures, backup: Some(manifest.id), warnings })
}

/// What a prune has removed, and what kept it from it.
#[derive(Debug, Default)]
struct Behind {
    /// How many backups, and what that freed, in bytes; `None` where it failed.
    removed: Option<(u64, u64)>,
    warnings: Vec<String>,
}

/// Prunes an instance. The backup is made: what goes wrong here is a warning, and the next one's prune does it.
async fn prune_behind(repository: &Repository, instance: &Instance, run: &Run) -> Behind {
    let pruned = match prune(repository, instance, PruneOptions::default(), run).await {
        Ok(pruned) => pruned,
        Err(error) => {
            let warning = format!("the backup is made, but not pruned: {}", explain(&error));
            return Behind { removed: None, warnings: vec![warning] };
        }
    };
    let held = pruned.plan.holds.iter().map(|hold| format!("nothing is removed: {hold}; {}", hold.hint()));
    let damaged = pruned.damaged.iter().map(|damaged| {
        let error = explain(&damaged.error);
        format!("nothing is removed, for what {} needs is not known: {error}", damaged.id)
    });
    let repacked = pruned.repacked.iter().flat_map(Repacked::warnings);
    let warnings = held.chain(damaged).chain(repacked).collect();
    Behind { removed: Some((pruned.removed.backups.len() as u64, pruned.removed.bytes)), warnings }
}

/// Prunes those repositories that were just copied to and for which something says what is to stay: each by its own retention. `None`
/// where there are none.
async fn prune_copies(copies: &[&CopyRepository], work: &Work<'_>) -> Option<Behind> {
    let mut all: Option<Behind> = None;
    for copy in copies {
        let kept_there = copy.instance(work.instance);
        if !kept_there.retention.is_configured {
            continue;
        }
        let pruned = match Repository::at(&copy.place).await {
            Ok(repository) => prune_behind(&repository, &kept_there, work.run).await,
            Err(error) => {
                let warning = format!("the backup is copied, but not pruned: {}", explain(&error));
                Behind { removed: None, warnings: vec![warning] }
            }
        };
        let all = all.get_or_insert_default();
        if let Some((backups, bytes)) = pruned.removed {
            let sum = all.removed.get_or_insert_default();
            *sum = (sum.0 + backups, sum.1 + bytes);
        }
        all.warnings.extend(pruned.warnings.into_iter().map(|warning| format!("in {}: {warning}", copy.name)));
    }
    all
}

/// What was removed, as figures of these names.
fn named([backups, bytes]: [&str; 2], removed: Option<(u64, u64)>) -> impl Iterator<Item = (String, u64)> {
    let figures = removed.map(|(count, size)| [(backups.to_owned(), count), (bytes.to_owned(), size)]);
    figures.into_iter().flatten()
}

fn figures_of(manifest: &Manifest) -> BTreeMap<String, u64> {
    let figures = [
        ("stored_bytes", manifest.stored_bytes()),
        ("database_bytes", manifest.database.object.plain.size),
        ("filestore_bytes", manifest.filestore.bytes),
        ("filestore_files", manifest.filestore.files),
    ];
    figures.map(|(name, figure)| (name.to_owned(), figure)).into()
}
