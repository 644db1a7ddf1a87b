//! Reads the dump of a backup, however it is stored.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Repository, RepositoryError};
use crate::dump::{Dump, Frames, Lengths, Open, Segment, StoredVolume, VolumeSize, read_dump, read_index, read_map};
use crate::manifest::{DumpVolume, DumpVolumes, Manifest, StoredDump, StoredObject};
use crate::progress::Task;
use crate::store::{Key, Store};
use crate::stream::{Body, decode};

/// A dump that can be read, more than once.
#[derive(Debug, Clone)]
pub(crate) struct DumpReader {
    store: Arc<dyn Store>,
    name: DumpName,
    parts: Parts,
}

#[derive(Debug, Clone)]
enum Parts {
    Whole(StoredObject),
    /// Map and indexes were read and verified.
    Volumes(Arc<Dump>),
}

/// What messages call a dump: its object, or its backup.
#[derive(Debug, Clone)]
pub(crate) struct DumpName(String);

impl DumpName {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self(match &manifest.database.dump {
            StoredDump::Whole(object) => object.key.to_string(),
            StoredDump::Volumes(_) => format!("the dump of {}", manifest.backup()),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DumpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DumpReader {
    /// Returns what messages call the dump.
    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Returns how many stored bytes reading it to its end takes.
    pub(crate) fn stored_bytes(&self) -> u64 {
        match &self.parts {
            Parts::Whole(object) => object.stored.size,
            Parts::Volumes(dump) => dump.stored_bytes(),
        }
    }

    /// Returns the objects that reading it to its end reads whole.
    pub(crate) fn read_whole(&self) -> Vec<Key> {
        match &self.parts {
            Parts::Whole(object) => vec![object.key.clone()],
            Parts::Volumes(dump) => dump.whole_volumes(),
        }
    }

    /// Opens the dump. Its end is reached only if its digest matches. Stored bytes that were read
    /// advance `task`.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]. A failure while it is read is one of the body; it contains the
    /// key of the object that is damaged.
    pub(crate) async fn open(&self, task: Task) -> Result<Body, RepositoryError> {
        match &self.parts {
            Parts::Whole(object) => {
                let body = self.store.get(&object.key, None).await?;
                Ok(decode(body, object.plain, object.stored, task))
            }
            Parts::Volumes(dump) => {
                let store = self.store.clone();
                let open: Open = Arc::new(move |key, range| open(store.clone(), key.clone(), range));
                Ok(read_dump(dump.clone(), open, task))
            }
        }
    }
}

fn open(store: Arc<dyn Store>, key: Key, range: Range<u64>) -> BoxFuture<'static, io::Result<Body>> {
    async move { store.get(&key, Some(range)).await.map_err(io::Error::other) }.boxed()
}

impl Repository {
    /// Prepares to read the dump of a backup. Map and indexes are read and verified first.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]; [`RepositoryError::Read`] if map or an index is damaged
    pub(crate) async fn dump(&self, manifest: &Manifest) -> Result<DumpReader, RepositoryError> {
        let parts = match &manifest.database.dump {
            StoredDump::Whole(object) => Parts::Whole(object.clone()),
            // A restore must not seem to work because of what this machine remembers.
            StoredDump::Volumes(stored) => Parts::Volumes(Arc::new(self.without_cache().parts(stored).await?)),
        };
        Ok(DumpReader { store: self.store().clone(), name: DumpName::of(manifest), parts })
    }

    /// Prepares to read a whole volume by its index. Returns `None` if it has no bytes.
    ///
    /// # Errors
    /// The index does not fit it.
    pub(crate) fn volume(&self, volume: &DumpVolume, frames: Frames) -> io::Result<Option<DumpReader>> {
        let plain = volume.object.plain;
        if plain.size == 0 {
            return Ok(None);
        }
        let whole = Segment { volume: volume.n, offset: 0, length: plain.size };
        let stored = StoredVolume { number: volume.n, key: volume.object.key.clone(), frames };
        let parts = Parts::Volumes(Arc::new(Dump::new(vec![stored], vec![whole], plain)?));
        let name = DumpName(volume.object.key.to_string());
        Ok(Some(DumpReader { store: self.store().clone(), name, parts }))
    }

    async fn parts(&self, stored: &DumpVolumes) -> Result<Dump, RepositoryError> {
        let segments = self.segments(stored).await?;
        let mut volumes = Vec::new();
        for volume in &stored.volumes {
            let frames = self.frames(volume).await?;
            volumes.push(StoredVolume { number: volume.n, key: volume.object.key.clone(), frames });
        }
        let fit = |source| RepositoryError::Read { key: stored.map.key.clone(), source };
        Dump::new(volumes, segments, stored.dump).map_err(fit)
    }

    /// Returns the map of a dump.
    ///
    /// # Errors
    /// As [`Self::dump`]
    pub(crate) async fn segments(&self, stored: &DumpVolumes) -> Result<Vec<Segment>, RepositoryError> {
        let (sizes, dump) = (stored.sizes(), stored.dump.size);
        self.read_cached(&stored.map, move |map| read_map(map, &sizes, dump)).await
    }

    async fn frames(&self, volume: &DumpVolume) -> Result<Frames, RepositoryError> {
        let lengths = volume.lengths();
        Ok(self.read_cached(&volume.index, move |index| read_index(index, lengths)).await?.frames)
    }
}

impl DumpVolumes {
    /// Returns the volumes' numbers and lengths.
    pub(crate) fn sizes(&self) -> Vec<VolumeSize> {
        let size = |volume: &DumpVolume| VolumeSize { number: volume.n, bytes: volume.object.plain.size };
        self.volumes.iter().map(size).collect()
    }
}

impl DumpVolume {
    /// Returns the volume's lengths.
    pub(crate) fn lengths(&self) -> Lengths {
        Lengths { plain: self.object.plain.size, stored: self.object.stored.size }
    }
}
