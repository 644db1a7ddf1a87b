//! Describes an instance and its target as the test harness creates them.

use harness::project::{INSTANCE, Project, TARGET};

use super::Instance;
use crate::postgres::{Database, SslMode};
use crate::restore::Target;
use crate::secret::Secret;

/// Returns a database of the project's server.
fn database(project: &Project, name: &str) -> Database {
    let cluster = project.cluster();
    Database {
        name: name.into(),
        host: Some(cluster.host().into()),
        port: Some(cluster.port()),
        user: Some(cluster.user().into()),
        password: cluster.password().map(Secret::new),
        sslmode: SslMode::Prefer,
        sslrootcert: None,
        pg_path: None,
    }
}

/// Returns the project's instance.
pub(crate) fn instance(project: &Project) -> Instance {
    Instance::new(INSTANCE, database(project, INSTANCE), project.filestore())
}

/// Returns the project's target, which is not neutralized.
pub(crate) fn target(project: &Project) -> Target {
    Target {
        name: TARGET.into(),
        database: database(project, TARGET),
        filestore: project.target_filestore(),
        instance: Some(INSTANCE.into()),
        neutralize: None,
        anonymize: None,
        trusted: false,
    }
}
