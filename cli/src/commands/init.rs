//! `odoo-backup init`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use config::template::{InitOptions, template};
use config::{Config, ConfigError, ConfigFile};
use engine::doctor::warn_of_owner;
use engine::folder::{Durability, Taken, Unnamed};
use engine::odoo::conf::OdooConfError;
use engine::repository::{Repository, RepositoryError, store_guide};
use engine::store::{self, StoreConfig};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// Where the configuration is written by default.
const DEFAULT_CONFIG: &str = "odoo-backup.toml";

/// Why the configuration was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    #[error(transparent)]
    OdooConf(#[from] OdooConfError),
    #[error("unable to write the configuration {}: the folder {} does not exist", path.display(), folder.display())]
    NoFolder { path: PathBuf, folder: PathBuf },
    #[error("unable to write the configuration {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the configuration {} already exists: --odoo-conf and --repository are only for a new one", .0.display())]
    Exists(PathBuf),
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        let exit = if matches!(error, InitError::Write { .. } | InitError::NoFolder { .. }) {
            Exit::Failed
        } else {
            Exit::Usage
        };
        let hint = error.hint();
        Self { error: Box::new(error), exit, hint }
    }
}

/// Writes the configuration if it does not exist, and creates the repositories that do not exist.
pub(super) async fn init(
    config: Option<&Path>,
    odoo_conf: Option<&Path>,
    repository: Option<String>,
    output: Output,
) -> Result<Exit, Failure> {
    let named = config.map(Path::to_owned).or_else(|| std::env::var_os("ODOO_BACKUP_CONFIG").map(PathBuf::from));
    let (path, searched) = match named {
        Some(path) => (path, false),
        // Use the one that the other commands would find.
        None => match Config::locate(None) {
            Ok(found) => (found.path, found.searched),
            Err(error @ ConfigError::Untrusted { .. }) => return Err(error.into()),
            Err(_) => (DEFAULT_CONFIG.into(), false),
        },
    };
    let path = std::path::absolute(&path).unwrap_or(path);
    let asked = odoo_conf.is_some() || repository.is_some();
    let written = match path.symlink_metadata().is_ok() {
        true if asked => return Err(InitError::Exists(path).into()),
        true => false,
        false => {
            let options = InitOptions::gather(odoo_conf, repository).map_err(InitError::from)?;
            let text = template(&options);
            // Do not write a configuration that would not load.
            Config::parse(&path, &text)?;
            write(&path, &text)?;
            true
        }
    };
    let what = if written { "wrote the configuration" } else { "using the configuration" };
    output.note(&format!("{what} {}", path.display()));
    let config = ConfigFile { path: path.clone(), searched }.load()?;
    let (location, made) = make(&config.repository).await?;
    let repositories = std::iter::once(&config.repository).chain(config.copies.values().map(|copy| &copy.place));
    let mut copies = Vec::new();
    for copy in config.copies.values() {
        let (location, made) = make(&copy.place).await?;
        copies.push(NamedPlace { name: copy.name.clone(), place: Place { location, made } });
    }
    for place in repositories {
        let StoreConfig::Local { path } = place else { continue };
        if let Some((warning, hint)) = warn_of_owner(path) {
            output.warning(&format!("{warning}; {hint}"));
        }
    }
    let document = InitDocument {
        config: ConfigWritten { path, written },
        repository: Place { location, made },
        copies,
        instances: config.instances.into_keys().collect(),
    };
    let Place { location, made } = &document.repository;
    let text = || {
        let verb = |made| if made { "created" } else { "found" };
        let copies = document.copies.iter();
        let copies = copies.map(|NamedPlace { name, place: Place { location, made } }| {
            format!("{} the repository {name}: {location}\n", verb(*made))
        });
        format!(
            "{} the repository {location}\n{}next: review the configuration, then run `odoo-backup doctor` and `odoo-backup now`",
            verb(*made),
            copies.collect::<String>()
        )
    };
    Ok(output.result(&document, text, Exit::Success))
}

/// What `init` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Init)]
pub(super) struct InitDocument {
    /// The configuration.
    config: ConfigWritten,
    /// The first repository.
    repository: Place,
    /// The repositories of copies.
    copies: Vec<NamedPlace>,
    /// The instances of the configuration.
    instances: Vec<String>,
}

/// A configuration, and whether it is new.
#[derive(Debug, Serialize, ToSchema)]
struct ConfigWritten {
    /// Its file.
    #[schema(value_type = String)]
    path: PathBuf,
    /// Whether it was written now.
    written: bool,
}

/// A repository, and whether it is new.
#[derive(Debug, Serialize, ToSchema)]
struct Place {
    /// Where it is.
    location: String,
    /// Whether it was made now.
    made: bool,
}

/// The repository of copies, by its name.
#[derive(Debug, Serialize, ToSchema)]
struct NamedPlace {
    /// Its name.
    name: String,
    #[serde(flatten)]
    place: Place,
}

/// Creates a repository if it does not exist. Returns its location, and whether it was created.
async fn make(place: &StoreConfig) -> Result<(String, bool), Failure> {
    let store = store::open(place, true).await?;
    let made = match Repository::init(store.clone(), Timestamp::now()).await {
        Ok(_) => true,
        Err(RepositoryError::AlreadyThere(_)) => false,
        Err(error) => return Err(error.into()),
    };
    store_guide(&*store).await?;
    Ok((store.location(), made))
}

impl InitError {
    /// Returns what an operator can do about it.
    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::OdooConf(_) => "name Odoo's configuration file with --odoo-conf FILE".into(),
            Self::NoFolder { .. } => "create the folder first, or name another path with --config".into(),
            Self::Write { .. } => "run as a user who may write there, or name another path with --config".into(),
            Self::Exists(_) => "edit it, or name a new file with --config".into(),
        })
    }
}

/// Writes a new file that only its owner can read, because passwords may be added to it.
fn write(path: &Path, text: &str) -> Result<(), InitError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = Unnamed::begin(folder, ".odoo-backup-")?;
        file.file().write_all(text.as_bytes())?;
        file.keep(path, Taken::Refuse, Durability::Flushed).map(drop)
    };
    write().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => InitError::NoFolder { path: path.to_owned(), folder: folder.to_owned() },
        _ => InitError::Write { path: path.to_owned(), source },
    })
}
