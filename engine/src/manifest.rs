//! Defines the manifest: the content of a backup, as the repository stores it.
//!
//! The manifest is stored last, and the backup exists from that moment. It names every object that
//! a restore needs. The fingerprints of the plain and the stored bytes let everything be verified
//! that is read back.

mod backup;
mod brief;
mod checksums;
mod database;
mod findings;
mod id;
mod lists;
#[cfg(test)]
pub(crate) mod made_up;
mod reasonable;
mod verification;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::backup::{BackupLink, BackupRef};
pub use self::brief::Brief;
pub use self::brief::{DatabaseBrief, FilestoreBrief};
pub(crate) use self::checksums::read_checksums;
pub(crate) use self::checksums::{manifest_digests, write_both_checksums};
pub use self::database::{DatabaseContent, DumpVolume, DumpVolumes, RowContent, StoredDump};
pub use self::findings::{FilestoreFindings, FindingCounts, StoredFindings};
pub use self::id::BackupId;
pub use self::id::InvalidBackupId;
pub(crate) use self::id::{moment, stamp};
pub(crate) use self::lists::{removed_paths, table_rows};
pub(crate) use self::verification::seconds;
pub use self::verification::{Check, CheckOutcome, Depth, Notes, Subject, Verification};

use crate::filestore::Bounds;
use crate::odoo::{AttachmentCounts, OdooFacts};
use crate::postgres::{ServerFacts, SourceFacts};
use crate::store::Key;
use crate::stream::Fingerprint;

/// The latest format that this program reads, and that of a new repository.
pub const FORMAT: u32 = 2;
/// The first format. It stores each dump in full.
pub const FORMAT_1: u32 = 1;

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its format, at most the repository's.
    pub format: u32,
    /// Its id.
    pub id: BackupId,
    /// The instance of the backup.
    pub instance: String,
    /// The repository that it was made in. `None` in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The backup before it. `None` in format 1, and in the first backup of an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<BackupLink>,
    /// Of an encrypted backup, the keys that its objects need. This version makes none and refuses
    /// one with keys: to it, the objects would seem damaged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ObjectKey>,
    /// The moment that it shows: when the database's snapshot was taken.
    pub created_at: Timestamp,
    /// When its last object was stored.
    pub finished_at: Timestamp,
    /// The version of odoo-backup that made it.
    pub program: String,
    /// The server that it came from.
    pub server: ServerFacts,
    /// The properties of its database that a copy must have. `None` in backups of versions that did
    /// not record them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceFacts>,
    /// What Odoo's own tables say. `None` if the database is not Odoo's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odoo: Option<OdooFacts>,
    /// Its attachments. `None` if the database is not Odoo's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<AttachmentContent>,
    /// The dump.
    pub database: DatabaseContent,
    /// The files.
    pub filestore: FilestoreContent,
    /// The file that it was imported from. `None` if it was made from a running instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<ImportedFrom>,
    /// What the operator should know. A backup with warnings is complete as far as its source was.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub warnings: Vec<String>,
}

/// A key that objects of a backup are encrypted to. Who holds a recovery identity opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The object with the secret half, encrypted to the recovery identities.
    pub object: Key,
    /// The fingerprint of that object.
    pub stored: Fingerprint,
    /// The public half: `age1…`.
    pub public: String,
}

/// The file that a backup was imported from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedFrom {
    /// Its name.
    pub file: String,
    /// When it was imported.
    pub imported_at: Timestamp,
    /// The version of Odoo that wrote it, by its own statement. Absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub odoo: Option<String>,
}

/// The attachments of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentContent {
    /// How many there are, and where their content is.
    #[serde(flatten)]
    pub counts: AttachmentCounts,
    /// Their list, one JSON object per line, in zstd; see [`crate::odoo::Attachment`].
    pub list: StoredObject,
}

impl AttachmentContent {
    /// Returns a warning about content that a backup of database and filestore does not contain.
    pub fn warning(&self) -> Option<String> {
        let content = match self.counts.elsewhere {
            0 => return None,
            1 => "the content of 1 attachment is".to_owned(),
            many => format!("the content of {many} attachments is"),
        };
        Some(format!("{content} in another storage, such as a bucket, and not in this backup"))
    }
}

