//! Finding the configuration file, and reading it.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::restore::Target;
use engine::small_file;
use engine::store::StoreConfig;
use engine::text::nearest;
use rustix::fs::Access;
use toml::de::DeTable;

use super::section::{Section, Source};
use super::show::{Ledger, ShownSection};
use super::surroundings::{Surroundings, exists};
use super::trust::distrust;
use super::{
    Config, ConfigError, InstanceConfig, NotifyConfig, Routine, UnknownName, copies, daemon, hooks, keys, nesting,
    notify, place,
};

/// The environment variable that names the configuration file.
const VARIABLE: &str = "ODOO_BACKUP_CONFIG";
/// The file in the current folder.
const HERE: &str = "odoo-backup.toml";
/// The system's file, below the root.
const SYSTEM: &str = "etc/odoo-backup/config.toml";

impl Config {
    /// Returns the configuration file: `explicit` (from `--config`), else `$ODOO_BACKUP_CONFIG`,
    /// else `./odoo-backup.toml`, else `/etc/odoo-backup/config.toml`.
    ///
    /// A file that is found by searching must belong to root or to this user, and no other user may
    /// be able to write to it.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] where a file is named and not there, [`ConfigError::NotFound`]
    /// where none is named and none found, [`ConfigError::Untrusted`] where one is found that may
    /// be a stranger's.
    pub fn locate(explicit: Option<&Path>) -> Result<ConfigFile, ConfigError> {
        Self::locate_in(explicit, &Surroundings::of_process())
    }

    pub(super) fn locate_in(explicit: Option<&Path>, surroundings: &Surroundings) -> Result<ConfigFile, ConfigError> {
        let variable = (surroundings.variable)(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let named = explicit.map(|path| (path.to_path_buf(), "--config"));
        if let Some((path, named_by)) = named.or_else(|| variable.map(|path| (path, "$ODOO_BACKUP_CONFIG"))) {
            let there = exists(&surroundings.folder.join(&path));
            return match there {
                true => Ok(ConfigFile { path, searched: false }),
                false => Err(ConfigError::Missing { path, named_by }),
            };
        }
        let usual = [surroundings.folder.join(HERE), surroundings.root.join(SYSTEM)];
        let mut denied = Vec::new();
        for path in &usual {
            match fs::metadata(path) {
                Ok(_) => {
                    return match distrust(path) {
                        Some(reason) => Err(ConfigError::Untrusted { path: path.clone(), reason }),
                        None => Ok(ConfigFile { path: path.clone(), searched: true }),
                    };
                }
                // A folder that may not be entered has no configuration for this user.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => denied.push(path.clone()),
                Err(_) => {}
            }
        }
        Err(ConfigError::NotFound { looked_for: usual.into(), denied })
    }

    /// Returns where a new configuration belongs if no place is named: where a service finds it,
    /// if this user may write there, else in the current folder.
    pub fn place_for_new() -> PathBuf {
        Self::place_for_new_in(&Surroundings::of_process())
    }

    pub(super) fn place_for_new_in(surroundings: &Surroundings) -> PathBuf {
        let system = surroundings.root.join(SYSTEM);
        let may_write = |folder: &Path| rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        if system.parent().is_some_and(may_write) { system } else { HERE.into() }
    }

    /// Reads the configuration file at `path`, and what it refers to: odoo.conf, files with
    /// secrets, the environment.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`], or [`ConfigError::Invalid`] with everything that is wrong with
    /// the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_in(path, &Surroundings::of_process())
    }

    /// Finds the configuration file, as [`Self::locate`] does, and reads it.
    ///
    /// # Errors
    /// Those of both
    pub fn find_and_load(explicit: Option<&Path>) -> Result<Self, ConfigError> {
        Self::locate(explicit)?.load()
    }

