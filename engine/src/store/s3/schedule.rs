//! Chooses the size of an upload's parts.

use super::S3Settings;

/// The most parts that S3 accepts.
pub(super) const MOST_PARTS: i32 = 10_000;
/// The most parts of one size. Some servers accept only 1,000 (Scaleway), and some require all but
/// the last to be equal (Cloudflare R2).
const EQUAL_PARTS: i32 = 900;
/// S3 accepts up to 5 GiB in one part.
const LARGEST: usize = 4 * 1024 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// The parts of one upload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    first: usize,
    is_fixed: bool,
}

impl Parts {
    /// Returns the parts for an upload of about `expected` bytes: as large as the settings say, or
    /// large enough that there are at most 900.
    pub(super) fn new(settings: &S3Settings, expected: u64) -> Self {
        let is_fixed = settings.part_size_is_fixed;
        let needed = expected.div_ceil(EQUAL_PARTS as u64).div_ceil(MIB).saturating_mul(MIB);
        let needed = usize::try_from(needed).unwrap_or(LARGEST).min(LARGEST);
        let first = if is_fixed { settings.part_size } else { settings.part_size.max(needed) };
        Self { first, is_fixed }
    }

    /// Returns the bytes of the part with this number, counted from 1.
    ///
    /// All parts have one size, unless there are more than expected. Then they grow with what was
    /// sent, so that an upload does not run out of parts.
    pub(super) fn size(self, number: i32) -> usize {
        if self.is_fixed {
            return self.first;
        }
        let doublings = (number.clamp(1, MOST_PARTS) - 1) / EQUAL_PARTS;
        self.first.saturating_mul(1 << doublings).min(LARGEST)
    }
}

/// Returns how many parts of this size are sent at a time. `in_flight` bytes may be in transit, and
/// one part always may.
pub(super) fn parallel(part_size: usize, parallel: usize, in_flight: usize) -> usize {
    (in_flight / part_size.max(1)).clamp(1, parallel.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;
    const GIB: u64 = 1024 * 1024 * 1024;

    fn parts(expected: u64) -> Parts {
        Parts::new(&S3Settings::default(), expected)
    }

    /// Returns how many parts an upload of `bytes` bytes has, and whether all but the last are
    /// equal.
    fn sent(parts: Parts, bytes: u64) -> (i32, bool) {
        let (mut left, mut number, mut equal) = (bytes, 0, true);
        while left > 0 {
            number += 1;
            equal &= parts.size(number) == parts.size(1);
            left = left.saturating_sub(parts.size(number) as u64);
        }
        (number, equal)
    }

    #[test]
    fn parts_of_expected_size_are_equal() {
        for gib in [0, 1, 7, 8, 23, 100, 1024, 3000] {
            let (number, equal) = sent(parts(gib * GIB), gib * GIB);
            assert!(number <= EQUAL_PARTS && equal, "{gib} GiB: {number}");
        }
        assert_eq!(parts(7 * GIB).size(1), 8 * MIB);
        assert_eq!(parts(100 * GIB).size(1), 114 * MIB);
    }

    #[test]
    fn unexpected_bytes_have_parts() {
        let held: usize = (1..=MOST_PARTS).map(|number| parts(0).size(number)).sum();
        assert!(held >= 5 * 1024 * 1024 * MIB, "{held}");
        let sizes: Vec<_> = (1..=MOST_PARTS).map(|number| parts(50 * GIB).size(number)).collect();
        assert!(sizes.is_sorted());
        assert!(sizes.iter().all(|size| (5 * MIB..=5 * 1024 * MIB).contains(size)));
    }

    #[test]
    fn configured_size_is_kept() {
        let settings = S3Settings { part_size: 64 * MIB, part_size_is_fixed: true, ..S3Settings::default() };
        let parts = Parts::new(&settings, 3000 * GIB);
        assert!((1..=MOST_PARTS).all(|number| parts.size(number) == 64 * MIB));
    }

    #[test]
    fn parts_in_flight_respect_budget() {
        for (size, at_a_time) in [(8, 4), (16, 4), (32, 2), (64, 1), (4096, 1)] {
            assert_eq!(parallel(size * MIB, 4, 64 * MIB), at_a_time, "{size} MiB");
        }
    }
}
