//! Takes intact objects from other repositories, which have copies.

use super::Repair;
use super::documents::document;
use super::put_back::{put_back, store_document};
use crate::error::Error;
use crate::manifest::{MANIFEST, StoredObject, read_checksums};
use crate::repository::{BackupRef, damage_by_store};
use crate::store::Key;
use crate::stream::Digest;

fn copy_in(name: &str) -> String {
    format!("the copy in {name}")
}

/// Restores an object from the first other repository that has an intact copy. Returns which one,
/// or `None` if there is none.
pub(super) async fn take_object(repair: &Repair<'_>, object: &StoredObject) -> Result<Option<String>, Error> {
    for (name, other) in &repair.options.others {
        let body = match other.store().get(&object.key, None).await {
            Ok(body) => body,
            Err(error) => {
                damage_by_store::<Error>(error)?;
                continue;
            }
        };
        if put_back(repair, object, body).await?.is_ok() {
            return Ok(Some(copy_in(name)));
        }
    }
    Ok(None)
}

/// Restores those of a backup's documents that differ from a copy of it. Returns their keys and
/// where the copy is. The other document must show that the copy is of this very backup: it is the
/// same, or has the digest of the copy's manifest.
pub(super) async fn take_documents(
    repair: &Repair<'_>,
    backup: &BackupRef,
) -> Result<Option<(Vec<Key>, String)>, Error> {
    let (manifest_key, sums_key) = (backup.manifest(), backup.checksums());
    let manifest = document(repair, &manifest_key).await?.intact();
    let sums = document(repair, &sums_key).await?.intact();
    for (name, other) in &repair.options.others {
        let copy = match other.documents(backup).await {
            Ok(copy) => copy,
            Err(error) if error.is_of_object() => continue,
            Err(error) => return Err(error.into()),
        };
        let digest = Digest::of(&copy.manifest_bytes);
        let has_digest = |sums: &Vec<u8>| read_checksums(sums).get(MANIFEST) == Some(&digest);
        let same_manifest = manifest.as_ref() == Some(&copy.manifest_bytes);
        if !same_manifest && !sums.as_ref().is_some_and(has_digest) {
            continue;
        }
        let mut taken = Vec::new();
        // Only the manifest's line confirms the copy's checksums. The other lines may be damaged.
        let checksums = copy.manifest.checksums(&copy.manifest_bytes).into_bytes();
        // They are stored first: what confirms the manifest must exist before it.
        if sums.as_ref() != Some(&checksums) {
            store_document(repair, &sums_key, checksums).await?;
            taken.push(sums_key);
        }
        if !same_manifest {
            store_document(repair, &manifest_key, copy.manifest_bytes).await?;
            taken.push(manifest_key);
        }
        return Ok((!taken.is_empty()).then(|| (taken, copy_in(name))));
    }
    Ok(None)
}
