//! The manifests of an instance and their checksums in one file: ten thousand of them would be ten
//! thousand files, and are much alike.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{sealed, unsealed};
use crate::repository::BackupId;

/// What a listing says of a document, and what changes when something else takes its place: ids
/// never come twice, but whoever mends or spoils one by hand leaves another size or another time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::repository) struct Seen {
    /// Its length in bytes.
    pub(in crate::repository) size: u64,
    /// When the store says that it was written.
    pub(in crate::repository) modified: Timestamp,
}

/// A backup's documents as they are stored: what a later version of this program reads from them is
/// in there, too.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::repository) struct Cached {
    /// `manifest.json`
    pub(in crate::repository) manifest: Vec<u8>,
    /// `SHA256SUMS`, where it was read, too.
    pub(in crate::repository) checksums: Option<(Seen, Vec<u8>)>,
}

/// The documents of an instance's backups, by id, each with what a listing said of its manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::repository) struct CachedManifests(HashMap<BackupId, (Seen, Cached)>);

/// What the documents of an instance take at the most.
const LARGEST: u64 = 512 * 1024 * 1024;
const LONGEST_HEADER: u64 = 4096;

/// Stands before each backup's documents, in a line of its own.
#[derive(Serialize, Deserialize)]
struct Header {
    id: BackupId,
    /// Of the manifest, which comes first.
    #[serde(flatten)]
    seen: Seen,
    /// Of the checksums behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksums: Option<Seen>,
}

impl CachedManifests {
    pub(in crate::repository) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the newest backup of which there are any.
    pub(in crate::repository) fn newest(&self) -> Option<BackupId> {
        self.0.keys().max().cloned()
    }

    /// Takes out the documents of the manifest of which a listing says this.
    pub(in crate::repository) fn take(&mut self, id: &BackupId, seen: &Seen) -> Option<Cached> {
        self.0.remove(id).filter(|(kept, _)| kept == seen).map(|(_, cached)| cached)
    }

    /// Puts in documents, unless others have taken their place since the listing.
    pub(in crate::repository) fn keep(&mut self, id: BackupId, seen: Seen, cached: Cached) {
        let Cached { manifest, checksums } = cached;
        if manifest.len() as u64 == seen.size {
            let checksums = checksums.filter(|(seen, bytes)| bytes.len() as u64 == seen.size);
            self.0.insert(id, (seen, Cached { manifest, checksums }));
        }
    }

    pub(super) fn pack(self) -> io::Result<Vec<u8>> {
        let mut manifests: Vec<_> = self.0.into_iter().collect();
        // Those that follow each other are the most alike.
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

    /// `None` where any of it is damaged.
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
