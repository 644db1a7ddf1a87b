//! Loads the configuration, and opens the repository that the command line selects.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::Path;

use config::{Config, InstanceConfig, MAIN, UnknownName};
use daemon::sources::Sources;
use engine::repository::{Repository, RepositoryError};

use super::failure::Failure;
use crate::output::Output;

/// The values of `--config` and `--repository`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) config: Option<&'a Path>,
    /// `None`: the first; for a restore or a drill the first with an intact copy of the backup.
    pub(super) repository: Option<&'a str>,
}

/// The loaded configuration, with the selected repository.
pub(super) struct Loaded<'a> {
    config: Config,
    repository: Option<&'a str>,
}

impl Deref for Loaded<'_> {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl Loaded<'_> {
    /// Returns the configuration alone, for commands that work with all repositories.
    pub(super) fn into_config(self) -> Config {
        self.config
    }

    /// Returns the repositories to read a backup from: the named one, or the first and its copies.
    ///
    /// # Errors
    /// If the configuration has no repository of that name
    pub(super) fn sources(&self) -> Result<Sources<'_>, UnknownName> {
        match self.repository {
            Some(named) => Sources::named(&self.config, named),
            None => Ok(Sources::of(&self.config)),
        }
    }

    /// Returns the name after `--repository`.
    pub(super) fn repository_named(&self) -> Option<&str> {
        self.repository
    }

    /// Returns the name of the repository for commands that need exactly one: the named or the
    /// first.
    pub(super) fn chosen(&self) -> &str {
        self.repository.unwrap_or(MAIN)
    }

    /// Returns an instance with the retention that applies in the chosen repository.
    pub(super) fn kept_there(&self, instance: &InstanceConfig) -> InstanceConfig {
        self.kept_in(self.chosen(), instance)
    }
}

/// Finds and loads the configuration, and prints its warnings.
pub(super) fn load<'a>(chosen: Chosen<'a>, output: Output) -> Result<Loaded<'a>, Failure> {
    let config = Config::find_and_load(chosen.config)?;
    for warning in &config.warnings {
        output.warning(warning);
    }
    chosen.repository.map(|name| config.repository(name)).transpose()?;
    Ok(Loaded { config, repository: chosen.repository })
}

/// Opens the named repository, or the first.
pub(super) async fn open(config: &Loaded<'_>) -> Result<Repository, Failure> {
    Ok(open_named(config, config.chosen()).await??)
}

/// Opens a repository by its name.
pub(super) async fn open_named(config: &Config, name: &str) -> Result<Result<Repository, RepositoryError>, Failure> {
    Ok(Repository::at(config.repository(name)?).await)
}

/// Returns the named instances, sorted and without duplicates, or all if no name is given.
pub(super) fn instances<'a>(config: &'a Config, names: &[String]) -> Result<Vec<&'a InstanceConfig>, UnknownName> {
    match names {
        [] => Ok(config.instances.values().collect()),
        names => {
            let names: BTreeSet<_> = names.iter().collect();
            names.into_iter().map(|name| config.instance(name)).collect()
        }
    }
}

/// Returns the only instance, for commands that name none; `None` if there are several.
pub(super) fn only_instance(config: &Config) -> Option<&str> {
    let mut names = config.instances.keys();
    names.next().filter(|_| names.next().is_none()).map(String::as_str)
}
