//! A place to restore to.

use std::path::PathBuf;

use crate::instance::Instance;
use crate::odoo::{Anonymize, Neutralize};
use crate::postgres::Database;
use crate::store::StoreConfig;

/// `[target.NAME]`: a place to restore to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the configuration.
    pub name: String,
    /// The place of its database, which may not exist yet.
    pub database: Database,
    /// The filestore's folder, which may not exist yet. Empty where it is not known: see
    /// [`crate::filestore::known`].
    pub filestore: PathBuf,
    /// The instance whose backups it takes by default; `None` where the configuration has several
    /// instances and this target names none.
    pub instance: Option<String>,
    /// How the copy is neutralized; `None`: it is not.
    pub neutralize: Option<Neutralize>,
    /// How the people in it are replaced; `None`: they are not.
    pub anonymize: Option<Anonymize>,
    /// Whether the repository's writers may run anything on the server, with all privileges of the
    /// role.
    pub trusted: bool,
}

impl Target {
    /// Returns an instance's own place as a target: what is restored there is production, and not
    /// neutralized.
    pub fn of(instance: &Instance) -> Self {
        Self {
            name: instance.name.clone(),
            database: instance.database.clone(),
            filestore: instance.filestore.clone(),
            instance: Some(instance.name.clone()),
            neutralize: None,
            anonymize: None,
            trusted: false,
        }
    }
}

/// Places that no restore may overwrite.
#[derive(Debug, Clone, Default)]
pub struct Protected {
    /// Instances: their databases and filestores.
    pub instances: Vec<Instance>,
    /// Folders of repositories.
    pub repositories: Vec<PathBuf>,
}

impl Protected {
    /// Protects these instances, and those of the repositories that are folders of this machine.
    pub fn new<'a>(instances: Vec<Instance>, repositories: impl IntoIterator<Item = &'a StoreConfig>) -> Self {
        let folder = |place: &StoreConfig| match place {
            StoreConfig::Local { path } => Some(path.clone()),
            StoreConfig::S3(_) => None,
        };
        Self { instances, repositories: repositories.into_iter().filter_map(folder).collect() }
    }
}
