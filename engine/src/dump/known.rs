//! Remembers the chunks of earlier volumes, in about 30 bytes each.

use std::io;

use hashbrown::HashTable;

use super::chunks::ChunkDigest;

/// The most chunks that are remembered, in some 60 MB. What is beyond is stored again.
const MOST: usize = 2_000_000;

/// A place is the volume's index in the upper byte, and the offset within it.
const OFFSET_BITS: u32 = 56;

/// The chunks that the next backup may reference.
#[derive(Default)]
pub struct Known {
    volumes: Vec<KnownVolume>,
    /// In the order of the volumes, and of their content.
    chunks: Vec<Chunk>,
    /// The first chunk of each digest, as an index of `chunks`.
    by_digest: HashTable<u32>,
}

struct KnownVolume {
    number: u32,
    size: u64,
}

#[derive(Clone, Copy)]
struct Chunk {
    /// Of bytes that are no chunk: zeros, which no digest is.
    digest: [u8; 16],
    place: u64,
}

const NONE: [u8; 16] = [0; 16];

/// Where a chunk is stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Its index, for [`Known::find`] of the next one.
    pub(super) index: usize,
    /// The number of its volume.
    pub(super) volume: u32,
    /// Its first byte in the uncompressed volume.
    pub(super) offset: u64,
}

impl Known {
    /// Starts the next volume, with `chunks` chunks. What follows is its content.
    ///
    /// # Errors
    /// [`io::ErrorKind::OutOfMemory`]; [`io::ErrorKind::InvalidInput`] if it is one volume too many
    pub(super) fn begin(&mut self, number: u32, chunks: u64) -> io::Result<()> {
        if self.volumes.len() > usize::from(u8::MAX) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.volumes.push(KnownVolume { number, size: 0 });
        let more = usize::try_from(chunks).unwrap_or(MOST).min(MOST - self.chunks.len());
        self.chunks.try_reserve_exact(more).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let chunks = &self.chunks;
        let hasher = |index: &u32| hash(&chunks[*index as usize].digest);
        self.by_digest.try_reserve(more, hasher).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    /// Adds the next bytes of the volume that was begun last: a chunk, or bytes that are none.
    pub(super) fn push(&mut self, length: u64, digest: Option<ChunkDigest>) {
        let index = self.volumes.len().saturating_sub(1) as u64;
        let Some(volume) = self.volumes.last_mut() else { return };
        let place = index << OFFSET_BITS | volume.size;
        volume.size += length;
        if self.chunks.len() == MOST {
            return;
        }
        let digest = digest.map_or(NONE, |digest| digest.0);
        let position = self.chunks.len() as u32;
        self.chunks.push(Chunk { digest, place });
        let chunks = &self.chunks;
        let is_same = |index: &u32| chunks[*index as usize].digest == digest;
        if digest != NONE && self.by_digest.find(hash(&digest), is_same).is_none() {
            let hasher = |index: &u32| hash(&chunks[*index as usize].digest);
            self.by_digest.insert_unique(hash(&digest), position, hasher);
        }
    }

    /// Returns whether nothing is known: the backup is a full one.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Returns where a chunk is stored. One that follows the chunk at index `after` comes first: of
    /// equal chunks it makes the longest segment.
    pub(super) fn find(&self, digest: ChunkDigest, length: u64, after: Option<usize>) -> Option<Found> {
        let next = after
            .map(|after| after + 1)
            .filter(|next| self.chunks.get(*next).is_some_and(|chunk| chunk.digest == digest.0));
        let is_same = |index: &u32| self.chunks[*index as usize].digest == digest.0;
        let first = || self.by_digest.find(hash(&digest.0), is_same).map(|index| *index as usize);
        let index = next.or_else(first)?;
        let chunk = self.chunks[index];
        let (volume, offset) = self.locate(chunk);
        // The last remembered chunk's end is unknown where others were left out.
        let end = match self.chunks.get(index + 1).map(|next| self.locate(*next)) {
            Some((next, end)) if std::ptr::eq(next, volume) => end,
            _ => volume.size,
        };
        (digest.0 != NONE && end - offset == length).then_some(Found { index, volume: volume.number, offset })
    }

    fn locate(&self, chunk: Chunk) -> (&KnownVolume, u64) {
        let volume = &self.volumes[(chunk.place >> OFFSET_BITS) as usize];
        (volume, chunk.place & ((1 << OFFSET_BITS) - 1))
    }
}

/// A keyed digest is as good as random.
fn hash(digest: &[u8; 16]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: u8) -> ChunkDigest {
        ChunkDigest([of; 16])
    }

    fn known(volumes: &[(u32, &[(u64, u8)])]) -> Known {
        let mut known = Known::default();
        for (number, chunks) in volumes {
            known.begin(*number, chunks.len() as u64).unwrap();
            chunks.iter().for_each(|(length, of)| known.push(*length, Some(digest(*of)).filter(|_| *of > 0)));
        }
        known
    }

    fn place(found: Option<Found>) -> Option<(u32, u64)> {
        found.map(|found| (found.volume, found.offset))
    }

    #[test]
    fn chunk_is_found_where_it_is() {
        let known = known(&[(1, &[(10, 1), (20, 2)]), (7, &[(30, 3)])]);
        assert_eq!(place(known.find(digest(1), 10, None)), Some((1, 0)));
        assert_eq!(place(known.find(digest(2), 20, None)), Some((1, 10)));
        assert_eq!(place(known.find(digest(3), 30, None)), Some((7, 0)));
        assert_eq!(known.find(digest(4), 10, None), None);
        assert_eq!(known.find(digest(1), 11, None), None, "another length");
        assert_eq!(known.find(digest(3), 20, None), None, "another length at the end");
    }

    #[test]
    fn successor_comes_before_first() {
        let known = known(&[(1, &[(5, 1), (6, 2), (5, 1), (7, 3), (5, 1)])]);
        assert_eq!(place(known.find(digest(1), 5, None)), Some((1, 0)));
        assert_eq!(place(known.find(digest(1), 5, Some(1))), Some((1, 11)));
        assert_eq!(place(known.find(digest(1), 5, Some(3))), Some((1, 23)));
        assert_eq!(place(known.find(digest(1), 5, Some(4))), Some((1, 0)), "nothing follows");
    }

    #[test]
    fn hole_is_never_found() {
        let known = known(&[(1, &[(5, 1), (6, 0), (5, 2)])]);
        assert_eq!(known.find(ChunkDigest(NONE), 6, Some(0)), None);
        assert_eq!(place(known.find(digest(2), 5, None)), Some((1, 11)));
        assert!(!known.is_empty() && Known::default().is_empty());
    }

    #[test]
    fn too_many_chunks_are_left_out() {
        let mut known = Known::default();
        known.begin(1, u64::MAX).unwrap();
        let digest = |n: usize| ChunkDigest((n as u128 + 1).to_le_bytes());
        (0..MOST + 10).for_each(|n| known.push(1, Some(digest(n))));
        assert_eq!(known.chunks.len(), MOST);
        assert_eq!(place(known.find(digest(MOST - 2), 1, None)), Some((1, MOST as u64 - 2)));
        assert_eq!(known.find(digest(MOST), 1, None), None);
        let memory = known.chunks.capacity() * size_of::<Chunk>() + known.by_digest.allocation_size();
        assert!(memory < 70_000_000, "{memory}");
    }
}
