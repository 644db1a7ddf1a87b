//! The manifests of an instance in one file: ten thousand of them would be ten thousand files, and are much alike.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{sealed, unsealed};
use crate::repository::BackupId;

/// What a listing says of a manifest, and what changes when something else takes its place: ids never come twice, but whoever
/// mends or spoils a manifest by hand leaves another size or another time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::repository) struct Seen {
    /// Its length in bytes.
    pub(in crate::repository) size: u64,
    /// When the store says that it was written.
    pub(in crate::repository) modified: Timestamp,
}

/// Manifests as they are stored: what a later version of this program reads from them is in there, too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::repository) struct CachedManifests(HashMap<BackupId, (Seen, Vec<u8>)>);

/// Stands before each manifest, in a line of its own.
#[derive(Serialize, Deserialize)]
struct Header {
    id: BackupId,
    #[serde(flatten)]
    seen: Seen,
}

impl CachedManifests {
    pub(in crate::repository) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes out the manifest of which a listing says this.
    pub(in crate::repository) fn take(&mut self, id: &BackupId, seen: &Seen) -> Option<Vec<u8>> {
        self.0.remove(id).filter(|(kept, _)| kept == seen).map(|(_, bytes)| bytes)
    }

    /// Puts in a manifest, unless another has taken its place since the listing.
    pub(in crate::repository) fn keep(&mut self, id: BackupId, seen: Seen, bytes: Vec<u8>) {
        if bytes.len() as u64 == seen.size {
            self.0.insert(id, (seen, bytes));
        }
    }

    pub(super) fn pack(self) -> io::Result<Vec<u8>> {
        let mut manifests: Vec<_> = self.0.into_iter().collect();
        // Those that follow each other are the most alike.
        manifests.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut packed = zstd::Encoder::new(Vec::new(), 1)?;
        for (id, (seen, bytes)) in manifests {
            serde_json::to_writer(&mut packed, &Header { id, seen })?;
            packed.write_all(b"\n")?;
            packed.write_all(&bytes)?;
        }
        Ok(sealed(packed.finish()?))
    }

    /// `None` where any of it is damaged.
    pub(super) fn unpack(packed: &[u8]) -> Option<Self> {
        let mut packed = BufReader::new(zstd::Decoder::with_buffer(unsealed(packed)?).ok()?);
        let mut manifests = HashMap::new();
        let mut line = Vec::new();
        while packed.read_until(b'\n', &mut line).ok()? > 0 {
            let Header { id, seen } = serde_json::from_slice(&line).ok()?;
            let mut bytes = Vec::new();
            (&mut packed).take(seen.size).read_to_end(&mut bytes).ok()?;
            manifests.insert(id, (seen, bytes));
            line.clear();
        }
        Some(Self(manifests))
    }
}
