//! The configuration file, read and checked: every value resolved, nothing left to look up later.
//!
//! ```
//! use std::path::Path;
//!
//! use config::Config;
//!
//! let text = "
//!     repository.url = 'file:///var/lib/odoo-backup'
//!     [instance.production]
//!     database = 'production'
//!     filestore = '/var/lib/odoo/filestore/production'
//!     schedule = '0 2 * * *'
//! ";
//! let config = Config::parse(Path::new("odoo-backup.toml"), text)?;
//! assert!(config.instance("production").is_ok());
//! let problems = Config::parse(Path::new("odoo-backup.toml"), "[repositry]").unwrap_err();
//! assert!(problems.to_string().contains("did you mean"));
//! # Ok::<(), config::ConfigError>(())
//! ```

mod anonymity;
mod copies;
mod daemon;
pub mod discovery;
mod drill;
mod error;
mod explain;
mod exposure;
mod hooks;
mod instance;
pub mod keys;
mod load;
mod nesting;
mod neutral;
mod notify;
mod place;
mod repository;
mod retention;
mod routine;
pub mod schedule;
mod secrets;
mod section;
mod show;
mod surroundings;
pub mod template;
mod trust;
mod value;
mod verbs;

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::hooks::Hooks;
use engine::restore::Target;
use engine::store::StoreConfig;

pub use copies::{CopyRepository, MAIN};
pub use daemon::DaemonConfig;
pub use drill::{Drill, drill_place};
pub use error::{ConfigError, ConfigProblem, UnknownName};
pub use explain::explain;
pub use instance::InstanceConfig;
pub use load::ConfigFile;
pub use notify::{
    Channel, Daily, INSTANCE_IN_URL, MailConfig, NotifyConfig, NotifyOccasion, Quiet, SmtpTls, TelegramConfig,
    WebhookFormat,
};
pub use place::is_instance_name;
pub use routine::{CheckRoutine, Routine};
pub use show::{Origin, ShownSection, ShownValue};

/// A configuration that was read without an error. What is only worth a word is in `warnings`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// Whether that was found by searching rather than named, so that what it names had to be this
    /// user's or root's.
    pub searched: bool,
    /// `[repository]`: where backups are made to.
    pub repository: StoreConfig,
    /// `[repository.NAME]`, by name: where copies of them are kept.
    pub copies: BTreeMap<String, CopyRepository>,
    /// `[instance.NAME]`, by name.
    pub instances: BTreeMap<String, InstanceConfig>,
    /// `[target.NAME]`, by name.
    pub targets: BTreeMap<String, Target>,
    /// `[target.NAME.hooks]`, by the name of the target.
    pub target_hooks: BTreeMap<String, Hooks>,
    /// `[daemon]`, or what holds without it.
    pub daemon: DaemonConfig,
    /// `[[notify]]`, in the file's order.
    pub notify: Vec<NotifyConfig>,
    /// What should be fixed but does not stop the work: a secret that others can read.
    pub warnings: Vec<String>,
    /// Files with secrets, other than odoo.conf, that other users can read.
    pub exposed: Vec<PathBuf>,
}

#[cfg(test)]
mod tests;
