//! Tells whether the target's database is that of an instance, however its server's name is spelt.

use super::{Obstacle, force};
use crate::error::explain;
use crate::postgres::{self, Endpoint, ServerSameness, Session};
use crate::restore::Protected;
use crate::restore::Target;

/// Compares with every instance whose database has the same name: others cannot be the same
/// database.
pub(in crate::restore) async fn obstacles(protected: &Protected, target: &Target, server: &Session) -> Vec<Obstacle> {
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
