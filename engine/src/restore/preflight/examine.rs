//! Everything that a restore checks before it touches anything.

use std::time::Duration;

use super::Preflight;
use super::preflight;
use crate::error::Error;
use crate::error::Obstacle;
use crate::filestore;
use crate::manifest::Manifest;
use crate::odoo;
use crate::postgres::{self, Endpoint, Session};
use crate::restore::guard::{TargetIdentity, before_restore, sessions};
use crate::restore::source_uuid;
use crate::restore::target::Protected;
use crate::restore::target::Target;

/// Examines a target as a restore does before it starts, and touches nothing.
///
/// # Errors
/// The target's server or the system does not answer.
pub async fn examine(
    protected: &Protected,
    manifest: &Manifest,
    target: &Target,
    identity: TargetIdentity,
    wait: Option<Duration>,
) -> Result<Preflight, Error> {
    filestore::known(&target.filestore)?;
    let server = postgres::connect_maintenance(&Endpoint::resolve(&target.database)).await?;
    look(protected, manifest, target, (identity, wait), &server).await
}

/// Examines a target over an existing session, as [`examine`] does.
pub(in crate::restore) async fn look(
    protected: &Protected,
    manifest: &Manifest,
    target: &Target,
    (identity, wait): (TargetIdentity, Option<Duration>),
    server: &Session,
) -> Result<Preflight, Error> {
    let mut obstacles = before_restore(protected, source_uuid(manifest), target, identity, server).await?;
    let Preflight { obstacles: others, mut warnings } = preflight(manifest, target, identity, server).await?;
    obstacles.extend(others);
    let sessions = sessions::of_others(server, &target.database.name, wait).await?;
    if wait.is_some() {
        warnings.extend(sessions)
    } else {
        obstacles.extend(sessions)
    }
    if let (Some(settings), Some(facts), TargetIdentity::Copy) = (&target.neutralize, &manifest.odoo, identity) {
        let unusable = odoo::check_neutralization(settings, facts).await;
        obstacles.extend(unusable.iter().map(|error| Obstacle::of("neutralization", error)));
    }
    Ok(Preflight { obstacles, warnings })
}
