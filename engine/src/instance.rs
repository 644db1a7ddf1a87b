//! An Odoo database and its filestore, as a backup reads them.

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
    /// Its name in the repository; a valid segment of a [`crate::store::Key`].
    pub name: String,
    /// Where its database is.
    pub database: Database,
    /// The filestore's folder: `<data_dir>/filestore/<database>`, or another.
    pub filestore: PathBuf,
    /// Whether Odoo's collector is kept out while the filestore is read.
    pub hold_filestore_gc: HoldCollector,
    /// How hard its dump and its files are compressed.
    pub compression_level: Level,
    /// Which of its backups are kept.
    pub retention: Retention,
    /// The longest time between two of its backups, by its schedule; `None` where it has none.
    pub interval: Option<SignedDuration>,
}

impl Instance {
    /// Returns an instance that nothing schedules or prunes, with the default settings: what is
    /// imported, while it is backed up.
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
