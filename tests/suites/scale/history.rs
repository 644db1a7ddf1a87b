//! Long histories of many instances in a folder. The data objects are a few bytes that no command
//! reads.

use std::fs;
use std::path::Path;

use engine::manifest::{CHECKSUMS, MANIFEST, Manifest, StoredDump, StoredObject, Volume};
use engine::repository::BackupId;
use engine::store::Key;
use engine::stream::Fingerprint;
use jiff::{Timestamp, ToSpan};

/// Maximum number of volumes that a backup references.
const VOLUMES: usize = 12;
/// Minimum length of a file's line in a list.
const PAYLOAD: &[u8] = &[b'.'; 200];

/// This many backups of this many instances, one day apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    pub(crate) instances: usize,
    pub(crate) backups: usize,
}

/// Returns the name of an instance.
pub(crate) fn instance(number: usize) -> String {
    format!("instance-{number:03}")
}

impl History {
    /// Writes what is not in `folder` yet.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        // One file with many names uses no extra disk space.
        let payload = folder.with_extension("payload");
        fs::write(&payload, PAYLOAD).unwrap();
        let template = template();
        let first: Timestamp = "2026-01-01T02:00:00Z".parse().unwrap();
        for instance in (0..self.instances).map(instance) {
            let mut volumes: Vec<Volume> = Vec::new();
            for day in 0..self.backups {
                let created_at = first.checked_add((24 * i64::try_from(day).unwrap()).hours()).unwrap();
                let manifest = manifest(&template, &instance, created_at, &mut volumes);
                write_backup(&manifest, folder, &payload);
            }
        }
    }
}

/// Returns a manifest as the program writes it, for an instance in Odoo's shape.
fn template() -> Manifest {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/frozen/format-1/repository/production");
    let backup =
        fs::read_dir(frozen).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.join(MANIFEST).exists());
    serde_json::from_slice(&fs::read(backup.unwrap().join(MANIFEST)).unwrap()).unwrap()
}

/// Returns a backup with its own volume, which also references some of the earlier ones.
fn manifest(template: &Manifest, instance: &str, created_at: Timestamp, volumes: &mut Vec<Volume>) -> Manifest {
    let id = BackupId::new(created_at);
    let content = Fingerprint::of(PAYLOAD);
    let object = |name: &str| {
        let key = Key::new(format!("{instance}/{id}/{name}")).unwrap();
        StoredObject { key, plain: content, stored: content }
    };
    if volumes.len() == VOLUMES {
        volumes.remove(0);
    }
    let (archive, list) = (object("filestore-0001.tar.zst"), object("filestore-0001.files.zst"));
    volumes.push(Volume { files: 1, bytes: 1, object: archive, list, replaces: None });
    let mut manifest =
        Manifest { instance: instance.to_owned(), created_at, finished_at: created_at, ..template.clone() };
    manifest.database.dump = StoredDump::Whole(object("database.dump.zst"));
    if let Some(rows) = &mut manifest.database.rows {
        rows.list = object("tables.zst");
    }
    if let Some(attachments) = &mut manifest.attachments {
        attachments.list = object("attachments.zst");
    }
    manifest.filestore.volumes.clone_from(volumes);
    manifest.filestore.removed = None;
    Manifest { id, ..manifest }
}

fn write_backup(manifest: &Manifest, folder: &Path, payload: &Path) {
    let own = folder.join(&manifest.instance).join(manifest.id.as_str());
    if own.exists() {
        return;
    }
    fs::create_dir_all(&own).unwrap();
    let prefix = Key::new(format!("{}/{}", manifest.instance, manifest.id)).unwrap();
    for object in manifest.objects().filter(|object| object.key.is_under(&prefix)) {
        fs::hard_link(payload, own.join(object.key.name())).unwrap();
    }
    let bytes = manifest.to_bytes().unwrap();
    fs::write(own.join(CHECKSUMS), manifest.checksums(&bytes)).unwrap();
    fs::write(own.join(MANIFEST), bytes).unwrap();
}
