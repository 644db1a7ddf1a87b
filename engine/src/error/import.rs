//! Why a file is not imported.

use std::path::PathBuf;

/// What is wrong with a file to import, or with the place to load it into.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Neither a zip nor an archive of pg_dump.
    #[error("{} is neither a zip nor a pg_dump archive", .0.display())]
    Unknown(PathBuf),
    /// A folder: an archive of pg_dump's directory format, an unpacked zip, or something else.
    #[error("{} is a folder, not a zip or a pg_dump archive", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// A file in it that can be imported instead.
        holds: Option<&'static str>,
    },
    /// A zip that cannot be read, or that contains what no backup of Odoo contains.
    #[error("the zip {} is not an Odoo backup: {reason}", path.display())]
    BadZip {
        /// The zip.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A zip that contains an archive of pg_dump, as other backup tools write it.
    #[error("the zip {} is not an Odoo backup: it contains {dump} instead of dump.sql", path.display())]
    ForeignZip {
        /// The zip.
        path: PathBuf,
        /// The archive's name in it, printable.
        dump: String,
    },
    /// A filestore is given in addition to a zip, which has its own.
    #[error("{} is a zip, which contains its own filestore", .0.display())]
    TwoFilestores(PathBuf),
    /// The unpacked files would not fit.
    #[error("the files need {needed} bytes unpacked, and {} has {free} free", folder.display())]
    NoRoom {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// The folder to unpack into.
        folder: PathBuf,
    },
    /// The role has more privileges on its server than a script of unknown origin may have.
    #[error("the role {role:?} can run programs or read files on its server, and so could the imported SQL")]
    PowerfulRole {
        /// The role.
        role: String,
    },
    /// There is already a backup of that moment.
    #[error("the backup {backup} already exists: it shows the same moment as the file")]
    Imported {
        /// Instance and id.
        backup: String,
    },
}

impl ImportError {
    /// Describes a folder that was given instead of a file.
    pub(crate) fn of_folder(path: PathBuf) -> Self {
        let holds = ["toc.dat", "db.dump"].into_iter().find(|name| path.join(name).is_file());
        Self::Folder { path, holds }
    }

    /// Returns how the operator can fix it, if known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown(_) => {
                "give a zip from Odoo's database manager, `odoo-bin db dump` or Odoo.sh, or an archive from `pg_dump --format=custom`".into()
            }
            Self::Folder { path, holds: Some(dump) } if *dump == "toc.dat" => format!(
                "restore this archive in pg_dump's directory format, dump it again with `pg_dump --format=custom`, and import that file; {} stays unchanged",
                path.display()
            ),
            Self::Folder { path, holds: Some(dump) } => format!(
                "import {} and give its files with --filestore {}",
                path.join(dump).display(),
                path.join("filestore").display()
            ),
            Self::Folder { .. } => {
                "give the file itself: Odoo's zip, or the output of `pg_dump --format=custom` (and its files with --filestore)".into()
            }
            Self::ForeignZip { dump, .. } => {
                format!("unzip it, then import {dump} and give the folder of its files with --filestore")
            }
            Self::BadZip { .. } => "create or copy the zip again; nothing of it was imported".into(),
            Self::TwoFilestores(_) => "leave --filestore out".into(),
            Self::NoRoom { .. } => "set $TMPDIR to a folder with more room".into(),
            Self::PowerfulRole { .. } => {
                "import with a role that is not a superuser (--on TARGET), or add --trusted if you trust the origin of the file".into()
            }
            Self::Imported { .. } => "restore that backup; `odoo-backup show` shows where it comes from".into(),
        })
    }
}
