//! Sound objects of further repositories, which hold copies.

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

/// Puts an object back from the first of the further repositories that has it whole, and says which
/// that is; `None` where none has.
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

/// Puts back those of a backup's documents that are not as in a copy of it, and says which they are
/// and where the copy is. That it is one of this very backup must be shown by the other document:
/// it is the same, or has the digest of the copy's manifest.
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
        // Only the line of the manifest vouches for the copy's checksums: in the others there may
        // be damage.
        let checksums = copy.manifest.checksums(&copy.manifest_bytes).into_bytes();
        // They come first: what lets the manifest be trusted must be there before it.
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
