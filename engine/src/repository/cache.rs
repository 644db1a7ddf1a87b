//! Keeps copies on this machine of objects in a remote repository that never change.
//!
//! ```text
//! <cache_dir>/<repository id>/<SHA-256>.object      a volume's list, as it is stored
//! <cache_dir>/<repository id>/<instance>.manifests  an instance's manifests and their checksums
//! ```
//!
//! The cache may be lost, damaged or deleted at any time: an entry that is missing or damaged is
//! read from the repository. No operation fails because of the cache. If its folder cannot be
//! written, there is no cache. Entries are renamed into place, so several processes can share it.
//! They are not flushed: an entry damaged by a power loss fails its digest check.

mod manifests;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(super) use manifests::{Cached, CachedManifests, Seen};

use rustix::fs::OFlags;

use crate::folder::{self, Durability, Taken, Unnamed};
use crate::stream::{Digest, Fingerprint};

/// Larger objects are not kept, because they would pass through memory. The list of a full volume
/// has some 15 MB.
const LARGEST_OBJECT: u64 = 64 * 1024 * 1024;
/// The most bytes that the packed manifests of an instance may take.
const LARGEST_MANIFESTS: u64 = 256 * 1024 * 1024;
/// Entries unused for this long are removed when another entry is added.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);
/// The recorded time of use is updated when it is older than this.
const SAME_USE: Duration = Duration::from_secs(24 * 3600);
const OBJECT: &str = "object";
const MANIFESTS: &str = "manifests";
const TEMPORARY: &str = ".tmp-";

/// The part of the cache for one repository. A failed read counts as an absent entry, and a failed
/// write is only logged.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: Arc<Path>,
}

impl Cache {
    /// Returns the cache in `folder` for the repository with this id. The folder need not exist
    /// yet. Returns `None` if the id does not look like one that `init` generated, because then it
    /// must not become part of a path.
    pub(super) fn new(folder: &Path, repository: &str) -> Option<Self> {
        let drawn = repository.len() == 32 && repository.bytes().all(|byte| byte.is_ascii_hexdigit());
        drawn.then(|| Self { folder: folder.join(repository).into() })
    }

    /// Returns whether an object of this size may be cached.
    pub(super) fn takes(&self, size: u64) -> bool {
        size <= LARGEST_OBJECT
    }

    /// Returns an object's stored bytes, after comparing them with their digest.
    pub(super) async fn object(&self, stored: Fingerprint) -> Option<Vec<u8>> {
        let path = self.object_path(stored);
        let bytes = blocking(move || read(&path, stored.size)).await?;
        (Fingerprint::of(&bytes) == stored).then_some(bytes)
    }

    /// Keeps an object's stored bytes, if they match its digest.
    pub(super) async fn keep_object(&self, stored: Fingerprint, bytes: &[u8]) {
        if Fingerprint::of(bytes) == stored {
            self.write(self.object_path(stored), bytes.to_vec()).await;
        }
    }

    /// Returns the cached manifests of an instance, possibly none.
    pub(super) async fn manifests(&self, instance: &str) -> CachedManifests {
        let path = self.manifests_path(instance);
        blocking(move || CachedManifests::unpack(&read(&path, LARGEST_MANIFESTS)?)).await.unwrap_or_default()
    }

    /// Returns the instances with cached manifests.
    pub(super) async fn instances(&self) -> Vec<String> {
        let folder = self.folder.clone();
        let names = blocking(move || {
            let entries = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let suffix = format!(".{MANIFESTS}");
            Some(entries.filter_map(|name| name.strip_suffix(&suffix).map(str::to_owned)).collect())
        });
        names.await.unwrap_or_default()
    }

    /// Forgets the manifests of an instance.
    pub(super) async fn forget_manifests(&self, instance: &str) {
        let path = self.manifests_path(instance);
        blocking(move || fs::remove_file(path).ok()).await;
    }

    /// Replaces the cached manifests of an instance.
    pub(super) async fn keep_manifests(&self, instance: &str, manifests: CachedManifests) {
        let packed = blocking(move || manifests.pack().ok()).await;
        if let Some(packed) = packed {
            self.write(self.manifests_path(instance), packed).await;
        }
    }

    fn object_path(&self, stored: Fingerprint) -> PathBuf {
        self.folder.join(format!("{}.{OBJECT}", stored.sha256))
    }

    fn manifests_path(&self, instance: &str) -> PathBuf {
        self.folder.join(format!("{instance}.{MANIFESTS}"))
    }

    async fn write(&self, path: PathBuf, bytes: Vec<u8>) {
        let folder = self.folder.clone();
        blocking(move || {
            if let Err(error) = write(&folder, &path, &bytes).and_then(|()| remove_unused(&folder, SystemTime::now())) {
                tracing::debug!(path = %path.display(), %error, "unable to write to the cache");
            }
            Some(())
        })
        .await;
    }
}

/// Runs `work` on a thread where it may block. Returns `None` if it panics.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok().flatten()
}

/// Reads an entry of at most `size` bytes, and records that it was used.
fn read(path: &Path, size: u64) -> Option<Vec<u8>> {
    // The owner of the folder may have put a named pipe there, and opening one would block.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path).ok()?;
    let metadata = file.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= size)?;
    let now = SystemTime::now();
    if age(&metadata, now).is_none_or(|age| age > SAME_USE) {
        // This fails on a disk that cannot be written; nothing is removed there either.
        let _ = file.set_modified(now);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(size).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Writes an entry that only its owner can read. Another process may write it at the same time.
fn write(around: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    folder::make_all(around, 0o700)?;
    let mut file = Unnamed::begin(around, TEMPORARY)?;
    file.file().write_all(bytes)?;
    // Each use compares the entry with its digest, so it need not be flushed.
    file.keep(path, Taken::Replace, Durability::Unflushed).map(drop)
}

/// Removes entries that were not used for long, and what killed processes left. Keeps files whose
/// names have another form.
fn remove_unused(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let ours = path.extension().is_some_and(|kind| kind == OBJECT || kind == MANIFESTS)
            || entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
        // An entry that is gone was removed by another process.
        let unused = entry.metadata().is_ok_and(|metadata| age(&metadata, now).is_some_and(|age| age > UNUSED));
        if ours && unused {
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// Returns how long ago a file was written or used. Returns `None` if that time lies in the future.
fn age(metadata: &fs::Metadata, now: SystemTime) -> Option<Duration> {
    now.duration_since(metadata.modified().ok()?).ok()
}

/// Returns an entry with its digest in front of the content.
fn sealed(content: Vec<u8>) -> Vec<u8> {
    let mut sealed = Digest::of(&content).to_string().into_bytes();
    sealed.extend(content);
    sealed
}

/// Returns the content of an entry if its digest matches.
fn unsealed(sealed: &[u8]) -> Option<&[u8]> {
    let (digest, content) = sealed.split_at_checked(64)?;
    (Digest::of(content).to_string().as_bytes() == digest).then_some(content)
}

#[cfg(test)]
mod tests;
