//! What every command is told in front of its own arguments: the configuration, and with which of its repositories it works.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::Path;

use config::{Config, InstanceConfig, MAIN, UnknownName};
use daemon::sources::Sources;
use engine::repository::{Repository, RepositoryError};

use super::failure::Failure;
use crate::output::Output;

/// `--config` and `--repository`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) config: Option<&'a Path>,
    /// `None`: the first, or for a restore or a drill the first that has an intact copy of the backup.
    pub(super) repository: Option<&'a str>,
}

/// The configuration, as it was read.
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
    /// The configuration alone, for what works with all of its repositories.
    pub(super) fn into_config(self) -> Config {
        self.config
    }

    /// The repositories that a backup may be read from: the one that was named, else the first and then its copies.
    ///
    /// # Errors
    /// Where the configuration has none of that name
    pub(super) fn sources(&self) -> Result<Sources<'_>, UnknownName> {
        match self.repository {
            Some(named) => Sources::named(&self.config, named),
            None => Ok(Sources::of(&self.config)),
        }
    }

    /// Name of the repository that is worked with where it must be one: the one that was named, else the first.
    pub(super) fn chosen(&self) -> &str {
        self.repository.unwrap_or(MAIN)
    }

    /// An instance, with the retention of its backups in that repository.
    pub(super) fn kept_there(&self, instance: &InstanceConfig) -> InstanceConfig {
        self.kept_in(self.chosen(), instance)
    }
}

/// Finds and reads the configuration, and shows what should be fixed in it.
pub(super) fn load<'a>(chosen: Chosen<'a>, output: Output) -> Result<Loaded<'a>, Failure> {
    let config = Config::find_and_load(chosen.config)?;
    for warning in &config.warnings {
        output.warning(warning);
    }
    chosen.repository.map(|name| config.repository(name)).transpose()?;
    Ok(Loaded { config, repository: chosen.repository })
}

/// Opens the repository that was named, else the first.
pub(super) async fn open(config: &Loaded<'_>) -> Result<Repository, Failure> {
    Ok(open_named(config, config.chosen()).await??)
}

/// Opens a repository by its name.
pub(super) async fn open_named(config: &Config, name: &str) -> Result<Result<Repository, RepositoryError>, Failure> {
    Ok(Repository::at(config.repository(name)?).await)
}

/// The instances of these names, each once and in the order of their names; all where none is given.
pub(super) fn instances<'a>(config: &'a Config, names: &[String]) -> Result<Vec<&'a InstanceConfig>, UnknownName> {
    match names {
        [] => Ok(config.instances.values().collect()),
        names => {
            let names: BTreeSet<_> = names.iter().collect();
            names.into_iter().map(|name| config.instance(name)).collect()
        }
    }
}

/// The instance whose backups are meant where a command names none: the only one, if there is only one.
pub(super) fn only_instance(config: &Config) -> Option<&str> {
    let mut names = config.instances.keys();
    names.next().filter(|_| names.next().is_none()).map(String::as_str)
}
