use proptest::prelude::*;

use super::*;
use crate::dump::made_up::bytes_of_body;

const VOLUMES: [VolumeSize; 2] = [VolumeSize { number: 1, bytes: 100 }, VolumeSize { number: 4, bytes: 50 }];

fn segment((volume, offset, length): (u32, u64, u64)) -> Segment {
    Segment { volume, offset, length }
}

fn refusal(map: &str, dump: u64) -> String {
    let error = read_map(map.as_bytes(), &VOLUMES, dump).unwrap_err();
    error.get_ref().unwrap().downcast_ref::<Malformed>().expect("not damage").0.clone()
}

#[test]
fn map_is_text_of_segments() {
    let segments = read_map(&b"1 0 60\n4 10 40\n1 20 1\n"[..], &VOLUMES, 101).unwrap();
    assert_eq!(segments, [(1, 0, 60), (4, 10, 40), (1, 20, 1)].map(segment));
    assert_eq!(read_map(&b""[..], &VOLUMES, 0).unwrap(), []);
}

#[test]
fn wrong_maps_are_refused() {
    let cases = [
        ("1 0 60\n", 61, "lacks 1"),
        ("1 0 60\n", 59, "more than the dump"),
        ("2 0 60\n", 60, "names volume 2"),
        ("1 41 60\n", 60, "not in volume 1"),
        ("4 50 1\n", 1, "not in volume 4"),
        ("1 18446744073709551615 2\n", 2, "not in volume 1"),
        ("1 0 0\n", 0, "not in volume 1"),
        ("1 0\n", 0, "no segment"),
        ("1 0 1 1\n", 1, "no segment"),
        ("1  0 1\n", 1, "no segment"),
        ("1 00 1\n", 1, "no segment"),
        ("+1 0 1\n", 1, "no segment"),
        ("1 0 -1\n", 1, "no segment"),
        ("1 0 18446744073709551616\n", 1, "no segment"),
        ("4294967297 0 1\n", 1, "no segment"),
        ("\n", 0, "no segment"),
        ("1 0 1\r\n", 1, "no segment"),
    ];
    for (map, dump, said) in cases {
        assert!(refusal(map, dump).contains(said), "{map:?}: {}", refusal(map, dump));
    }
    assert!(refusal(&"1".repeat(1000), 1).contains("longer than"));
}

#[test]
fn very_many_segments_are_refused() {
    let map = "1 0 1\n1 2 1\n".repeat(MOST_SEGMENTS as usize / 2 + 1);
    assert!(refusal(&map, MOST_SEGMENTS + 2).contains("more than 2000000 segments"));
}

#[test]
fn needs_count_shared_bytes_once() {
    let segments = [(4, 0, 10), (1, 10, 20), (1, 0, 15), (1, 25, 30), (4, 0, 10), (1, 90, 10)].map(segment);
    assert_eq!(needs(&segments, &VOLUMES), [65, 10]);
    assert_eq!(needs(&[], &VOLUMES), [0, 0]);
}

proptest! {
    #[test]
    fn written_map_reads_the_same(parts in prop::collection::vec((0_u32..3, 0_u64..40, 1_u64..40), 0..60)) {
        let mut writer = MapWriter::new().unwrap();
        parts.iter().try_for_each(|part| writer.push(segment(*part))).unwrap();
        let (encoded, count, used) = writer.finish().unwrap();
        let volumes = [0, 1, 2].map(|number| VolumeSize { number, bytes: 80 });
        let stored = bytes_of_body(encoded.body);
        let dump = parts.iter().map(|part| part.2).sum();
        let read = read_map(zstd::decode_all(stored.as_slice()).unwrap().as_slice(), &volumes, dump).unwrap();
        prop_assert_eq!(read.len() as u64, count);
        prop_assert_eq!(used, read.iter().map(|part| part.volume).collect());
        let bytes = |segments: &[Segment]| -> Vec<(u32, u64)> {
            let each = |part: &Segment| (part.offset..part.offset + part.length).map(|at| (part.volume, at)).collect::<Vec<_>>();
            segments.iter().flat_map(each).collect()
        };
        let original: Vec<_> = parts.into_iter().map(segment).collect();
        prop_assert_eq!(bytes(&read), bytes(&original));
        for (needed, volume) in needs(&read, &volumes).into_iter().zip(volumes) {
            let different: std::collections::BTreeSet<_> =
                bytes(&original).into_iter().filter(|(number, _)| *number == volume.number).collect();
            prop_assert_eq!(needed, different.len() as u64);
        }
        prop_assert!(read.windows(2).all(|two| (two[0].volume, two[0].offset + two[0].length) != (two[1].volume, two[1].offset)));
    }
}