    /// Does the same as [`Self::load`] with a text that is to become the file `path`.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`]
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::parse_in(path, text, false, &Surroundings::of_process())
    }

    pub(super) fn load_in(path: &Path, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        ConfigFile { path: path.into(), searched: false }.load_in(surroundings)
    }

    fn parse_in(path: &Path, text: &str, searched: bool, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        Self::parse_then(path, text, searched, surroundings, |_| ()).map(|(config, ())| config)
    }

    /// Does the same as [`Self::parse_in`], and returns what `then` makes of what was read.
    fn parse_then<T>(
        path: &Path,
        text: &str,
        searched: bool,
        surroundings: &Surroundings,
        then: impl FnOnce(&Ledger) -> T,
    ) -> Result<(Self, T), ConfigError> {
        let source = Source::new(path, text, searched, surroundings);
        let (document, errors) = DeTable::parse_recoverable(text);
        let config = if errors.is_empty() {
            read(&Section::file(&source, document.get_ref()), path)
        } else {
            errors.iter().for_each(|error| source.syntax_error(error));
            None
        };
        let exposed = source.exposed();
        let made = then(&source.ledger);
        match (config, source.finish()) {
            (Some(config), (problems, mut warnings)) if problems.is_empty() => {
                let (nested, unknown) = nesting::problems(&config);
                if !nested.is_empty() {
                    return Err(ConfigError::Invalid { problems: nested });
                }
                warnings.extend(unknown);
                Ok((Self { searched, warnings, exposed, ..config }, made))
            }
            (_, (problems, _)) => Err(ConfigError::Invalid { problems }),
        }
    }

    /// Returns every repository with its name: that of `[repository]`, called
    /// [`MAIN`](super::MAIN), then the others by name.
    pub fn repositories(&self) -> impl Iterator<Item = (&str, &StoreConfig)> {
        let main = std::iter::once((copies::MAIN, &self.repository));
        main.chain(self.copies.iter().map(|(name, copy)| (name.as_str(), &copy.place)))
    }

    /// Returns the repository of this name; the one of `[repository]` is called
    /// [`MAIN`](super::MAIN).
    ///
    /// # Errors
    /// [`UnknownName`], with the nearest name and all that there are.
    pub fn repository(&self, name: &str) -> Result<&StoreConfig, UnknownName> {
        let all: BTreeMap<_, _> = self.repositories().collect();
        self.find("repository", &all, name).copied()
    }

    /// Returns the instance of this name.
    ///
    /// # Errors
    /// [`UnknownName`], with the nearest name and all that there are.
    pub fn instance(&self, name: &str) -> Result<&InstanceConfig, UnknownName> {
        self.find("instance", &self.instances, name)
    }

    /// Returns the `[[notify]]` of this name.
    ///
    /// # Errors
    /// [`UnknownName`], with the nearest name and all that there are.
    pub fn notifier(&self, name: &str) -> Result<&NotifyConfig, UnknownName> {
        let all: BTreeMap<_, _> = self.notify.iter().map(|notifier| (notifier.name.as_str(), notifier)).collect();
        self.find("notifier", &all, name).copied()
    }

    /// Returns the target of this name.
    ///
    /// # Errors
    /// [`UnknownName`], with the nearest name and all that there are.
    pub fn target(&self, name: &str) -> Result<&Target, UnknownName> {
        self.find("target", &self.targets, name)
    }

    /// Returns how long work on backups of this instance may make no progress. Returns the default
    /// for an unknown instance.
    pub fn stall_timeout(&self, instance: Option<&str>) -> Duration {
        let instance = instance.and_then(|name| self.instances.get(name));
        instance.map_or_else(|| Routine::default().stall_timeout, |instance| instance.routine.stall_timeout)
    }

    fn find<'a, K: Ord + Borrow<str>, T>(
        &self,
        kind: &'static str,
        all: &'a BTreeMap<K, T>,
        name: &str,
    ) -> Result<&'a T, UnknownName> {
        let known = || all.keys().map(|known| -> &str { known.borrow() });
        all.get(name).ok_or_else(|| UnknownName {
            kind,
            name: name.into(),
            known: known().map(Into::into).collect(),
            suggestion: nearest(name, known()).map(Into::into),
            file: self.path.clone(),
        })
    }
}

