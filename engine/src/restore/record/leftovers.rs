//! Removes what interrupted restores left, and names it.

use std::io;
use std::path::Path;

use super::Scrap;
use super::claim::TargetClaim;
use crate::cause;
use crate::folder::OpenFolder;
use crate::postgres::{self, PostgresError};
use crate::restore::RestoreError;
use crate::restore::staging::scratch;
use crate::restore::swap::{Settled, settle};
use crate::run::Run;

/// What was removed, and what could not be, in words.
#[derive(Debug, Default)]
pub(in crate::restore) struct Cleared {
    pub(in crate::restore) done: Vec<String>,
    pub(in crate::restore) left: Vec<String>,
}

/// Finishes or reverts the swap of an interrupted run, and removes what it left.
///
/// # Errors
/// [`RestoreError::HalfSwapped`]. What cannot be removed is only reported.
pub(in crate::restore) async fn clear(claim: &mut TargetClaim, run: &Run) -> Result<Vec<String>, RestoreError> {
    let settled = settle(claim).await?;
    let Cleared { mut done, left } = remove(claim).await;
    let name = &claim.names.database;
    if let Some(settled) = settled {
        done.insert(
            0,
            match settled {
                Settled::Done => format!("finished the swap of {name:?} that an earlier run had begun"),
                Settled::TakenBack => format!("reverted the swap of {name:?} that an earlier run had begun"),
            },
        );
    }
    done.iter().chain(&left).for_each(|text| run.progress.warn(text));
    Ok(done)
}

/// Removes the record's scraps. Those that cannot be removed stay in it for the next run.
pub(in crate::restore) async fn remove(claim: &mut TargetClaim) -> Cleared {
    let mut cleared = Cleared::default();
    // Names that are about to change are no safe guide.
    if claim.record.swap.is_some() {
        return cleared;
    }
    // The connection may have broken together with the restore; and what another run works on must
    // not be removed here.
    if let Err(error) = claim.hold().await {
        let names = claim.record.scraps.iter().map(|scrap| claim.names.with(&scrap.suffix).database);
        let names = names.collect::<Vec<_>>().join(", ");
        cleared.left.push(format!("{}; the next run removes {names}", crate::error::explain(&error)));
        return cleared;
    }
    let mut kept = Vec::new();
    for scrap in std::mem::take(&mut claim.record.scraps) {
        let before = cleared.left.len();
        remove_database(claim, &scrap, &mut cleared).await;
        let folder = claim.names.with(&scrap.suffix).filestore;
        let scratch = scrap.scratch.as_deref().filter(|folder| scratch::is_own(folder, &scrap.suffix));
        for folder in [Some(&*folder), scratch].into_iter().flatten() {
            remove_folder(folder, &mut cleared).await;
        }
        if cleared.left.len() > before {
            kept.push(scrap);
        }
    }
    claim.record.scraps = kept;
    if let Err(error) = claim.save() {
        cleared.left.push(format!("{}; the next run reads it as it was", crate::error::explain(&error)));
    }
    cleared
}

async fn remove_database(claim: &TargetClaim, scrap: &Scrap, cleared: &mut Cleared) {
    let name = claim.names.with(&scrap.suffix).database;
    let removed = async {
        let there = postgres::database_exists(&claim.server, &name).await?;
        // Only of what this program created. The previous state may follow a publisher, which keeps
        // a slot for it.
        if there && scrap.suffix.is_restoring() {
            let dropped = postgres::drop_subscriptions(&claim.server.endpoint().with_database(&name)).await;
            if let Err(error) = dropped {
                tracing::debug!(database = name, %error, "unable to look for subscriptions");
            }
        }
        postgres::drop_database(&claim.server, &name).await?;
        Ok::<_, PostgresError>(there)
    };
    match removed.await {
        Ok(true) => cleared.done.push(format!("dropped the database {name:?}")),
        Ok(false) => {}
        Err(error) => {
            let why = crate::error::explain(&error);
            let hint = why.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            cleared.left.push(format!("{why}{hint}; the next run tries again to drop the database {name:?}"));
        }
    }
}

async fn remove_folder(folder: &Path, cleared: &mut Cleared) {
    if folder.symlink_metadata().is_err() {
        return;
    }
    let path = folder.to_owned();
    let removed = tokio::task::spawn_blocking(move || {
        // The parent folder belongs to Odoo's user, who may replace an ancestor by a link.
        let around = OpenFolder::open(path.parent().unwrap_or(&path))?;
        std::fs::remove_dir_all(around.within(path.file_name().unwrap_or_default()))
    });
    let removed = removed.await;
    match removed.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(()) => cleared.done.push(format!("removed the folder {}", folder.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let (folder, why) = (folder.display(), cause::line(&error));
            cleared.left.push(format!("unable to remove the folder {folder}: {why}; the next run tries again"));
        }
    }
}
