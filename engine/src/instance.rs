//! Describes an Odoo database and its filestore, as a backup reads them.

#[cfg(test)]
pub(crate) mod made_up;
mod retention;

use std::path::PathBuf;

use jiff::SignedDuration;

pub use self::retention::Retention;

use crate::odoo::HoldCollector;
use crate::postgres::Database;
use crate::stream::Level;

/// One Odoo database and its filestore.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The name in the repository, a valid segment of a [`crate::store::Key`].
    pub name: String,
    /// The database.
    pub database: Database,
    /// The filestore's folder: `<data_dir>/filestore/<database>`, or another.
    pub filestore: PathBuf,
    /// Whether Odoo's collector is paused while the filestore is read.
    pub hold_filestore_gc: HoldCollector,
    /// The compression level of its dump and files.
    pub compression_level: Level,
    /// Which of its backups are kept.
    pub retention: Retention,
    /// The longest time between two backups by the schedule. `None` if there is no schedule.
    pub interval: Option<SignedDuration>,
}

impl Instance {
    /// Returns an instance with default settings and without a schedule, such as an import while it
    /// is backed up.
    pub fn new(name: impl Into<String>, database: Database, filestore: PathBuf) -> Self {
        Self {
            name: name.into(),
            database,
            filestore,
            hold_filestore_gc: HoldCollector::Auto,
            compression_level: Level::default(),
            retention: Retention::default(),
            interval: None,
        }
    }
}
