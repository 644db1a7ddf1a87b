//! Tells from its key alone what an object is.

use super::BackupRef;
use crate::manifest::{CHECKSUMS, Manifest};
use crate::store::Key;

/// Returns whether this program stores objects of this name in a backup's folder. Other objects
/// there are foreign.
pub(crate) fn is_ours(key: &Key) -> bool {
    BackupRef::of_object(key).is_some() && (key.name() == CHECKSUMS || key.name().ends_with(".zst"))
}

/// Returns whether an object in a backup's folder is foreign: not stored by this program.
pub(super) fn is_foreign(key: &Key) -> bool {
    BackupRef::of_object(key).is_some() && !is_ours(key)
}

/// Returns whether an object has this name and describes a whole instance.
pub(crate) fn is_mark(key: &Key, name: &str) -> bool {
    key.name() == name && key.segments().count() == 2
}

/// What is stored for an instance next to its backups' folders.
const TRACES: [&str; 3] = ["check.json", "accepted.json", "damage.json"];
const FOLDERS: [&str; 2] = ["proofs", "pins"];
/// The folder of all claims.
pub(crate) const LOCKS: &str = "locks";

/// Returns whether an object only shows that an instance existed, and has no use once there is no
/// backup.
pub(crate) fn is_trace(key: &Key) -> bool {
    let mut segments = key.segments();
    if segments.next() == Some(LOCKS) {
        return false;
    }
    match (segments.next(), segments.next()) {
        (Some(name), None) => TRACES.contains(&name),
        (Some(name), Some(_)) => FOLDERS.contains(&name),
        _ => false,
    }
}

/// Returns every object that a backup needs.
pub(crate) fn needed(manifest: &Manifest) -> impl Iterator<Item = Key> {
    let backup = manifest.backup();
    let documents = [backup.manifest(), backup.checksums()];
    manifest.objects().map(|object| object.key.clone()).chain(documents)
}
