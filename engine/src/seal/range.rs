//! Where a range of the content is in a sealed object.

use std::ops::Range;

/// How much of the content is sealed at once, and what that adds.
pub(super) const CHUNK: u64 = 64 * 1024;
const TAG: u64 = 16;
/// What follows the header.
const NONCE: u64 = 16;

/// Returns the bytes of a sealed object that must be read for `content`, a range of what is in it:
/// whole pieces of 64 KiB. `header` is the length of the object's header, which differs from object
/// to object. The end may lie beyond that of the object.
pub fn stored_range(header: u64, content: Range<u64>) -> Range<u64> {
    let at = |chunk: u64| header + NONCE + chunk * (CHUNK + TAG);
    at(content.start / CHUNK)..at(content.end.div_ceil(CHUNK))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;
    use crate::seal::header::Header;
    use crate::seal::{Identities, Identity, OpenReader, SealError, seal};

    /// Content of 18 pieces and a part of one.
    fn content() -> Vec<u8> {
        (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    /// A sealed object, the length of its header, and its key.
    fn sealed(content: &[u8]) -> (Vec<u8>, u64, Identities) {
        let key = Identity::generate();
        let sealed = seal(content, &key.public().into()).unwrap();
        let header = Header::read(&mut sealed.as_slice()).unwrap().bytes.len() as u64;
        (sealed, header, Identities::of([key]))
    }

    fn failure(result: std::io::Result<()>) -> SealError {
        result.unwrap_err().downcast().unwrap()
    }

    #[test]
    fn range_is_all_that_is_needed() {
        let content = content();
        let (sealed, header, with) = sealed(&content);
        let payload = (header + NONCE) as usize;
        for (start, end) in [(0, 1), (65_535, 65_537), (65_536, 131_072), (500_000, 700_000), (1_199_999, 1_200_000)] {
            let range = stored_range(header, start..end);
            // Everything else is missing.
            let mut partial = vec![0; sealed.len()];
            let (first, last) = (range.start as usize, (range.end as usize).min(sealed.len()));
            partial[..payload].copy_from_slice(&sealed[..payload]);
            partial[first..last].copy_from_slice(&sealed[first..last]);
            let mut reader = OpenReader::new(Cursor::new(partial), with.clone());
            reader.go_to(start).unwrap();
            let mut read = vec![0; (end - start) as usize];
            reader.read_exact(&mut read).unwrap();
            assert!(read == content[start as usize..end as usize], "{start}..{end}");
        }
    }

    #[test]
    fn reader_goes_anywhere() {
        let content = content();
        let (sealed, _, with) = sealed(&content);
        let mut reader = OpenReader::new(Cursor::new(sealed), with);
        for position in [70_000, 5, 0, 65_535, 65_536, 65_530, 1_199_990, 131_072, 131_080, 131_072, 131_071] {
            reader.go_to(position).unwrap();
            let mut read = [0; 10];
            reader.read_exact(&mut read).unwrap();
            assert_eq!(read, content[position as usize..][..10], "{position}");
        }
        reader.go_to(1_200_000).unwrap();
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn position_beyond_end_is_refused() {
        for length in [100, 65_536, 70_000] {
            let (sealed, _, with) = sealed(&vec![1; length as usize]);
            for position in [length + 1, length + 65_536, 10_000_000, u64::MAX] {
                let mut reader = OpenReader::new(Cursor::new(sealed.clone()), with.clone());
                let error = failure(reader.go_to(position));
                assert!(matches!(error, SealError::Truncated), "{position} of {length}: {error}");
                assert!(reader.go_to(0).is_err(), "it stays failed");
            }
        }
    }

    #[test]
    fn swapped_pieces_are_noticed() {
        let (mut sealed, header, with) = sealed(&content());
        let [second, third] = [1, 2].map(|piece| stored_range(header, piece * CHUNK..(piece + 1) * CHUNK));
        let moved = sealed[second.start as usize..second.end as usize].to_vec();
        sealed.copy_within(third.start as usize..third.end as usize, second.start as usize);
        sealed[third.start as usize..third.end as usize].copy_from_slice(&moved);
        let mut reader = OpenReader::new(Cursor::new(sealed), with);
        let error = failure(reader.go_to(CHUNK));
        assert!(matches!(error, SealError::Altered), "{error}");
    }

    /// Not a wish: it is why ranges are compared with an index.
    #[test]
    fn range_before_cut_is_read() {
        let content = content();
        let (sealed, header, with) = sealed(&content);
        let cut = sealed[..stored_range(header, 0..CHUNK).end as usize].to_vec();
        let mut reader = OpenReader::new(Cursor::new(cut), with);
        reader.go_to(100).unwrap();
        let mut read = [0; 8];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(read, content[100..108]);
        let error = failure(reader.read_to_end(&mut Vec::new()).map(drop));
        assert!(matches!(error, SealError::Truncated), "{error}");
    }
}
