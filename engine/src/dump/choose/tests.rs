use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn built((number, bytes, needed): (u32, u64, u64)) -> Built {
    Built { number, bytes, needed }
}

#[test]
fn needed_volumes_are_kept() {
    let volumes = [(1, 1000, 900), (2, 50, 50), (3, 60, 0), (5, 70, 10)].map(built);
    assert_eq!(kept(&volumes, 960), [1, 2, 5], "nothing of volume 3 is needed");
    assert_eq!(kept(&[], 0), [0; 0]);
}

#[test]
fn wasteful_volume_goes_first() {
    let volumes = [(1, 1000, 600), (2, 300, 10), (3, 500, 390)].map(built);
    assert_eq!(kept(&volumes, 1030), [1, 2, 3], "1800 bytes are within 1802");
    assert_eq!(kept(&volumes, 1000), [1, 3], "volume 1 has more waste, and more that is needed");
    assert_eq!(kept(&volumes, 900), [1, 3]);
    assert_eq!(kept(&volumes, 800), [3]);
}

#[test]
fn too_many_volumes_are_halved() {
    let volumes: Vec<_> =
        (1..=16).map(|number| built((number, 10 + u64::from(number), 10 + u64::from(number)))).collect();
    let dump = volumes.iter().map(|volume| volume.needed).sum();
    assert_eq!(kept(&volumes[1..], dump).len(), 15);
    assert_eq!(kept(&volumes, dump), [9, 10, 11, 12, 13, 14, 15, 16]);
}

#[test]
fn extreme_numbers_do_not_overflow() {
    let volumes = [(1, u64::MAX, u64::MAX), (2, u64::MAX, 1), (3, 0, 1)].map(built);
    assert_eq!(kept(&volumes, u64::MAX), [1, 3]);
    assert_eq!(kept(&volumes, 0), [0; 0]);
}

#[test]
fn full_backup_has_a_reason() {
    let [begun, now]: [Timestamp; 2] =
        ["2026-11-01T02:00:00Z", "2026-11-30T02:00:00Z"].map(|time| time.parse().unwrap());
    let second = jiff::SignedDuration::from_secs(1);
    let reason = |asked, begun, oldest| full_reason(asked, begun, oldest, now);
    assert_eq!(reason(false, begun, begun - second), None);
    assert_eq!(reason(false, begun, begun), Some(FullReason::Due));
    assert_eq!(reason(false, now + second, begun), Some(FullReason::Future));
    assert_eq!(reason(true, begun, begun - second), Some(FullReason::Asked));
    assert!(FullReason::Due.to_string().contains("full_every"));
}

proptest! {
    #[test]
    fn kept_volumes_are_within_limits(
        volumes in prop::collection::vec((0_u64..2000, 0_u64..2000), 0..40),
        more in 0_u64..500,
    ) {
        let volumes: Vec<_> = (1..).zip(volumes).map(|(number, (a, b))| built((number, a.max(b), a.min(b)))).collect();
        // Bytes of the dump are needed once at least.
        let dump = volumes.iter().map(|volume| volume.needed).sum::<u64>() + more;
        let kept: BTreeSet<_> = kept(&volumes, dump).into_iter().collect();
        let (built, left_out): (Vec<_>, Vec<_>) = volumes.into_iter().partition(|volume| kept.contains(&volume.number));
        prop_assert!(built.len() < MOST_VOLUMES);
        prop_assert!(built.iter().all(|volume| volume.needed > 0));
        let bytes: u64 = built.iter().map(|volume| volume.bytes).sum();
        let again: u64 = left_out.iter().map(|volume| volume.needed).sum();
        prop_assert!((bytes + again) * 100 <= dump * 175 || left_out.len() + built.len() > MOST_VOLUMES);
        prop_assert!(bytes * 100 <= dump * 175);
    }
}

/// A database of chunks, and where each is stored.
struct Living {
    chunks: Vec<u64>,
    stored: BTreeMap<u64, u32>,
    volumes: BTreeMap<u32, u64>,
    next: u64,
    seed: u64,
}

impl Living {
    fn draw(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % below
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Changes and inserts rows, most of them young.
    fn live(&mut self, edits: usize, inserts: usize) {
        for edit in 0..edits {
            let length = self.chunks.len();
            let young = if edit % 50 == 0 { length } else { length / 8 };
            let at = length - 1 - self.draw(young);
            self.chunks[at] = self.fresh();
        }
        for _ in 0..inserts {
            let chunk = self.fresh();
            self.chunks.push(chunk);
        }
    }

    fn needs(&self) -> Vec<Built> {
        let mut needed: BTreeMap<u32, u64> = BTreeMap::new();
        self.chunks
            .iter()
            .filter_map(|chunk| self.stored.get(chunk))
            .for_each(|volume| *needed.entry(*volume).or_default() += 1);
        needed.into_iter().map(|(number, needed)| built((number, self.volumes[&number], needed))).collect()
    }

    /// Makes a backup. Returns what it stores, and the bytes of the volumes it is based on.
    fn back_up(&mut self, number: u32) -> (u64, u64) {
        let kept: BTreeSet<_> = kept(&self.needs(), self.chunks.len() as u64).into_iter().collect();
        self.stored.retain(|_, volume| kept.contains(volume));
        let new: Vec<_> = self.chunks.iter().copied().filter(|chunk| !self.stored.contains_key(chunk)).collect();
        self.stored.extend(new.iter().map(|chunk| (*chunk, number)));
        self.volumes.insert(number, new.len() as u64);
        let based = self.needs();
        assert!(based.len() <= MOST_VOLUMES);
        (new.len() as u64, based.iter().map(|volume| volume.bytes).sum())
    }
}

#[test]
fn month_of_backups_is_bounded() {
    // A dump of 149 MB in chunks of 8 KiB, of which 3 % are new each day.
    let mut living = Living {
        chunks: (1..=18_000).collect(),
        stored: BTreeMap::new(),
        volumes: BTreeMap::new(),
        next: 1 << 40,
        seed: 1,
    };
    let (mut total, mut dumps) = (0, 0);
    for day in 1..=31 {
        let (new, based) = living.back_up(day);
        let dump = living.chunks.len() as u64;
        (total, dumps) = (total + new, dumps + dump);
        // A day's changes may exceed the limit until the next backup.
        assert!(based * 100 <= dump * 185, "day {day}: based on {based} of {dump}");
        living.live(400, 60);
    }
    assert!(total * 100 < dumps * 13, "{total} chunks stored of {dumps}");
    assert!(total < 4 * 18_000, "{total} chunks stored");
}

#[test]
fn emptied_database_leaves_old_volumes() {
    let mut living = Living {
        chunks: (1..=18_000).collect(),
        stored: BTreeMap::new(),
        volumes: BTreeMap::new(),
        next: 1 << 40,
        seed: 2,
    };
    living.back_up(1);
    living.chunks.truncate(100);
    assert_eq!(living.back_up(2), (100, 100), "the first volume is nearly all waste");
    living.chunks = (1 << 41..(1 << 41) + 40_000).collect();
    assert_eq!(living.back_up(3), (40_000, 40_000));
}
