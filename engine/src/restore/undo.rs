//! `restore --undo`: restores a target's previous state.

use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use super::Former;
use super::RestoreError;
use super::TargetIdentity;
use super::guard;
use super::guard::sessions;
use super::preflight::require_none;
use super::record::claim::TargetClaim;
use super::record::leftovers;
use super::swap::swap;
use super::target::{Protected, Target};
use crate::error::Error;
use crate::manifest::seconds;
use crate::postgres::{sessions_text, with_pulse};
use crate::run::Run;

/// What was restored.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Undone {
    /// The state that was replaced, which another undo would restore.
    #[schema(required = true)]
    pub former: Option<Former>,
    /// What was removed of earlier, interrupted runs, in words.
    pub cleared: Vec<String>,
    /// What could not be removed, in words.
    pub warnings: Vec<String>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds::serialize")]
    #[schema(value_type = f64)]
    pub duration: Duration,
}

/// Waits for the end of sessions that the role may not end, if requested.
pub(in crate::restore) async fn wait_for_sessions(
    claim: &TargetClaim,
    wait: Option<Duration>,
    run: &Run,
) -> Result<(), RestoreError> {
    let (Some(wait), database) = (wait, &claim.names.database) else { return Ok(()) };
    let sessions = sessions::wait_for_end(&claim.server, database, Duration::ZERO).await?;
    if sessions.is_empty() {
        return Ok(());
    }
    let who = sessions_text(&sessions);
    run.progress.warn(&format!("waiting up to {} s for sessions on {database:?} to end: {who}", wait.as_secs()));
    let waiting = sessions::wait_for_end(&claim.server, database, wait);
    with_pulse(&claim.server, None, &run.progress, waiting).await.map(|_| ()).map_err(RestoreError::from)
}

/// Restores a target's state before the last restore, and keeps its present state.
///
/// # Errors
/// [`Error::Refused`] if the present target looks like production and is not meant to be replaced;
/// otherwise the first failure, as the cause of [`Error::Verb`]. The target is unchanged then.
/// `wait`: how long to wait for the end of sessions that the role may not end.
pub async fn undo(
    protected: &Protected,
    target: &Target,
    identity: TargetIdentity,
    wait: Option<Duration>,
    run: &Run,
) -> Result<Undone, Error> {
    let result = give_back(protected, target, identity, wait, run).await;
    result.map_err(|error| error.during(format!("undo the last restore to {}", target.name)))
}

async fn give_back(
    protected: &Protected,
    target: &Target,
    identity: TargetIdentity,
    wait: Option<Duration>,
    run: &Run,
) -> Result<Undone, Error> {
    let started = Instant::now();
    let mut claim = run.until_cancelled(TargetClaim::take(target, run)).await?;
    let cleared = leftovers::clear(&mut claim, run).await?;
    claim.check_target().await?;
    let name = || target.name.clone();
    let kept = claim.record.former.clone().ok_or_else(|| RestoreError::NoFormer { target: name() })?;
    let found = claim.look_at_suffix(kept.suffix.clone()).await?;
    let names = claim.names.with(&kept.suffix);
    let gone = |what| Err(RestoreError::FormerGone { what, target: name() }.into());
    if kept.oid.is_some() && found.oid.is_none() {
        return gone(format!("the database {:?}", names.database));
    }
    if kept.folder.is_some() && found.folder.is_none() {
        return gone(format!("the filestore {}", names.filestore.display()));
    }
    let admit = async { require_none(guard::before_undo(protected, target, identity, &claim.server).await?) };
    run.until_cancelled(admit).await?;
    run.until_cancelled(async { Ok::<_, Error>(wait_for_sessions(&claim, wait, run).await?) }).await?;
    swap(&mut claim, &kept.suffix).await?;
    let left = leftovers::remove(&mut claim).await.left;
    Ok(Undone { former: Former::of(&claim), cleared, warnings: left, duration: started.elapsed() })
}