/// The files of a filestore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilestoreContent {
    /// The number of files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// How many of them no earlier backup contains.
    pub new_files: u64,
    /// The bytes of those together.
    pub new_bytes: u64,
    /// The volumes in order: a later volume overrides an earlier one for the same path. Those of
    /// earlier backups come first.
    pub volumes: Vec<Volume>,
    /// Paths in the volumes that are no longer part of the filestore, each followed by a zero byte,
    /// in zstd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<StoredObject>,
    /// Whether Odoo's collector was paused while the files were read.
    pub collector_held: bool,
    /// The problems found with the files, in format 1: by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) findings: Option<FilestoreFindings>,
    /// The problems found with the files, in format 2: their names are in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<StoredFindings>,
}

/// A tar archive of part of a filestore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The number of files in it.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// The tar archive in zstd frames.
    pub object: StoredObject,
    /// The list of its files, one JSON object a line, in zstd; see `crate::filestore::ListedFile`.
    pub list: StoredObject,
    /// The volume that it replaced. `None` if a backup made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
}

impl Volume {
    /// Returns the most that its list can contain.
    pub fn bounds(&self) -> Bounds {
        Bounds { files: self.files, bytes: self.bytes }
    }
}

/// A replaced volume, of which the new one contains everything needed. It stays for a while, for
/// readers that started before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Its archive.
    pub object: Key,
    /// Its list.
    pub list: Key,
    /// When it was replaced, by the store's clock.
    pub at: Timestamp,
}

/// An object of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its key.
    pub key: Key,
    /// The fingerprint before compression.
    pub plain: Fingerprint,
    /// The fingerprint of what is stored.
    pub stored: Fingerprint,
}

impl Manifest {
    /// Returns all objects that a restore reads.
    pub fn objects(&self) -> impl Iterator<Item = &StoredObject> {
        let volumes = self.filestore.volumes.iter().flat_map(|volume| [&volume.object, &volume.list]);
        self.database.dump.objects().chain(volumes).chain(self.lists())
    }

    /// Returns those of them that belong neither to the dump nor to a volume.
    pub fn lists(&self) -> impl Iterator<Item = &StoredObject> {
        let tables = self.database.rows.as_ref().map(|rows| &rows.list);
        let attachments = self.attachments.as_ref().map(|attachments| &attachments.list);
        self.filestore.removed.iter().chain(self.filestore.list_of_findings()).chain(tables).chain(attachments)
    }

    /// Returns all warnings: its own, and those about findings that earlier versions only counted.
    pub fn all_warnings(&self) -> Vec<String> {
        let counted = self.attachments.as_ref().and_then(AttachmentContent::warning);
        let unsaid = counted.filter(|warning| !self.warnings.contains(warning));
        self.warnings.iter().cloned().chain(unsaid).collect()
    }

    /// Returns how many names and sentences its lists have.
    pub(crate) fn names(&self) -> usize {
        self.filestore.findings.as_ref().map_or(0, FilestoreFindings::names) + self.warnings.len()
    }

    /// Returns the bytes that its own objects take in the repository, without those shared with
    /// earlier backups.
    pub fn stored_bytes(&self) -> u64 {
        let own = self.backup().folder();
        self.objects().filter(|object| object.key.is_under(&own)).map(|object| object.stored.size).sum()
    }

    /// Returns the bytes that its own objects of the dump take in the repository.
    pub fn stored_dump_bytes(&self) -> u64 {
        let own = self.backup().folder();
        self.database.dump.objects().filter(|object| object.key.is_under(&own)).map(|object| object.stored.size).sum()
    }

    /// Returns whether `other` is the same backup with the same content. The packing of its files
    /// may differ.
    pub(crate) fn is_same_backup(&self, other: &Self) -> bool {
        let mut packed_alike = other.clone();
        packed_alike.filestore.volumes.clone_from(&self.filestore.volumes);
        *self == packed_alike
    }

    /// Returns the manifest as it is stored.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// The name of the manifest in its backup's folder.
pub const MANIFEST: &str = "manifest.json";
/// The name of the manifest of a quarantined backup, which exists again once the file is renamed to
/// [`MANIFEST`].
pub const SET_ASIDE: &str = "set-aside.json";
/// The name of the checksums in their backup's folder.
pub const CHECKSUMS: &str = "SHA256SUMS";
