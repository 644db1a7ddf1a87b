//! Keeps the manifests and checksums of an instance in one file. Ten thousand backups would
//! otherwise need ten thousand files, and the manifests resemble each other.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{sealed, unsealed};
use crate::repository::BackupId;

/// What a listing says of a document. It changes when another document replaces this one: ids are
/// never reused, and a change by hand leaves another size or time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::repository) struct Seen {
    /// Its length in bytes.
    pub(in crate::repository) size: u64,
    /// When the document was written, by the store's clock.
    pub(in crate::repository) modified: Timestamp,
}

/// A backup's documents as they are stored, including fields that only a later version of this
/// program reads.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::repository) struct Cached {
    /// `manifest.json`
    pub(in crate::repository) manifest: Vec<u8>,
    /// `SHA256SUMS`, if it was read too.
    pub(in crate::repository) checksums: Option<(Seen, Vec<u8>)>,
}

/// The documents of an instance's backups by id, each with what a listing said of its manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::repository) struct CachedManifests(HashMap<BackupId, (Seen, Cached)>);

/// The most bytes that the documents of an instance may take.
const LARGEST: u64 = 512 * 1024 * 1024;
const LONGEST_HEADER: u64 = 4096;

/// A line in front of each backup's documents.
#[derive(Serialize, Deserialize)]
struct Header {
    id: BackupId,
    /// What a listing said of the manifest, which comes first.
    #[serde(flatten)]
    seen: Seen,
    /// What a listing said of the checksums behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksums: Option<Seen>,
}

impl CachedManifests {
    pub(in crate::repository) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the newest backup with cached documents.
    pub(in crate::repository) fn newest(&self) -> Option<BackupId> {
        self.0.keys().max().cloned()
    }

    /// Removes and returns the documents of a manifest, if the listing still says the same of it.
    pub(in crate::repository) fn take(&mut self, id: &BackupId, seen: &Seen) -> Option<Cached> {
        self.0.remove(id).filter(|(kept, _)| kept == seen).map(|(_, cached)| cached)
    }

    /// Adds documents, unless others replaced them after the listing.
    pub(in crate::repository) fn keep(&mut self, id: BackupId, seen: Seen, cached: Cached) {
        let Cached { manifest, checksums } = cached;
        if manifest.len() as u64 == seen.size {
            let checksums = checksums.filter(|(seen, bytes)| bytes.len() as u64 == seen.size);
            self.0.insert(id, (seen, Cached { manifest, checksums }));
        }
    }

    pub(super) fn pack(self) -> io::Result<Vec<u8>> {
        let mut manifests: Vec<_> = self.0.into_iter().collect();
        // Consecutive manifests resemble each other most, so they compress best in this order.
        manifests.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut packed = zstd::Encoder::new(Vec::new(), 1)?;
        for (id, (seen, Cached { manifest, checksums })) in manifests {
            let (checksums, sums) = checksums.unzip();
            serde_json::to_writer(&mut packed, &Header { id, seen, checksums })?;
            packed.write_all(b"\n")?;
            packed.write_all(&manifest)?;
            packed.write_all(&sums.unwrap_or_default())?;
        }
        Ok(sealed(packed.finish()?))
    }

    /// Returns `None` if any part is damaged.
    pub(super) fn unpack(packed: &[u8]) -> Option<Self> {
        let packed = zstd::Decoder::with_buffer(unsealed(packed)?).ok()?;
        let mut packed = BufReader::new(packed.take(LARGEST));
        let mut manifests = HashMap::new();
        let mut line = Vec::new();
        while (&mut packed).take(LONGEST_HEADER).read_until(b'\n', &mut line).ok()? > 0 {
            let Header { id, seen, checksums } = serde_json::from_slice(&line).ok()?;
            let mut next = |seen: &Seen| {
                let mut bytes = Vec::new();
                (&mut packed).take(seen.size).read_to_end(&mut bytes).ok().map(|_| bytes)
            };
            let manifest = next(&seen)?;
            let checksums = match checksums {
                Some(seen) => next(&seen).map(|bytes| (seen, bytes)),
                None => None,
            };
            manifests.insert(id, (seen, Cached { manifest, checksums }));
            line.clear();
        }
        Some(Self(manifests))
    }
}
