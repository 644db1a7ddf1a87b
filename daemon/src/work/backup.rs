//! A backup, and what follows it: its copies, and the prune of what it made superfluous.

use std::collections::BTreeMap;

use engine::backup::{BackupOptions, Made, backup, backup_unless_made};
use engine::copy::after_backup;
use engine::error::explain;
use engine::manifest::Manifest;
use engine::prune::{PruneOptions, prune};
use engine::repository::Repository;

use super::Work;
use crate::failure::Failure;
use crate::journal::Outcome;

/// Backs up, unless another has served the slot.
pub(super) async fn back_up(repository: &Repository, work: &Work<'_>, reread: bool) -> Result<Outcome, Failure> {
    let options = BackupOptions { reread, ..BackupOptions::default() };
    let manifest = match work.slot {
        None => backup(repository, work.instance, options, work.run).await?,
        Some(slot) => match backup_unless_made(repository, work.instance, slot, options, work.run).await? {
            Made::Now(manifest) => *manifest,
            Made::Before(_) => return Ok(Outcome::Elsewhere),
        },
    };
    let mut warnings = manifest.warnings.clone();
    for (to, copied) in after_backup(work.config, repository, &manifest, work.run).await {
        warnings.extend(match copied {
            Ok(copied) => copied.damaged.iter().map(ToString::to_string).collect(),
            // The backup is there, and the next copy makes up for it: to back up again would not help.
            Err(error) => vec![format!("no copy in {to}: {}", explain(&error))],
        });
    }
    let mut figures = figures_of(&manifest);
    prune_behind(repository, work, &mut figures, &mut warnings).await;
    Ok(Outcome::Done { figures, backup: Some(manifest.id), warnings })
}

/// Prunes an instance that says what is to stay. The backup is made: what goes wrong here is a warning, and the next one's prune does it.
async fn prune_behind(
    repository: &Repository,
    work: &Work<'_>,
    figures: &mut BTreeMap<String, u64>,
    warnings: &mut Vec<String>,
) {
    let instance = work.instance;
    if !instance.retention.is_configured {
        return;
    }
    match prune(repository, instance, PruneOptions::default(), work.run).await {
        Ok(pruned) => {
            let held = pruned.plan.holds.iter().map(|hold| format!("nothing is removed: {hold}; {}", hold.hint()));
            warnings.extend(held);
            let damaged = pruned.damaged.iter().map(|damaged| {
                let error = explain(&damaged.error);
                format!("nothing is removed, for what {} needs is not known: {error}", damaged.id)
            });
            warnings.extend(damaged);
            figures.insert("removed_backups".to_owned(), pruned.removed.backups.len() as u64);
            figures.insert("removed_bytes".to_owned(), pruned.removed.bytes);
        }
        Err(error) => warnings.push(format!("the backup is made, but not pruned: {}", explain(&error))),
    }
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
