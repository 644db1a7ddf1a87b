//! `restore --undo`: restores a target's previous state.

use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use super::guard;
use super::guard::sessions;
use super::preflight::{Preflight, require_none};
use super::record::claim::{ReadRecord, TargetClaim, check_target, look_at, read_record};
use super::record::leftovers;
use super::record::names::TargetNames;
use super::record::{Pair, Record};
use super::swap::swap;
use super::target::{Protected, Target};
use super::{Former, Obstacle, RestoreError, TargetIdentity};
use crate::error::Error;
use crate::filestore;
use crate::manifest::seconds;
use crate::postgres::{self, Endpoint, Session, sessions_text, with_pulse};
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

/// Examines a target as [`undo`] does before it starts, and touches nothing.
///
/// # Errors
/// The target's server does not answer.
pub async fn examine_undo(
    protected: &Protected,
    target: &Target,
    identity: TargetIdentity,
    wait: Option<Duration>,
) -> Result<Preflight, Error> {
    filestore::known(&target.filestore)?;
    let server = postgres::connect_maintenance(&Endpoint::resolve(&target.database)).await?;
    let names = TargetNames::of(target);
    let mut found = Preflight::default();
    if let Err(error) = check_target(&server, &names).await {
        found.obstacles.push(Obstacle::of("target", &error));
    }
    let former = async {
        let ReadRecord { record, forgotten } = read_record(&server, &names).await?;
        // The run finishes or reverts it first, which decides what the former state is.
        match record.swap {
            Some(_) => Ok(forgotten),
            None => find_former(&record, &names, &server, &target.name).await.map(|_| forgotten),
        }
    };
    match former.await {
        Ok(forgotten) => found.warnings.extend(forgotten.map(|message| {
            Obstacle::new("former", message, "see that the target leads to the server that it is meant for")
        })),
        Err(error) => found.obstacles.push(Obstacle::of("former", &error)),
    }
    found.obstacles.extend(guard::before_undo(protected, target, identity, &server).await?);
    let sessions = sessions::of_others(&server, &target.database.name, wait).await?;
    match wait {
        Some(_) => found.warnings.extend(sessions),
        None => found.obstacles.extend(sessions),
    }
    Ok(found)
}

/// Returns the former state of a target, which must exist as it was kept.
async fn find_former(
    record: &Record,
    names: &TargetNames,
    server: &Session,
    target: &str,
) -> Result<Pair, RestoreError> {
    let name = || target.to_owned();
    let kept = record.former.clone().ok_or_else(|| RestoreError::NoFormer { target: name() })?;
    let names = names.with(&kept.suffix);
    let found = look_at(server, &names, kept.suffix.clone()).await?;
    let gone = |what| Err(RestoreError::FormerGone { what, target: name() });
    if kept.oid.is_some() && found.oid.is_none() {
        return gone(format!("the database {:?}", names.database));
    }
    if kept.folder.is_some() && found.folder.is_none() {
        return gone(format!("the filestore {}", names.filestore.display()));
    }
    Ok(kept)
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
    let kept = find_former(&claim.record, &claim.names, &claim.server, &target.name).await?;
    let admit = async { require_none(guard::before_undo(protected, target, identity, &claim.server).await?) };
    run.until_cancelled(admit).await?;
    run.until_cancelled(async { Ok::<_, Error>(wait_for_sessions(&claim, wait, run).await?) }).await?;
    swap(&mut claim, &kept.suffix).await?;
    let left = leftovers::remove(&mut claim).await.left;
    Ok(Undone { former: Former::of(&claim), cleared, warnings: left, duration: started.elapsed() })
}
