//! What a restore would meet, looked at before anything is touched.

use super::guard::{Identity, before_restore};
use super::obstacle::Examined;
use super::preflight::preflight;
use super::source_uuid;
use crate::config::{Config, Target};
use crate::error::Error;
use crate::manifest::Manifest;
use crate::postgres::{self, Endpoint, Session};

/// Looks at a target as a restore does before it begins, and touches nothing.
///
/// # Errors
/// Where the target's server, or the system, does not answer.
pub async fn examine(
    config: &Config,
    manifest: &Manifest,
    target: &Target,
    identity: Identity,
) -> Result<Examined, Error> {
    let server = postgres::connect_maintenance(&Endpoint::resolve(&target.database)).await?;
    look(config, manifest, target, identity, &server).await
}

/// As [`examine`], over a session that there is already.
pub(super) async fn look(
    config: &Config,
    manifest: &Manifest,
    target: &Target,
    identity: Identity,
    server: &Session,
) -> Result<Examined, Error> {
    let mut obstacles = before_restore(config, source_uuid(manifest), target, identity, server).await?;
    let Examined { obstacles: others, warnings } = preflight(manifest, target, identity, server).await?;
    obstacles.extend(others);
    Ok(Examined { obstacles, warnings })
}
