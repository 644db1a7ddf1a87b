//! Cuts a dump into chunks by its content, and gives each chunk a keyed digest.

use std::fmt;
use std::io;

use fastcdc::v2020::{Normalization, cut, select_masks};
use serde::{Deserialize, Serialize};

/// What the index calls the algorithm: FastCDC of 2020, normalization level 1, with the table of
/// the crate `fastcdc`. Another version of the crate must not change the cuts: a test compares
/// them.
const ALGORITHM: &str = "fastcdc-2020-1";

/// The average length of a chunk in a dump of ordinary size.
const SMALLEST_AVERAGE: u32 = 8 * 1024;
/// No more than this: a chunk is kept in memory as a whole.
const LARGEST_AVERAGE: u32 = 1024 * 1024;

/// About how many chunks a dump should have at most. Each takes some 30 bytes of memory.
const MOST_OF_DUMP: u64 = 500_000;

/// How a chain's dumps are cut. An index records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunker {
    algorithm: String,
    minimum: u32,
    average: u32,
    maximum: u32,
}

impl Chunker {
    /// Returns how a full backup cuts a dump of about `bytes`.
    pub fn for_dump(bytes: u64) -> Self {
        let mut average = SMALLEST_AVERAGE;
        while bytes / u64::from(average) > MOST_OF_DUMP && average < LARGEST_AVERAGE {
            average *= 2;
        }
        Self::with_average(average)
    }

    fn with_average(average: u32) -> Self {
        Self { algorithm: ALGORITHM.to_owned(), minimum: average / 4, average, maximum: average * 8 }
    }

    /// Returns whether this program cuts a dump of about `bytes` so. If not, the next backup must
    /// be full: the algorithm is unknown, or the dump has grown so much that its chunks are too
    /// many.
    pub fn suits(&self, bytes: u64) -> bool {
        *self == Self::with_average(self.average)
            && self.average.is_power_of_two()
            && (SMALLEST_AVERAGE..=LARGEST_AVERAGE).contains(&self.average)
            && Self::for_dump(bytes).average < self.average.saturating_mul(4)
    }

    /// Returns the length of the longest chunk.
    pub(super) fn maximum(&self) -> u32 {
        self.maximum
    }
}

/// The key of a chain's digests. Without it no user can search for rows whose chunks collide.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ChunkKey([u8; 32]);

impl ChunkKey {
    /// Draws a key for a full backup.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// Returns a chunk's digest.
    pub(super) fn digest(&self, chunk: &[u8]) -> ChunkDigest {
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::keyed_hash(&self.0, chunk).as_bytes()[..16]);
        ChunkDigest(digest)
    }
}

impl fmt::Debug for ChunkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChunkKey(…)")
    }
}

impl From<ChunkKey> for String {
    fn from(key: ChunkKey) -> Self {
        hexadecimal(&key.0)
    }
}

impl TryFrom<String> for ChunkKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        bytes_of(text.as_bytes()).map(Self).ok_or("a key has 64 hexadecimal digits")
    }
}

/// The first 128 bits of a chunk's keyed BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkDigest(pub(super) [u8; 16]);

impl ChunkDigest {
    /// Parses 32 hexadecimal digits.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        bytes_of(text).map(Self)
    }
}

impl fmt::Display for ChunkDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(&self.0))
    }
}

impl fmt::Debug for ChunkDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns bytes as lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)] as char).collect()
}

/// Parses exactly `N` bytes of lower-case hexadecimal digits.
pub(super) fn bytes_of<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
        let &[high, low] = pair else { return None };
        *byte = value(high)? << 4 | value(low)?;
    }
    (text.len() == 2 * N).then_some(bytes)
}

/// Cuts a stream that comes in pieces. The cuts depend on the content alone, not on the pieces.
pub(super) struct Cutter {
    sizes: [usize; 3],
    masks: (u64, u64),
    /// What was not cut yet: less than the longest chunk between two pieces.
    rest: Vec<u8>,
}

impl Cutter {
    pub(super) fn new(chunker: &Chunker) -> Self {
        let sizes = [chunker.minimum, chunker.average, chunker.maximum].map(|size| size as usize);
        Self { sizes, masks: select_masks(sizes[1], Normalization::Level1), rest: Vec::new() }
    }

