//! What a restore would meet, looked at before anything is touched.

use super::guard::{Identity, before_restore};
use super::obstacle::{Examined, Obstacle};
use super::preflight::preflight;
use super::source_uuid;
use super::spool::Spool;
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
    let mut found = look(config, manifest, target, identity, &server).await?;
    let room = Spool::room(target, manifest, &server).await?;
    if room <= manifest.database.object.plain.size {
        let message = "there is no room to spool the dump, and the restore would be done in one job";
        found.warnings.push(Obstacle::new("space", message, "free some space where `$TMPDIR` or the filestore is"));
    }
    Ok(found)
}

/// As [`examine`], but for what the restore itself will say.
pub(super) async fn look(
    config: &Config,
    manifest: &Manifest,
    target: &Target,
    identity: Identity,
    server: &Session,
) -> Result<Examined, Error> {
    let mut obstacles = before_restore(config, source_uuid(manifest), target, identity, server).await?;
    let Examined { obstacles: others, warnings } = preflight(manifest, target, server).await?;
    obstacles.extend(others);
    Ok(Examined { obstacles, warnings })
}
