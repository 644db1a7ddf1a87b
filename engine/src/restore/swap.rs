//! The last step: the new database and folder get the target's names, and the previous ones are
//! kept under others.
//!
//! The databases are renamed in one transaction, which decides. Folders cannot be renamed in it, so
//! they are renamed before, while the database accepts no connections. After an interruption, the
//! database that has the target's name decides whether the swap is finished or reverted. The commit
//! also makes durable what pg_restore wrote without waiting for the disk: the server's log is one
//! stream.

use std::time::Duration;

use super::RestoreError;
use super::guard::sessions;
use super::record::claim::TargetClaim;
use super::record::folders::{FolderId, arrange};
use super::record::names::Suffix;
use super::record::{Pair, Swap};
use crate::postgres::{self, Renaming};

/// How an interrupted swap ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum Settled {
    /// The new pair has the target's names.
    Done,
    /// The previous pair has them again.
    TakenBack,
}

/// How long to wait for the end of sessions that started after the earlier check.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// Gives the pair with this suffix the target's names. The previous pair becomes the record's
/// former pair. Must not be dropped halfway.
///
/// # Errors
/// The target is unchanged then, except for [`RestoreError::HalfSwapped`], which the next run
/// repairs.
pub(in crate::restore) async fn swap(claim: &mut TargetClaim, incoming: &Suffix) -> Result<(), RestoreError> {
    claim.check_connection()?;
    // While the target is still open, so that its users wait less.
    let database = &claim.names.database;
    let sessions = sessions::wait_for_end(&claim.server, database, PATIENCE).await?;
    if !sessions.is_empty() {
        return Err(RestoreError::InUse { database: database.clone(), sessions });
    }
    let incoming = claim.look_at_suffix(incoming.clone()).await?;
    let outgoing = claim.look_at_target(free_suffix(claim).await?).await?;
    claim.record.swap = Some(Swap { incoming, outgoing });
    if let Err(error) = claim.save() {
        claim.record.swap = None;
        return Err(error);
    }
    match change_names(claim).await {
        // The record need not be written at once: its present content leads to the same end.
        Ok(()) => {
            conclude(claim, Settled::Done);
            Ok(())
        }
        Err(error) => match settle(claim).await? {
            Some(Settled::TakenBack) => Err(error),
            // The answer was lost, not the commit.
            Some(Settled::Done) | None => Ok(()),
        },
    }
}

/// Returns the suffix of this second, or of the next free one.
async fn free_suffix(claim: &TargetClaim) -> Result<Suffix, RestoreError> {
    let mut time = jiff::Timestamp::now();
    loop {
        let pair = claim.look_at_suffix(Suffix::before(time)).await?;
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
        // It stays closed: its scheduler and mail must not run in parallel with the new one's.
        renamings.push(Renaming { from: target.database.clone(), to: old.database, open: false });
    }
    if incoming.oid.is_some() {
        postgres::close_database(&claim.server, &new.database).await?;
        renamings.push(Renaming { from: new.database, to: target.database.clone(), open: true });
    }
    arrange_folders(claim, Settled::Done)?;
    Ok(postgres::rename_databases(&claim.server, &renamings).await?)
}

/// Finishes or reverts an interrupted swap. Returns `None` if there is none.
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
        // Another run came first and completed it.
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

/// Records the outcome. The state that was kept before is no longer kept.
fn conclude(claim: &mut TargetClaim, settled: Settled) {
    let Some(Swap { incoming, outgoing }) = claim.record.swap.take() else { return };
    if settled == Settled::Done {
        let kept = (outgoing.oid.is_some() || outgoing.folder.is_some()).then_some(outgoing);
        let older = std::mem::replace(&mut claim.record.former, kept);
        let older = older.filter(|older| older.suffix != incoming.suffix);
        claim.record.scraps.extend(older.as_ref().map(Into::into));
    }
}
