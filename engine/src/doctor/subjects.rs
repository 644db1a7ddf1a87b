//! What `doctor` examines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::findings::PATIENCE;
use crate::instance::Instance;
use crate::repository::{Repository, RepositoryError};
use crate::restore::{Protected, Target};
use crate::store::StoreConfig;

/// All that a configuration names.
#[derive(Debug, Clone)]
pub struct Subjects {
    /// The configuration file.
    pub configuration: PathBuf,
    /// What is to be said of the configuration itself.
    pub warnings: Vec<String>,
    /// Repositories, each by what it is called in a finding; the first is the one that backups are
    /// made to.
    pub repositories: Vec<(String, StoreConfig)>,
    /// Instances that are backed up.
    pub instances: Vec<Instance>,
    /// Targets that are restored to.
    pub targets: Vec<Target>,
    /// Places where backups are drilled, each with the name of the instance.
    pub drills: Vec<(String, Target)>,
    /// How long one check of an instance, or of what its backups are restored to, may take, by the
    /// instance's name. No check takes longer than two minutes.
    pub patience: BTreeMap<String, Duration>,
}

impl Subjects {
    /// Returns the places that no restore may overwrite.
    pub fn protected(&self) -> Protected {
        let places = self.repositories.iter().map(|(_, place)| place);
        Protected::new(self.instances.clone(), places)
    }

    /// Returns the instance of this name.
    pub(super) fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.name == name)
    }

    /// Returns how long a check of this instance may take.
    pub(super) fn patience(&self, instance: Option<&str>) -> Duration {
        instance.and_then(|name| self.patience.get(name)).map_or(PATIENCE, |patience| PATIENCE.min(*patience))
    }

    /// Opens the repository that backups are made to.
    pub(super) async fn open_main(&self) -> Option<Result<Repository, RepositoryError>> {
        let (_, place) = self.repositories.first()?;
        Some(Repository::at(place).await)
    }
}
