//! `odoo-backup init`

mod databases;
mod look;
mod questions;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use config::discovery::{Answer, Clue};
use config::template::template;
use config::{Config, ConfigError, ConfigFile};
use engine::doctor::warn_of_owner;
use engine::folder::{Durability, Taken, Unnamed};
use engine::odoo::conf::OdooConfError;
use engine::repository::{Repository, RepositoryError, store_guide};
use engine::run::Run;
use engine::store::{self, StoreConfig};
use engine::text::one_line;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use self::questions::NoAnswer;
use super::as_user::is_asked;
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// What to do without a target.
const NO_TARGET: &str = "list";

/// What `init` is asked to do.
pub(super) struct InitRequest<'a> {
    pub(super) config: Option<&'a Path>,
    pub(super) odoo_conf: Option<&'a Path>,
    pub(super) repository: Option<String>,
    /// Whether every default is accepted without a question.
    pub(super) yes: bool,
}

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

impl From<NoAnswer> for Failure {
    fn from(error: NoAnswer) -> Self {
        let hint = "run it again, with --yes to accept every default".into();
        Self { error: Box::new(error), exit: Exit::Interrupted, hint: Some(hint) }
    }
}

/// Writes the configuration if it does not exist, and creates the repositories that do not exist.
pub(super) async fn init(request: InitRequest<'_>, run: &Run, output: Output) -> Result<Exit, Failure> {
    let InitRequest { config, odoo_conf, repository, yes } = request;
    if is_asked() {
        let databases = databases::as_asked(odoo_conf).await;
        return Ok(output.result(&databases, String::new, Exit::Success));
    }
    let named = config.map(Path::to_owned).or_else(|| std::env::var_os("ODOO_BACKUP_CONFIG").map(PathBuf::from));
    let (path, searched) = match named {
        Some(path) => (path, false),
        // Use the one that the other commands would find.
        None => match Config::locate(None) {
            Ok(found) => (found.path, found.searched),
            Err(error @ ConfigError::Untrusted { .. }) => return Err(error.into()),
            Err(_) => (Config::place_for_new(), false),
        },
    };
    let path = std::path::absolute(&path).unwrap_or(path);
    let asked = odoo_conf.is_some() || repository.is_some();
    let mut found = Vec::new();
    let mut missing = Vec::new();
    let written = match path.symlink_metadata().is_ok() {
        true if asked => return Err(InitError::Exists(path).into()),
        true => false,
        false => {
            let may_ask = !yes && !output.is_json() && questions::can_ask();
            let mut look = look::look(odoo_conf).await.map_err(InitError::from)?;
            report(&look.clues, output);
            if may_ask && odoo_conf.is_none() {
                let conf = look.options.found.odoo_conf.as_ref().map(|(path, _)| path.as_path());
                if let Some(other) = questions::odoo_conf(conf, run).await? {
                    look = look::look(Some(&other)).await.map_err(InitError::from)?;
                    report(&look.clues, output);
                }
            }
            look.options.repository_url = repository;
            if may_ask {
                questions::rest(&mut look.options, run).await?;
            }
            missing = look.options.missing();
            let text = template(&look.options);
            // Do not write a configuration that would not load.
            Config::parse(&path, &text)?;
            write(&path, &text)?;
            found = look.clues;
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
    let next = next(&config);
    let document = InitDocument {
        config: ConfigWritten { path, written },
        repository: Place { location, made },
        copies,
        instances: config.instances.into_keys().collect(),
        found,
        next: next.iter().map(|(command, _)| command.clone()).collect(),
    };
    let Place { location, made } = &document.repository;
    let text = || {
        let verb = |made| if made { "created" } else { "found" };
        let copies = document.copies.iter();
        let copies = copies.map(|NamedPlace { name, place: Place { location, made } }| {
            format!("{} the repository {name}: {location}\n", verb(*made))
        });
        let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
        let next = next.iter().map(|(command, what)| format!("\n  {command:width$}  {what}"));
        let (copies, next) = (copies.collect::<String>(), next.collect::<String>());
        let edit = match missing.as_slice() {
            [] => String::new(),
            missing => format!("\n  edit {}: set {}", document.config.path.display(), missing.join(" and ")),
        };
        format!("{} the repository {location}\n{copies}next:{edit}{next}", verb(*made))
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
    /// What was looked for to write the configuration, in order. Empty where it exists.
    found: Vec<Clue>,
    /// The commands to run next.
    next: Vec<String>,
}

/// Prints what was found, and where.
fn report(clues: &[Clue], output: Output) {
    let line = |Clue { what, answer, value, source }: &Clue| {
        let (answer, source) = match (answer, value) {
            (Answer::Found, Some(value)) => ("found", format!("{} ({})", one_line(value), one_line(source))),
            (Answer::Found, None) => ("found", one_line(source).into_owned()),
            (Answer::NotFound, _) => ("not found", one_line(source).into_owned()),
            (Answer::Unknown, _) => ("could not tell", one_line(source).into_owned()),
        };
        format!("\n  {answer:14}  {what}: {source}")
    };
    output.note(&format!("looked for Odoo:{}", clues.iter().map(line).collect::<String>()));
}

/// Returns the commands that follow, and what each does. They name the configuration where they
/// would not find it.
fn next(config: &Config) -> [(String, &'static str); 3] {
    let is_found =
        Config::locate(None).is_ok_and(|found| std::path::absolute(found.path).ok().as_ref() == Some(&config.path));
    let option = if is_found { String::new() } else { format!(" --config {}", config.path.display()) };
    let command = |verb: &str| format!("odoo-backup{option} {verb}");
    let staging = config.targets.keys().find(|name| *name == "staging");
    let last = match staging.or_else(|| config.targets.keys().next()) {
        Some(target) => (command(&format!("restore --to {target}")), "restore it as a neutralized copy"),
        None => (command(NO_TARGET), "list the backups"),
    };
    [(command("doctor"), "test everything in the configuration"), (command("now"), "make a backup"), last]
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
