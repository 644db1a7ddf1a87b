//! Tells whether a backup can be restored on a server and a machine: everything that can be known
//! in advance, all at once.

pub(in crate::restore) mod examine;
pub(in crate::restore) mod omissions;
mod server;
mod space;

use rustix::fs::Access;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::server::altered_members;

use self::omissions::{is_copy, preview};
use super::TargetIdentity;
use super::record::claim::check_target;
use super::record::names::TargetNames;
use super::target::Target;
use crate::cause;
use crate::error::{Error, Obstacle};
use crate::manifest::Manifest;
use crate::postgres::{Session, Tools};

/// What was found before anything is touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Preflight {
    /// Reasons to refuse the restore.
    pub obstacles: Vec<Obstacle>,
    /// It will work, as far as can be known, but needs attention.
    pub warnings: Vec<Obstacle>,
}

/// Fails if there are obstacles.
pub(in crate::restore) fn require_none(obstacles: Vec<Obstacle>) -> Result<(), Error> {
    if obstacles.is_empty() { Ok(()) } else { Err(Error::Refused { obstacles }) }
}

/// Looks for everything that would make the restore fail.
///
/// What would certainly fail is an obstacle. What might fail is a warning: a guess must not prevent
/// a restore.
///
/// # Errors
/// The target's server or the system does not answer.
pub(in crate::restore) async fn preflight(
    manifest: &Manifest,
    target: &Target,
    identity: TargetIdentity,
    server: &Session,
) -> Result<Preflight, Error> {
    let mut found = Preflight::default();
    if let Err(error) = check_target(server, &TargetNames::of(target)).await {
        found.obstacles.push(Obstacle::of("target", &error));
    }
    server::look_at_powers(target, server, &mut found).await?;
    server::look(manifest, server, &mut found).await?;
    if let Some(source) = &manifest.source {
        let (obstacles, warnings) = preview(server, source, is_copy(target, identity)).await?;
        found.obstacles.extend(obstacles);
        found.warnings.extend(warnings);
    }
    found.obstacles.extend(unwritable(target));
    space::look(manifest, target, server, &mut found).await?;
    let tools = Tools::new(target.database.pg_path.as_deref());
    if let Err(error) = tools.find("pg_restore", manifest.database.pg_dump_major()).await {
        found.obstacles.push(Obstacle::of("pg_restore", &error));
    }
    Ok(found)
}

/// Returns the obstacle if the new folder cannot be created next to the target's.
fn unwritable(target: &Target) -> Option<Obstacle> {
    let above = target.filestore.ancestors().skip(1).find(|above| above.exists())?;
    let error = std::io::Error::from(rustix::fs::access(above, Access::WRITE_OK | Access::EXEC_OK).err()?);
    let as_odoo = || "run odoo-backup as the user that Odoo runs as, or as root".into();
    let hint = crate::folder::hint_of(&error, above).unwrap_or_else(as_odoo);
    Some(Obstacle::new("filestore", format!("unable to write in {}: {}", above.display(), cause::line(&error)), hint))
}

#[cfg(test)]
mod tests;
