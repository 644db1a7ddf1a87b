//! Why a restore does not start or does not end.

use std::io;
use std::path::PathBuf;

use crate::filestore::FilestoreError;
use crate::folder;
use crate::postgres::{ForeignSession, PostgresError, ending_of_sessions, quote, sessions_text};

/// What prevents the replacement or the undo of a target.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Another process restores to the same target.
    #[error("another restore to the database {database:?} is running")]
    UnderWay {
        /// The target's database.
        database: String,
    },
    /// The target's folder cannot be renamed.
    #[error("the filestore {} cannot be replaced by renaming: {reason}", path.display())]
    NotMovable {
        /// The target's filestore.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// The target's database belongs to another role.
    #[error("the database {database:?} belongs to the role {owner:?}, and a copy restored by {role:?} would not")]
    OwnedByAnother {
        /// The target's database.
        database: String,
        /// Its owner.
        owner: String,
        /// Whether the owner is a superuser.
        is_superuser: bool,
        /// The role of the target.
        role: String,
    },
    /// Other sessions use the database to be replaced, and the role may not end them.
    #[error("the database {database:?} is in use by sessions that the role may not end: {}", sessions_text(.sessions))]
    InUse {
        /// The target's database.
        database: String,
        /// The sessions.
        sessions: Vec<ForeignSession>,
    },
    /// There is nothing to undo.
    #[error("no previous state of {target} is kept")]
    NoFormer {
        /// The target's name in the configuration.
        target: String,
    },
    /// The previous state no longer exists.
    #[error("{what}, the previous state of {target}, no longer exists")]
    FormerGone {
        /// `the database "staging_before_20261121_142143"`
        what: String,
        /// The target's name in the configuration.
        target: String,
    },
    /// The record of earlier restores cannot be read.
    #[error("unable to read {}, the record of earlier restores: {reason}", path.display())]
    BadRecord {
        /// The record.
        path: PathBuf,
        /// Why.
        reason: String,
        /// Whether this user may not read it.
        denied: bool,
    },
    /// The record cannot be written.
    #[error("unable to write {}, the record of earlier restores", path.display())]
    SaveRecord {
        /// The record.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A swap on another server than the target's was interrupted.
    #[error("{} records an unfinished swap of the filestore with the database {database:?} of another server", path.display())]
    ForeignSwap {
        /// The record.
        path: PathBuf,
        /// The database named in the record.
        database: String,
    },
    /// A swap could neither be finished nor reverted.
    #[error("the database {database:?} and its filestore are only half swapped")]
    HalfSwapped {
        /// The target's database.
        database: String,
        /// Why not.
        #[source]
        source: Box<RestoreError>,
    },
    /// The target's name now belongs to another, new database.
    #[error("the database {database:?} is neither the previous one nor its replacement")]
    Changed {
        /// The target's database.
        database: String,
    },
    /// The session that guards the swap is gone.
    #[error("lost the connection that the restore started with: the server restarted or ended it")]
    ConnectionLost,
    /// The filestore's folder.
    #[error(transparent)]
    Filestore(#[from] FilestoreError),
    /// The target's server.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

impl RestoreError {
    /// Returns how the operator can fix it, if known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnderWay { .. } => "wait until it ends, or stop it".into(),
            Self::NotMovable { .. } => {
                "set `filestore` to the folder that it leads to, or to a folder inside the mounted file system".into()
            }
            // A superuser is no role for Odoo, nor for a restore.
            Self::OwnedByAnother { database, owner, role, is_superuser } => {
                let give = format!("`ALTER DATABASE {} OWNER TO {}`", quote(database), quote(role));
                match is_superuser {
                    true => format!("run {give} as a superuser, or set another `database` for the target"),
                    false => format!(
                        "set `user` of the target to {owner:?} where Odoo connects as that role; else run {give} as a superuser, or set another `database`"
                    ),
                }
            }
            Self::InUse { sessions, .. } => ending_of_sessions(sessions, None),
            Self::NoFormer { .. } => "restore a backup; `odoo-backup list` lists them".into(),
            Self::FormerGone { .. } => "restore a backup, or rename the database and the folder by hand".into(),
            Self::BadRecord { path, denied: true, .. } => {
                format!("{}, or run odoo-backup as root", folder::denied(path, path.parent().unwrap_or(path)))
            }
            Self::BadRecord { path, .. } => format!(
                "run odoo-backup as the user who restored before; if the file is damaged, look for databases and folders named …_restoring_… and …_before_…, and remove {}",
                path.display()
            ),
            Self::SaveRecord { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run odoo-backup as the user that Odoo runs as, or as root".into()
            }
            Self::SaveRecord { path, source } => return folder::hint_of(source, path),
            Self::ForeignSwap { .. } => "point the target at that server and run the command again, or rename the folders by hand and remove the record".into(),
            Self::HalfSwapped { .. } => "fix the cause, then run the command again or `odoo-backup restore --undo`: both first finish or revert the interrupted swap".into(),
            Self::ConnectionLost => "check the server's log, then run the command again".into(),
            Self::Filestore(error) => return error.hint(),
            Self::Postgres(error) => return error.hint(),
            Self::Changed { .. } => "rename or drop the database that has the name now, and run the command again".into(),
        })
    }
}
