//! The error for a database that differs from that of the earlier backups.

use std::fmt;

use crate::manifest::BackupId;

/// The database of an instance is another one than that of its latest backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherDatabase {
    /// The instance.
    pub instance: String,
    /// The latest backup.
    pub latest: BackupId,
    /// What shows it.
    pub why: String,
}

impl fmt::Display for OtherDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, latest, why } = self;
        write!(f, "this is not the database of the backup {instance}/{latest}: {why}")
    }
}

impl OtherDatabase {
    /// Returns what the operator can do about it.
    pub fn hint(&self) -> String {
        let instance = &self.instance;
        format!(
            "if both are in use, configure this one under another name than [instance.{instance}]; if it replaces the other, \
             run it once with `--accept-new-identity`: `odoo-backup now {instance} --accept-new-identity`"
        )
    }
}
