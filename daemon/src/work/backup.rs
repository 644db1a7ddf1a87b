//! A backup, and what follows it: its copies, and the prune of what it made superfluous.

use std::collections::BTreeMap;

use engine::backup::{BackupOptions, Made, backup, backup_unless_made};
use engine::config::MAIN;
use engine::copy;
use engine::error::explain;
use engine::manifest::Manifest;
use engine::prune::{self, Behind};
use engine::repository::Repository;

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
    let mut copied_to = Vec::new();
    for (to, copied) in copy::after_backup(work.config, repository, &manifest, work.run).await {
        match copied {
            Ok(copied) => {
                warnings.extend(copied.damaged.iter().map(ToString::to_string));
                warnings.extend(copied.set_aside.iter().map(ToString::to_string));
                copied_to.push(to);
            }
            // The backup is there, and the next copy makes up for it: to back up again would not help.
            Err(error) => warnings.push(format!("no copy in {to}: {}", explain(&error))),
        }
    }
    let mut figures = figures_of(&manifest);
    if let Some(behind) = prune::after_backup(repository, MAIN, work.instance, work.run).await {
        warnings.extend(behind.warnings());
        figures.extend(named(["removed_backups", "removed_bytes"], removed(&[behind])));
    }
    let behinds = prune::after_copies(work.config, &copied_to, work.instance, work.run).await;
    for behind in &behinds {
        warnings.extend(behind.warnings().into_iter().map(|warning| format!("in {}: {warning}", behind.repository)));
    }
    figures.extend(named(["removed_copies", "removed_copies_bytes"], removed(&behinds)));
    Ok(Outcome::Done { figures, backup: Some(manifest.id), warnings })
}

/// How many backups were removed, and what that freed, in bytes; `None` where no prune ended well.
fn removed(behinds: &[Behind]) -> Option<(u64, u64)> {
    let removed = behinds.iter().filter_map(|behind| behind.pruned.as_ref().ok()).map(|pruned| &pruned.removed);
    removed
        .map(|removed| (removed.backups.len() as u64, removed.bytes))
        .reduce(|one, other| (one.0 + other.0, one.1 + other.1))
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
