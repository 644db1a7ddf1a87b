//! Recreates a backup's `SHA256SUMS` from its manifest, if the manifest can be trusted.

use std::io;

use super::Repair;
use super::put_back::store_document;
use crate::error::Error;
use crate::manifest::{MANIFEST, Manifest, read_checksums};
use crate::repository::{BackupId, BackupRef, Examined, RepositoryError, damage_by_store, damage_of_document};
use crate::store::{Key, read_document};
use crate::stream::Digest;

/// Why a backup of a later version is not changed.
pub(super) const LATER: &str = "a later version of odoo-backup wrote it, and only that version can say what is wrong";

/// Recreates a backup's checksums and returns their key, or why that is not possible.
pub(super) async fn recreate_checksums(repair: &Repair<'_>, backup: &BackupRef) -> Result<Result<Key, String>, Error> {
    let (key, manifest_key) = (backup.checksums(), backup.manifest());
    let bytes = match document(repair, &manifest_key).await? {
        Examined::Intact(bytes) => bytes,
        Examined::Damaged(damage) => return Ok(Err(damage.reason)),
    };
    let manifest = match repair.repository.manifest_of(backup, &manifest_key, &bytes) {
        Ok(manifest) => manifest,
        Err(RepositoryError::NewerFormat { .. }) => return Ok(Err(LATER.to_owned())),
        Err(error) => return damage_of_document(manifest_key, error).map(|damage| Err(damage.reason)),
    };
    let sums = manifest.checksums(&bytes).into_bytes();
    let found = document(repair, &key).await?.intact();
    let line = found.as_ref().and_then(|found| read_checksums(found).get(MANIFEST).copied());
    let is_right = match line {
        Some(line) => are_near(line, Digest::of(&bytes)),
        None => is_vouched_for(repair, &backup.id, &manifest, &bytes).await?,
    };
    if !is_right {
        let why = "the manifest cannot be trusted: its digest differs, or its objects are not what it says";
        return Ok(Err(why.to_owned()));
    }
    if found.is_some_and(|found| found == sums) {
        // The checksums are not the damaged document.
        return Ok(Err("no other object describes it".to_owned()));
    }
    store_document(repair, &key, sums).await?;
    Ok(Ok(key))
}

pub(super) async fn document(repair: &Repair<'_>, key: &Key) -> Result<Examined<Vec<u8>>, Error> {
    match read_document(&**repair.repository.store(), key).await {
        Ok(bytes) => Ok(Examined::Intact(bytes)),
        Err(error) => damage_by_store(error).map(Examined::Damaged),
    }
}

/// Returns whether two digests differ in at most two digits, as a damaged line has it. By chance,
/// no two digests are that similar.
fn are_near(one: Digest, other: Digest) -> bool {
    let (one, other) = (one.to_string(), other.to_string());
    one.bytes().zip(other.bytes()).filter(|(one, other)| one != other).count() <= 2
}

/// Returns whether a manifest is right as far as that can be known without a digest. It is in the
/// form that this program writes, its id fits its moment, and each object matches what it says.
async fn is_vouched_for(repair: &Repair<'_>, id: &BackupId, manifest: &Manifest, bytes: &[u8]) -> Result<bool, Error> {
    let is_as_written = manifest.to_bytes().is_ok_and(|written| written == bytes);
    if !is_as_written || BackupId::new(manifest.created_at) != *id {
        return Ok(false);
    }
    for object in manifest.objects() {
        let task = repair.run.progress.task(object.key.as_str(), Some(object.plain.size));
        let read = repair.repository.examine(object, task, |plain| io::copy(plain, &mut io::sink()));
        if !read.await?.is_intact() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_digests_are_recognized() {
        let digest = Digest::of(b"a manifest");
        let flipped = |places: usize| {
            let text = digest.to_string();
            let flip =
                |(at, digit): (usize, char)| if at < places { if digit == '0' { '1' } else { '0' } } else { digit };
            text.chars().enumerate().map(flip).collect::<String>().parse::<Digest>().unwrap()
        };
        assert!(are_near(digest, digest) && are_near(flipped(1), digest) && are_near(digest, flipped(2)));
        assert!(!are_near(flipped(6), digest) && !are_near(Digest::of(b"another"), digest));
    }
}
