//! Why a file is not imported.

use std::path::PathBuf;

/// What is wrong with a file that is to be imported, or with where it is to be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Neither a zip nor an archive of pg_dump.
    #[error("{} is neither a zip nor an archive of pg_dump", .0.display())]
    Unknown(PathBuf),
    /// A zip that cannot be read, or holds what no backup of Odoo holds.
    #[error("the zip {} is not one of Odoo's: {reason}", path.display())]
    BadZip {
        /// The zip.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A filestore is named beside a zip, which has its own.
    #[error("{} is a zip, which has its filestore in itself", .0.display())]
    TwoFilestores(PathBuf),
    /// What is unpacked would not fit.
    #[error("the files take {needed} bytes unpacked, and {} has {free} left", folder.display())]
    NoRoom {
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// Where they were to be unpacked.
        folder: PathBuf,
    },
    /// The role could do more to its server than a script of unknown origin may.
    #[error("the role {role:?} may run programs or read files on its server, and so might what is imported")]
    PowerfulRole {
        /// The role.
        role: String,
    },
    /// There is a backup of that moment already.
    #[error("the backup {backup} is there already: it shows the same moment as the file")]
    Imported {
        /// Instance and id.
        backup: String,
    },
}

impl ImportError {
    /// How an operator mends it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown(_) => {
                "a zip is what Odoo's database manager, `odoo-bin db dump` and Odoo.sh write; an archive is what `pg_dump --format=custom` writes".into()
            }
            Self::BadZip { .. } => "nothing of it was imported; have the zip made, or copied, once more".into(),
            Self::TwoFilestores(_) => "leave --filestore out".into(),
            Self::NoRoom { .. } => "set $TMPDIR to a folder with more room".into(),
            Self::PowerfulRole { .. } => {
                "import by a server's role that is no superuser (--on TARGET), or, if you trust who made the file, add --trusted".into()
            }
            Self::Imported { .. } => "`odoo-backup show` tells where it comes from; restore that one".into(),
        })
    }
}
