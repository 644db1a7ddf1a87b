//! A year of backups that were never made: manifests like that of a real one.

use std::fs;
use std::path::Path;

use engine::repository::BackupId;
use harness::project::INSTANCE;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};

/// What a full backup says of its sizes.
const SIZES: [&str; 4] = [
    "/database/dump/size",
    "/database/volumes/0/object/plain/size",
    "/database/volumes/0/object/stored/size",
    "/filestore/bytes",
];

/// Returns the ages in days of the backups, counted from the newest: each day of the last weeks,
/// then one a week, then one a month.
pub(super) fn days() -> Vec<i64> {
    (1..14).chain((14..70).step_by(7)).chain((80..360).step_by(30)).collect()
}

/// Writes them into the folder of the repository, next to the one real backup.
pub(super) fn write(repository: &Path) {
    let folder = repository.join(INSTANCE);
    let made = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let [made] = made.filter(|path| path.join("manifest.json").exists()).collect::<Vec<_>>().try_into().unwrap();
    let text = fs::read_to_string(made.join("manifest.json")).unwrap();
    let newest: Timestamp =
        serde_json::from_str::<Value>(&text).unwrap()["created_at"].as_str().unwrap().parse().unwrap();
    for day in days() {
        let created_at = newest.checked_sub((24 * day).hours()).unwrap();
        let id = BackupId::new(created_at);
        let text = text.replace(made.file_name().unwrap().to_str().unwrap(), id.as_str());
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        age(&mut manifest, day, created_at);
        fs::create_dir(folder.join(id.as_str())).unwrap();
        fs::write(folder.join(id.as_str()).join("manifest.json"), manifest.to_string()).unwrap();
    }
}

/// Makes a backup smaller with its age, with variations from day to day.
fn age(manifest: &mut Value, day: i64, created_at: Timestamp) {
    let shrunk = |size: &Value| json!(size.as_i64().unwrap() * (720 - day - day * 37 % 23) / 720);
    manifest["created_at"] = json!(created_at);
    manifest["finished_at"] = json!(created_at + SignedDuration::from_millis(460 - day / 2 + day * 53 % 90));
    for pointer in SIZES {
        let size = manifest.pointer_mut(pointer).unwrap();
        *size = shrunk(size);
    }
}
