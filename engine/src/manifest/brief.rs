//! Summarizes a backup for lists and other programs. All sizes are bytes.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::BackupId;
use super::{ImportedFrom, Manifest};
use crate::odoo::AttachmentCounts;

/// The summary of a backup. It is small, however many files and volumes the backup has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Brief {
    /// Its id.
    pub id: BackupId,
    /// The instance of the backup.
    pub instance: String,
    /// The moment that it shows.
    pub created_at: Timestamp,
    /// When its last object was stored.
    pub finished_at: Timestamp,
    /// `17.0`. Null if the database is not Odoo's.
    #[schema(required = true)]
    pub odoo_series: Option<String>,
    /// The dump.
    pub database: DatabaseBrief,
    /// The files.
    pub filestore: FilestoreBrief,
    /// How many attachments there are. Null if the database is not Odoo's.
    #[schema(required = true)]
    pub attachments: Option<AttachmentCounts>,
    /// What its own objects take in the repository, without those shared with earlier backups.
    pub stored_bytes: u64,
    /// The file that it was imported from. Null if it was made from a running instance.
    #[schema(required = true)]
    pub imported: Option<ImportedFrom>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// The summary of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DatabaseBrief {
    /// The database's name at its source.
    pub name: String,
    /// The dump before compression.
    pub dump_bytes: u64,
    /// How many of them no earlier backup has.
    pub new_bytes: u64,
    /// What its own objects take in the repository, without those shared with earlier backups.
    pub stored_bytes: u64,
    /// How many volumes it is put together from, its own included.
    pub volumes: usize,
    /// The full backup with which its chain begins. Null if the dump is stored whole, in format 1.
    #[schema(required = true)]
    pub chain: Option<BackupId>,
    /// The number of tables whose data it contains. Null if they were not counted.
    #[schema(required = true)]
    pub tables: Option<u64>,
    /// Their rows together. Null if they were not counted.
    #[schema(required = true)]
    pub rows: Option<u64>,
}

/// The summary of a filestore's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FilestoreBrief {
    /// The number of files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// How many of them no earlier backup contains.
    pub new_files: u64,
    /// The bytes of those together.
    pub new_bytes: u64,
    /// How many volumes it references.
    pub volumes: usize,
    /// Whether Odoo's collector was paused while the files were read.
    pub collector_held: bool,
}

impl From<&Manifest> for Brief {
    fn from(manifest: &Manifest) -> Self {
        let (database, filestore) = (&manifest.database, &manifest.filestore);
        let rows = database.rows.as_ref();
        Self {
            id: manifest.id.clone(),
            instance: manifest.instance.clone(),
            created_at: manifest.created_at,
            finished_at: manifest.finished_at,
            odoo_series: manifest.odoo.as_ref().map(|odoo| odoo.series.clone()).filter(|series| !series.is_empty()),
            database: DatabaseBrief {
                name: database.name.clone(),
                dump_bytes: database.dump.plain().size,
                new_bytes: database.dump.new_bytes(),
                stored_bytes: manifest.stored_dump_bytes(),
                volumes: database.dump.volumes().map_or(1, |stored| stored.volumes.len()),
                chain: database.dump.chain().cloned(),
                tables: rows.map(|rows| rows.tables),
                rows: rows.map(|rows| rows.rows),
            },
            filestore: FilestoreBrief {
                files: filestore.files,
                bytes: filestore.bytes,
                new_files: filestore.new_files,
                new_bytes: filestore.new_bytes,
                volumes: filestore.volumes.len(),
                collector_held: filestore.collector_held,
            },
            attachments: manifest.attachments.as_ref().map(|attachments| attachments.counts),
            stored_bytes: manifest.stored_bytes(),
            imported: manifest.imported.clone(),
            warnings: manifest.all_warnings(),
        }
    }
}
