//! What `doctor` examines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::findings::PATIENCE;
use crate::hooks::Hooks;
use crate::instance::Instance;
use crate::repository::{Repository, RepositoryError};
use crate::restore::{Protected, Target};
use crate::store::StoreConfig;

/// All that a configuration names.
#[derive(Debug, Clone)]
pub struct Subjects {
    /// The configuration file.
    pub configuration: PathBuf,
    /// Warnings about the configuration itself.
    pub warnings: Vec<String>,
    /// Files of the configuration with secrets that other users can read.
    pub exposed: Vec<PathBuf>,
    /// Repositories, each with its name in findings; the first is the one that receives backups.
    pub repositories: Vec<(String, StoreConfig)>,
    /// Instances that are backed up.
    pub instances: Vec<Instance>,
    /// Targets of restores.
    pub targets: Vec<Target>,
    /// Places for drills, each with the name of the instance.
    pub drills: Vec<(String, Target)>,
    /// Hooks, by what they are around, as in findings: `instance production`.
    pub hooks: BTreeMap<String, Hooks>,
    /// How long one check of an instance, or of a target of its backups, may take, by the
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

    /// Opens the repository that receives backups.
    pub(super) async fn open_main(&self) -> Option<Result<Repository, RepositoryError>> {
        let (_, place) = self.repositories.first()?;
        Some(Repository::at(place).await)
    }
}
