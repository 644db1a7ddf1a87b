mod anonymity;
mod errors;
mod hooks;
mod load;
mod locate;
mod notify;
mod reference;
mod show;
mod template;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::surroundings::Surroundings;
use super::{Config, ConfigError};

/// A folder that is the current one, the root and, in `home`, the home; nothing of the machine that
/// the tests run on is seen.
pub(super) struct Fixture {
    folder: TempDir,
    variables: BTreeMap<String, OsString>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: BTreeMap::new() }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file for its owner alone.
    pub(super) fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.mode(name, 0o600)
    }

    fn mode(self, name: &str, mode: u32) -> Self {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(super) fn folder(self, name: &str) -> Self {
        fs::create_dir_all(self.path(name)).unwrap();
        self
    }

    pub(super) fn surroundings(&self) -> Surroundings {
        let variables = self.variables.clone();
        Surroundings {
            variable: Box::new(move |name| variables.get(name).cloned()),
            folder: self.folder.path().into(),
            root: self.folder.path().into(),
            home: Some(self.path("home")),
        }
    }

    /// Loads `text` as the file `c.toml`.
    fn try_load(&self, text: &str) -> Result<Config, ConfigError> {
        let path = self.path("c.toml");
        if !path.exists() {
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(&path, text).unwrap();
        Config::load_in(&path, &self.surroundings())
    }

    fn load(&self, text: &str) -> Config {
        self.try_load(text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns what is wrong with `text`, the fixture's folder written as `DIR`.
    fn errors(&self, text: &str) -> Vec<String> {
        let error = self.try_load(text).expect_err("loads without an error");
        self.shortened(&error.to_string()).lines().map(Into::into).collect()
    }

    fn shortened(&self, message: &str) -> String {
        let folder: &Path = self.folder.path();
        message.replace(folder.to_str().unwrap(), "DIR").replace("DIR/c.toml", "c.toml")
    }
}
