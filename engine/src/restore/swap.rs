//! The last step: what was made beside the target gets its names, and what had them is kept under
//! others.
//!
//! The databases change their names in one transaction, which is what decides: folders cannot be
//! renamed in it, so they are before, while nobody can connect, and a swap that was cut off is
//! finished or taken back by which of the databases has the target's name. That commit also makes
//! sure of what pg_restore wrote without waiting for the disk: the server's log is one stream.

use std::time::Duration;

use super::RestoreError;
use super::guard::sessions;
use super::record::claim::TargetClaim;
use super::record::folders::{FolderId, arrange};
use super::record::names::Suffix;
use super::record::{Pair, Swap};
use crate::postgres::{self, Renaming};

/// How a swap ended that had been cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum Settled {
    /// What was to come has the target's names.
    Done,
    /// What had them has them again.
    TakenBack,
}

/// How long the end of sessions is waited for that have come after the look before all of the work.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// Gives the pair of this suffix the target's names. What had them is the record's former pair from
/// then on. Not to be dropped halfway.
///
/// # Errors
/// The target is then as it was, but for [`RestoreError::HalfSwapped`], which the next run sets
/// right.
pub(in crate::restore) async fn swap(claim: &mut TargetClaim, incoming: &Suffix) -> Result<(), RestoreError> {
    claim.check_connection()?;
    // While the target is still open, so that nobody else has to wait as well.
    let database = &claim.names.database;
    let sessions = sessions::wait_for_end(&claim.server, database, PATIENCE).await?;
    if !sessions.is_empty() {
        return Err(RestoreError::InUse { database: database.clone(), sessions });
    }
    let incoming = claim.look_beside(incoming.clone()).await?;
    let outgoing = claim.look_at_target(free_suffix(claim).await?).await?;
    claim.record.swap = Some(Swap { incoming, outgoing });
    if let Err(error) = claim.save() {
        claim.record.swap = None;
        return Err(error);
    }
    match change_names(claim).await {
        // The record need not be written at once: as it stands it leads to the same end.
        Ok(()) => {
            conclude(claim, Settled::Done);
            Ok(())
        }
        Err(error) => match settle(claim).await? {
            Some(Settled::TakenBack) => Err(error),
            // Its answer was lost, not the commit.
            Some(Settled::Done) | None => Ok(()),
        },
    }
}

/// The suffix of this second, or of the next that is free.
async fn free_suffix(claim: &TargetClaim) -> Result<Suffix, RestoreError> {
    let mut time = jiff::Timestamp::now();
    loop {
        let pair = claim.look_beside(Suffix::before(time)).await?;
        if pair.oid.is_none() && pair.folder.is_none() {
            return Ok(pair.suffix);
        }
        time += jiff::SignedDuration::from_secs(1);
    }
}

async fn change_names(claim: &TargetClaim) -> Result<(), RestoreError> {
    let Some(Swap { incoming, outgoing }) = &claim.record.swap else { return Ok(()) };
    let (target, new, old) = (&claim.names, claim.names.with(&incoming.suffix), claim.names.with(&outgoing.suffix));
    let mut renamings = Vec::new();
    if outgoing.oid.is_some() {
        postgres::close_database(&claim.server, &target.database).await?;
        // It stays closed: its scheduler and its mail must not go on beside those of the new one.
        renamings.push(Renaming { from: target.database.clone(), to: old.database, open: false });
    }
    if incoming.oid.is_some() {
        postgres::close_database(&claim.server, &new.database).await?;
        renamings.push(Renaming { from: new.database, to: target.database.clone(), open: true });
    }
    arrange_folders(claim, Settled::Done)?;
    Ok(postgres::rename_databases(&claim.server, &renamings).await?)
}

/// Finishes or takes back a swap that was cut off. `None`: there is none.
///
/// # Errors
/// [`RestoreError::HalfSwapped`]
pub(in crate::restore) async fn settle(claim: &mut TargetClaim) -> Result<Option<Settled>, RestoreError> {
    if claim.record.swap.is_none() {
        return Ok(None);
    }
    let settled = try_to_settle(claim).await;
    let half = |source| RestoreError::HalfSwapped { database: claim.names.database.clone(), source: Box::new(source) };
    settled.map(Some).map_err(half)
}

async fn try_to_settle(claim: &mut TargetClaim) -> Result<Settled, RestoreError> {
    let Some(Swap { incoming, outgoing }) = claim.record.swap.clone() else { return Ok(Settled::TakenBack) };
    claim.hold().await?;
    let name = claim.names.database.clone();
    let there = postgres::find_database(&claim.server, &name).await?.map(|found| found.oid);
    let settled = match there {
        oid if oid == outgoing.oid => Settled::TakenBack,
        oid if oid == incoming.oid => Settled::Done,
        _ => return Err(RestoreError::Changed { database: name }),
    };
    if claim.record.swap.is_none() {
        // Another run has come first and put it right.
        return Ok(settled);
    }
    arrange_folders(claim, settled)?;
    if settled == Settled::TakenBack && outgoing.oid.is_some() {
        postgres::open_database(&claim.server, &name).await?;
    }
    conclude(claim, settled);
    claim.save()?;
    Ok(settled)
}

fn arrange_folders(claim: &TargetClaim, settled: Settled) -> Result<(), RestoreError> {
    let Some(Swap { incoming, outgoing }) = &claim.record.swap else { return Ok(()) };
    let path = |pair: &Pair| claim.names.with(&pair.suffix).filestore;
    let (target, new, old) = (&*claim.names.filestore, path(incoming), path(outgoing));
    let goals: [(Option<FolderId>, _); 2] = match settled {
        Settled::Done => [(incoming.folder, target), (outgoing.folder, &*old)],
        Settled::TakenBack => [(outgoing.folder, target), (incoming.folder, &*new)],
    };
    Ok(arrange(goals, [target, &new, &old])?)
}

/// How it ended. What was kept before is kept no longer.
fn conclude(claim: &mut TargetClaim, settled: Settled) {
    let Some(Swap { incoming, outgoing }) = claim.record.swap.take() else { return };
    if settled == Settled::Done {
        let kept = (outgoing.oid.is_some() || outgoing.folder.is_some()).then_some(outgoing);
        let older = std::mem::replace(&mut claim.record.former, kept);
        let older = older.filter(|older| older.suffix != incoming.suffix);
        claim.record.scraps.extend(older.as_ref().map(Into::into));
    }
}
