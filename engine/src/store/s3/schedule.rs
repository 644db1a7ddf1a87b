//! How large the parts of an upload are.

/// The most parts that S3 takes.
pub(super) const MOST_PARTS: i32 = 10_000;
/// The size of a part doubles after so many.
const STEP: i32 = 1000;
/// S3 takes up to 5 GiB in one part.
const LARGEST: usize = 4 * 1024 * 1024 * 1024;

/// Bytes of the part with this number, counted from 1, where the first has `first` bytes.
///
/// The length is not known before the end, and small parts keep memory low; so they grow with what was sent already: with
/// parts of 8 MiB the sizes double at 8, 23, 55, 117 and 242 GiB, and 10,000 parts hold 8 TiB, of which S3 takes 5.
/// All parts are of one size up to the first step, as Cloudflare R2 demands.
pub(super) fn part_size(number: i32, first: usize) -> usize {
    let doublings = (number.clamp(1, MOST_PARTS) - 1) / STEP;
    (first << doublings).min(LARGEST)
}

/// How many parts of this size are sent at a time, where `in_flight` bytes may be on their way and one always may.
pub(super) fn parallel(part_size: usize, parallel: usize, in_flight: usize) -> usize {
    (in_flight / part_size.max(1)).clamp(1, parallel.max(1))
}

#[cfg(test)]
mod tests {
    use super::{MOST_PARTS, parallel, part_size};

    const MIB: usize = 1024 * 1024;
    const TIB: usize = MIB * MIB;

    #[test]
    fn ten_thousand_parts_hold_five_tebibytes() {
        let held: usize = (1..=MOST_PARTS).map(|number| part_size(number, 8 * MIB)).sum();
        assert!(held >= 5 * TIB, "{held}");
    }

    #[test]
    fn no_part_is_smaller_than_the_one_before_or_larger_than_s3_takes() {
        let sizes: Vec<_> = (1..=MOST_PARTS).map(|number| part_size(number, 8 * MIB)).collect();
        assert!(sizes.is_sorted());
        assert!(sizes.iter().all(|size| (5 * MIB..=5 * 1024 * MIB).contains(size)));
    }

    #[test]
    fn parts_in_flight_stay_within_their_budget_until_one_exceeds_it() {
        for (size, at_a_time) in [(8, 4), (16, 4), (32, 2), (64, 1), (4096, 1)] {
            assert_eq!(parallel(size * MIB, 4, 64 * MIB), at_a_time, "{size} MiB");
        }
    }
}
