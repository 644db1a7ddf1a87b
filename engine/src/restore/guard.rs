//! What a restore must not replace. It is checked before anything is created and again right before
//! the swap, and every doubt is a refusal.

mod alive;
mod folders;
pub(in crate::restore) mod sessions;

use super::record::claim::owned_by_another;
use super::target::{Protected, Target};
use crate::error::{Obstacle, explain};
use crate::postgres::{self, Endpoint, PostgresError, ServerSameness, Session};

/// What a restored database replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetIdentity {
    /// A copy next to its original: neutralized, and never a replacement for what looks like
    /// production.
    #[default]
    Copy,
    /// Production itself, because the operator typed the name of its database: nothing is
    /// neutralized, and it keeps its identity.
    Production,
}

/// The checks whose obstacles [`TargetIdentity::Production`] overrides.
pub(crate) const FORCEABLE: [&str; 2] = ["production", "foreign"];

/// Databases that every server needs for itself.
const OF_THE_SERVER: [&str; 3] = ["postgres", "template0", "template1"];

/// Returns why the target must not be replaced by a copy of the database with this `database.uuid`;
/// nothing if it may be.
///
/// [`TargetIdentity::Production`] allows what looks like production, which is its purpose. It does
/// not allow what can only be a mistake in the configuration: the repository, a folder that is not
/// a filestore, or one of another instance.
///
/// # Errors
/// Only if the target's server does not answer. Every other doubt is a refusal.
pub(crate) async fn before_restore(
    protected: &Protected,
    source_uuid: Option<&str>,
    target: &Target,
    identity: TargetIdentity,
    server: &Session,
) -> Result<Vec<Obstacle>, PostgresError> {
    let mut obstacles = folders::of_others(protected, target, identity);
    obstacles.extend(folders::no_filestore(&target.filestore));
    let name = &target.database.name;
    if OF_THE_SERVER.contains(&name.as_str()) {
        let message = format!("the database {name:?} belongs to the server itself");
        obstacles.push(Obstacle::new("database", message, "set `database` of the target to another name"));
        return Ok(obstacles);
    }
    if identity == TargetIdentity::Production {
        return Ok(obstacles);
    }
    if let Some(there) = postgres::find_database(server, name).await? {
        let place = Endpoint::resolve(&target.database);
        obstacles.extend(instance_obstacles(protected, target, server).await);
        // Forcing it would not help: a database of another role is not replaced.
        let hint = match there.is_own {
            true => force(name),
            false => owned_by_another(server, name, there).hint().unwrap_or_default(),
        };
        obstacles.extend(alive::or_foreign(source_uuid, &place, hint).await);
    }
    Ok(obstacles)
}

/// Returns why the target must not be reverted: it is production, or has become production since.
///
/// # Errors
/// As [`before_restore`].
pub(in crate::restore) async fn before_undo(
    protected: &Protected,
    target: &Target,
    identity: TargetIdentity,
    server: &Session,
) -> Result<Vec<Obstacle>, PostgresError> {
    let mut obstacles = folders::of_others(protected, target, identity);
    if identity == TargetIdentity::Copy && postgres::database_exists(server, &target.database.name).await? {
        obstacles.extend(instance_obstacles(protected, target, server).await);
        obstacles.extend(alive::obstacles(&Endpoint::resolve(&target.database), force(&target.database.name)).await);
    }
    Ok(obstacles)
}

/// Returns how the operator forces the restore.
fn force(name: &str) -> String {
    format!(
        "restore to another target; or, to replace production itself, run `odoo-backup restore` with `--force-production {name}`, which neutralizes nothing"
    )
}

#[cfg(test)]
mod tests;

/// Compares with every instance whose database has the same name: others cannot be the same
/// database.
async fn instance_obstacles(protected: &Protected, target: &Target, server: &Session) -> Vec<Obstacle> {
    let name = &target.database.name;
    let mut obstacles = Vec::new();
    for instance in protected.instances.iter().filter(|instance| instance.database.name == *name) {
        let place = Endpoint::resolve(&instance.database);
        let compared = async {
            let session = postgres::connect(&place).await?;
            postgres::same_server(&session, server).await
        };
        let reason = match compared.await {
            Ok(ServerSameness::Different) => continue,
            Ok(ServerSameness::Same) => format!("the {place} is that of the instance {}", instance.name),
            Ok(ServerSameness::Related) => format!(
                "the database {name:?} may be that of the instance {}: one of their servers is a standby, perhaps of the other",
                instance.name
            ),
            Err(error) => format!(
                "the database {name:?} has the name of that of the instance {}, and could not be compared with it: {}",
                instance.name,
                explain(&error)
            ),
        };
        obstacles.push(Obstacle::new("production", reason, force(name)));
    }
    obstacles
}