/// A configuration file, and how it came to be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was found by searching rather than named.
    pub searched: bool,
}

impl ConfigFile {
    /// Reads the file. Of one that was found by searching, the files that it names must be trusted
    /// as it is itself.
    ///
    /// # Errors
    /// Those of [`Config::load`]
    pub fn load(&self) -> Result<Config, ConfigError> {
        self.load_in(&Surroundings::of_process())
    }

    pub(super) fn load_in(&self, surroundings: &Surroundings) -> Result<Config, ConfigError> {
        Config::parse_in(&self.path, &self.text()?, self.searched, surroundings)
    }

    /// Reads the file, as [`Self::load`] does, and returns what is in force, key by key. No secret
    /// is part of it.
    ///
    /// # Errors
    /// Those of [`Config::load`]
    pub fn show(&self) -> Result<(Config, Vec<ShownSection>), ConfigError> {
        self.show_in(&Surroundings::of_process())
    }

    pub(super) fn show_in(&self, surroundings: &Surroundings) -> Result<(Config, Vec<ShownSection>), ConfigError> {
        let show = |ledger: &Ledger| ledger.show(&self.path);
        Config::parse_then(&self.path, &self.text()?, self.searched, surroundings, show)
    }

    fn text(&self) -> Result<String, ConfigError> {
        let read = small_file::read_to_string(&self.path);
        read.map_err(|source| ConfigError::Unreadable { path: self.path.clone(), source })
    }
}

/// Reads all sections. Returns `None` if there is a problem, which has been noted.
fn read(file: &Section<'_>, path: &Path) -> Option<Config> {
    let repositories = match file.section("repository", &keys::REPOSITORY) {
        Ok(Some(section)) => copies::read(&section),
        Ok(None) => Err(file.missing("repository", "the section [repository] is missing".into())),
        Err(reported) => Err(reported),
    };
    let instances = file.named_sections("instance", &keys::INSTANCE);
    let targets = file.named_sections("target", &keys::TARGET);
    let [instance_names, target_names] =
        [&instances, &targets].map(|sections| sections.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    // All are read before the first `?`: each notes what is wrong with it.
    let instances: Vec<_> =
        instances.iter().map(|(name, section)| place::read_instance(name, section, &target_names)).collect();
    let target_hooks: Vec<_> = targets
        .iter()
        .map(|(name, section)| hooks::read(section, &keys::TARGET_HOOKS).map(|hooks| (name.clone(), hooks)))
        .collect();
    let targets: Vec<_> =
        targets.iter().map(|(name, section)| place::read_target(name, section, &instance_names)).collect();

    let daemon = daemon::read(file);
    let others = notify::Others {
        instances: &instance_names,
        zones: instances.iter().flatten().map(|instance| (instance.name(), &instance.routine.zone)).collect(),
        public_url: daemon.as_ref().ok().and_then(|daemon| daemon.public_url.as_deref()),
    };
    let notify = notify::read(file, &others);

    let instances = instances.into_iter().map(|read| read.map(|instance| (instance.name().to_owned(), instance)));
    let targets = targets.into_iter().map(|read| read.map(|target| (target.name.clone(), target)));
    let (repository, copies) = repositories.ok()?;
    Some(Config {
        path: path.into(),
        searched: false,
        repository,
        copies,
        instances: instances.collect::<Result<_, _>>().ok()?,
        targets: targets.collect::<Result<_, _>>().ok()?,
        target_hooks: target_hooks.into_iter().collect::<Result<_, _>>().ok()?,
        daemon: daemon.ok()?,
        notify: notify.ok()?,
        warnings: Vec::new(),
        exposed: Vec::new(),
    })
}