    /// Takes the next piece, and hands out each chunk that is certain.
    pub(super) fn push(&mut self, piece: &[u8], mut chunk: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let maximum = self.sizes[2];
        let mut seam = std::mem::take(&mut self.rest);
        let before = seam.len();
        // Only chunks that begin before the piece are copied.
        seam.extend_from_slice(&piece[..piece.len().min(maximum)]);
        let mut start = 0;
        // With fewer bytes, what follows could move the cut.
        while start < before && seam.len() - start >= maximum {
            let length = self.cut(&seam[start..]);
            chunk(&seam[start..start + length])?;
            start += length;
        }
        if start < before {
            // The piece is short: all of it is in the seam.
            seam.drain(..start);
            self.rest = seam;
            return Ok(());
        }
        let mut start = start - before;
        while piece.len() - start >= maximum {
            let length = self.cut(&piece[start..]);
            chunk(&piece[start..start + length])?;
            start += length;
        }
        seam.clear();
        seam.extend_from_slice(&piece[start..]);
        self.rest = seam;
        Ok(())
    }

    /// Hands out the last chunks: the stream has ended.
    pub(super) fn finish(self, mut chunk: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut rest = self.rest.as_slice();
        while !rest.is_empty() {
            let (first, others) = rest.split_at(self.cut(rest));
            chunk(first)?;
            rest = others;
        }
        Ok(())
    }

    fn cut(&self, bytes: &[u8]) -> usize {
        let [minimum, average, maximum] = self.sizes;
        let (small, large) = self.masks;
        cut(bytes, minimum, average, maximum, small, large, small << 1, large << 1).1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dump::made_up::noise;

    fn cuts(bytes: &[u8], pieces: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut cutter = Cutter::new(&Chunker::for_dump(0));
        let (mut lengths, mut rest) = (Vec::new(), bytes);
        for piece in pieces {
            let (first, others) = rest.split_at(piece.min(rest.len()));
            cutter
                .push(first, |chunk| {
                    lengths.push(chunk.len());
                    Ok(())
                })
                .unwrap();
            rest = others;
        }
        cutter
            .finish(|chunk| {
                lengths.push(chunk.len());
                Ok(())
            })
            .unwrap();
        lengths
    }

    #[test]
    fn cuts_never_change() {
        // Another cut would find nothing of what is stored: every backup would be as large as a
        // full one.
        let lengths = cuts(&noise(7, 100_000), [100_000].into_iter());
        assert_eq!(lengths, [11_260, 12_428, 5390, 13_697, 12_075, 16_208, 12_262, 16_680]);
        assert_eq!(cuts(&[0; 200_000], [200_000].into_iter()), [65_536, 65_536, 65_536, 3392]);
        assert_eq!(cuts(b"", [].into_iter()), [0; 0]);
    }

    #[test]
    fn digests_depend_on_key() {
        let of = |key: u8| ChunkKey([key; 32]).digest(b"a row").to_string();
        assert_eq!(of(1), "d1e01d0eeaeba2474dd7bda94e792ba6");
        assert_ne!(of(1), of(2));
        assert_ne!(ChunkKey::draw().unwrap(), ChunkKey::draw().unwrap());
        assert_eq!(format!("{:?}", ChunkKey([1; 32])), "ChunkKey(…)");
    }

    #[test]
    fn average_doubles_with_dump() {
        let average = |bytes| Chunker::for_dump(bytes).average / 1024;
        assert_eq!([0, 4 << 30, 5 << 30, 20 << 30, 1 << 60].map(average), [8, 16, 16, 64, 1024]);
        assert!(Chunker::for_dump(1 << 30).suits(2 << 30));
        assert!(Chunker::for_dump(20 << 30).suits(0), "smaller chunks are not worth a full backup");
        assert!(!Chunker::for_dump(1 << 30).suits(20 << 30));
        assert!(!Chunker { algorithm: "rabin".into(), ..Chunker::for_dump(0) }.suits(0));
        assert!(!Chunker { minimum: 64, ..Chunker::for_dump(0) }.suits(0));
        assert!(!Chunker::with_average(4096).suits(0));
    }

    #[test]
    fn digits_are_strict() {
        assert_eq!(bytes_of(b"00ff"), Some([0, 255]));
        for wrong in ["", "00f", "00ff00", "00FF", "+0ff", "00f "] {
            assert_eq!(bytes_of::<2>(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn cuts_ignore_pieces(seed: u64, length in 0_usize..400_000, piece in 1_usize..100_000) {
            let bytes = noise(seed, length);
            let whole = cuts(&bytes, [length].into_iter());
            prop_assert_eq!(whole.iter().sum::<usize>(), length);
            let (last, others) = whole.split_last().map_or((0, &[][..]), |(last, others)| (*last, others));
            prop_assert!(others.iter().all(|length| (2048..=65_536).contains(length)) && last <= 65_536);
            prop_assert_eq!(whole, cuts(&bytes, std::iter::repeat_n(piece, length / piece + 1)));
        }
    }
}
