//! What a backup is made of, as the repository stores it.
//!
//! The manifest is stored last: a backup exists from that moment on. It names every object that a restore needs, with the
//! fingerprints of what went in and of what is stored, so that nothing read back has to be believed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::odoo::OdooFacts;
use crate::postgres::ServerFacts;
use crate::repository::BackupId;
use crate::store::Key;
use crate::stream::{Digest, Fingerprint};

/// The version of the format that this program writes, and the latest one that it reads.
pub const FORMAT: u32 = 1;

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Its name.
    pub id: BackupId,
    /// The instance it is of.
    pub instance: String,
    /// The moment that it shows: when the database's snapshot was taken.
    pub created_at: Timestamp,
    /// When its last object was stored.
    pub finished_at: Timestamp,
    /// Version of odoo-backup that made it.
    pub program: String,
    /// The server it came from.
    pub server: ServerFacts,
    /// What Odoo's own tables say; `None` where the database is not Odoo's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odoo: Option<OdooFacts>,
    /// The dump.
    pub database: DatabaseContent,
    /// The files.
    pub filestore: FilestoreContent,
    /// What a person should know about it. A backup with warnings is whole as far as its source was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The dump of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseContent {
    /// The database's name at its source.
    pub name: String,
    /// Version of the pg_dump that made it: `15.18 (Debian 15.18-0+deb12u1)`. An older pg_restore may not read it.
    pub pg_dump: String,
    /// Where it is: zstd around pg_dump's custom format, itself uncompressed.
    pub object: StoredObject,
}

impl DatabaseContent {
    /// The major version of pg_dump: the least that pg_restore must be.
    pub fn pg_dump_major(&self) -> u32 {
        let digits: String = self.pg_dump.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }
}

/// The files of a filestore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilestoreContent {
    /// How many files.
    pub files: u64,
    /// Their length in bytes, together.
    pub bytes: u64,
    /// Where they are, in order: a later volume overrides an earlier one for the same path.
    pub volumes: Vec<Volume>,
}

/// A tar archive of part of a filestore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// How many files it holds.
    pub files: u64,
    /// Their length in bytes, together.
    pub bytes: u64,
    /// The tar archive in zstd frames.
    pub object: StoredObject,
    /// The list of its files, one JSON object a line, in zstd; see [`crate::filestore::Listed`].
    pub list: StoredObject,
}

/// An object of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its key.
    pub key: Key,
    /// What went in, before compression.
    pub plain: Fingerprint,
    /// What is stored.
    pub stored: Fingerprint,
}

impl Manifest {
    /// Every object that a restore of it reads.
    pub fn objects(&self) -> impl Iterator<Item = &StoredObject> {
        let volumes = self.filestore.volumes.iter().flat_map(|volume| [&volume.object, &volume.list]);
        std::iter::once(&self.database.object).chain(volumes)
    }

    /// Bytes that its own objects take in the repository: what it did not share with an earlier backup.
    pub fn stored_bytes(&self) -> u64 {
        let own = self.id.key(&self.instance);
        self.objects().filter(|object| object.key.is_under(&own)).map(|object| object.stored.size).sum()
    }

    /// The manifest as it is stored.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// The name of a manifest in its backup's folder.
pub const MANIFEST: &str = "manifest.json";
/// The name of the checksums in their backup's folder.
pub const CHECKSUMS: &str = "SHA256SUMS";

/// `SHA256SUMS` of a backup: every object in its folder, for `sha256sum --check` and to know a damaged manifest.
pub fn write_checksums<'a>(objects: impl Iterator<Item = (&'a str, Digest)>) -> String {
    let lines: BTreeMap<_, _> = objects.collect();
    lines.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect()
}

/// What [`write_checksums`] wrote. Lines that are none are left out: what is missing is then missed.
pub fn read_checksums(bytes: &[u8]) -> BTreeMap<String, Digest> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter_map(|line| {
        let (digest, name) = line.split_once("  ")?;
        Some((name.to_owned(), digest.parse().ok()?))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_as_sha256sum_writes_them_and_read_back() {
        let digest = Digest::of(b"abc");
        let text = write_checksums([("manifest.json", digest), ("database.dump.zst", Digest::of(b""))].into_iter());
        assert_eq!(
            text,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  database.dump.zst\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  manifest.json\n"
        );
        let read = read_checksums(text.as_bytes());
        assert_eq!((read.len(), read.get("manifest.json")), (2, Some(&digest)));
        assert!(read_checksums(b"\xff\n  \nzz  manifest.json\n").is_empty());
    }
}
