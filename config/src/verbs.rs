//! What the verbs take of a configuration.

use engine::doctor::Subjects;
use engine::hooks::Hooks;
use engine::restore::Protected;
use engine::store::StoreConfig;

use super::{Config, InstanceConfig, drill_place};

impl Config {
    /// Returns the places that no restore may overwrite: the instances, and the repositories that
    /// are folders.
    pub fn protected(&self) -> Protected {
        let instances = self.instances.values().map(|config| config.instance.clone());
        Protected::new(instances.collect(), self.places().map(|(_, place)| place))
    }

    /// Returns an instance with the retention that holds in the repository of this name.
    pub fn kept_in(&self, repository: &str, instance: &InstanceConfig) -> InstanceConfig {
        match self.copies.get(repository) {
            Some(copy) => copy.instance(instance),
            None => instance.clone(),
        }
    }

    /// Returns all that `doctor` examines.
    pub fn subjects(&self) -> Subjects {
        let called = |name: Option<&str>| name.map_or("repository".to_owned(), |name| format!("repository {name}"));
        let drilled = self.instances.values().filter(|config| config.drill.is_configured);
        Subjects {
            configuration: self.path.clone(),
            warnings: self.warnings.clone(),
            exposed: self.exposed.clone(),
            repositories: self.places().map(|(name, place)| (called(name), place.clone())).collect(),
            instances: self.instances.values().map(|config| config.instance.clone()).collect(),
            targets: self.targets.values().cloned().collect(),
            drills: drilled
                .filter_map(|config| Some((config.name().to_owned(), drill_place(self, config.name(), None).ok()?)))
                .collect(),
            hooks: self.hooks().map(|(section, hooks)| (section, hooks.clone())).collect(),
            patience: self.instances.keys().map(|name| (name.clone(), self.stall_timeout(Some(name)))).collect(),
        }
    }

    /// Returns the hooks, each with the section that they are around.
    fn hooks(&self) -> impl Iterator<Item = (String, &Hooks)> {
        let instances = self.instances.values().map(|config| (format!("instance {}", config.name()), &config.hooks));
        let targets = self.target_hooks.iter().map(|(name, hooks)| (format!("target {name}"), hooks));
        instances.chain(targets)
    }

    /// Returns the repositories in the order in which they are tried; the first has no name of its
    /// own.
    fn places(&self) -> impl Iterator<Item = (Option<&str>, &StoreConfig)> {
        let copies = self.copies.values().map(|copy| (Some(copy.name.as_str()), &copy.place));
        std::iter::once((None, &self.repository)).chain(copies)
    }
}
