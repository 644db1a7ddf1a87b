//! Generations of a dump: each is written on top of what the ones before stored, and read back.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::made_up::{noise, read_body};
use super::*;
use crate::progress::Task;
use crate::store::Key;
use crate::stream::{Body, DecodeReader, Encoded, Fingerprint, Level, Mismatch, Packed, body_of};

/// What was opened, in order.
pub(super) type Requests = Arc<Mutex<Vec<(Key, Range<u64>)>>>;

/// A stored object, as a manifest describes it.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    plain: Fingerprint,
    stored: Fingerprint,
}

impl Object {
    async fn of<T>(encoded: Encoded<T>) -> (Self, T) {
        let bytes = read_body(encoded.body).await.unwrap();
        let Packed { plain, stored, value } = encoded.outcome.get().unwrap();
        assert_eq!(stored, Fingerprint::of(&bytes));
        assert!(Fingerprint::of(&zstd::decode_all(bytes.as_slice()).unwrap()) == plain);
        (Self { bytes, plain, stored }, value)
    }

    fn open(&self) -> DecodeReader<&[u8]> {
        DecodeReader::new(self.bytes.as_slice(), self.plain, self.stored).unwrap()
    }

    fn lengths(&self) -> Lengths {
        Lengths { plain: self.plain.size, stored: self.stored.size }
    }
}

/// A backup's dump.
#[derive(Clone)]
pub(super) struct Backup {
    /// Each volume and its index.
    pub(super) volumes: BTreeMap<u32, (Object, Object)>,
    pub(super) map: Object,
    pub(super) dump: Fingerprint,
    segments: u64,
}

impl Backup {
    fn sizes(&self) -> Vec<VolumeSize> {
        let size =
            |(number, (volume, _)): (&u32, &(Object, Object))| VolumeSize { number: *number, bytes: volume.plain.size };
        self.volumes.iter().map(size).collect()
    }

    fn segments(&self) -> io::Result<Vec<Segment>> {
        read_map(self.map.open(), &self.sizes(), self.dump.size)
    }

    /// Writes the next dump.
    pub(super) async fn next(before: Option<&Self>, dump: &[u8]) -> Self {
        let Some(before) = before else {
            return Self::write(BTreeMap::new(), Base::full(0).unwrap(), dump).await;
        };
        let (segments, sizes) = (before.segments().unwrap(), before.sizes());
        let built = sizes.iter().zip(needs(&segments, &sizes));
        let built: Vec<_> =
            built.map(|(size, needed)| Built { number: size.number, bytes: size.bytes, needed }).collect();
        let kept = kept(&built, before.dump.size);
        let (last, _) = before.volumes.last_key_value().unwrap();
        let mut base = Continued::after(*last);
        let mut volumes = before.volumes.clone();
        volumes.retain(|number, _| kept.contains(number));
        for (number, (volume, index)) in &volumes {
            base.add(*number, index.open(), volume.lengths()).unwrap();
        }
        let base = base.finish(before.dump.size).unwrap_or_else(|_| Base::full(0).unwrap());
        Self::write(volumes, base, dump).await
    }

    async fn write(mut volumes: BTreeMap<u32, (Object, Object)>, base: Base, dump: &[u8]) -> Self {
        let number = base.number();
        let encoded = write_dump(body_of(dump.to_vec()), base, Level::default(), 2, Task::default());
        let (volume, WrittenDump { dump, segments, index, map, .. }) = Object::of(encoded).await;
        volumes.insert(number, (volume, Object::of(index).await.0));
        Self { volumes, map: Object::of(map).await.0, dump, segments }
    }

    /// Returns how the dump is put together; `requests` notes what is opened.
    pub(super) fn parts(&self, requests: &Requests) -> io::Result<(Dump, Open)> {
        let mut volumes = Vec::new();
        let mut objects = BTreeMap::new();
        for (number, (volume, index)) in &self.volumes {
            let key = Key::new(format!("shop/database-{number:04}.zst")).unwrap();
            let frames = read_index(index.open(), volume.lengths())?.frames;
            objects.insert(key.clone(), volume.bytes.clone());
            volumes.push(StoredVolume { number: *number, key, frames });
        }
        let requests = requests.clone();
        let open: Open = Arc::new(move |key, range| {
            requests.lock().unwrap().push((key.clone(), range.clone()));
            let bytes = &objects[key];
            let end = (range.end as usize).min(bytes.len());
            let bytes = bytes[(range.start as usize).min(end)..end].to_vec();
            Box::pin(async move { Ok::<Body, io::Error>(body_of(bytes)) })
        });
        Ok((Dump::new(volumes, self.segments()?, self.dump)?, open))
    }

    /// Reads the dump. Returns what came, and the error that followed.
    pub(super) async fn read(&self) -> (Vec<u8>, Option<io::Error>) {
        let (dump, open) = match self.parts(&Arc::default()) {
            Ok(parts) => parts,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let mut body = read_dump(Arc::new(dump), open, Task::default());
        let mut bytes = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut body, &mut bytes).await;
        (bytes, read.err())
    }

    async fn assert_reads(&self, dump: &[u8]) {
        let (bytes, error) = self.read().await;
        assert!(error.is_none() && bytes == dump, "{error:?}");
    }

    /// Returns the bytes that this backup stores itself.
    fn own(&self) -> u64 {
        self.volumes.last_key_value().unwrap().1.0.stored.size
    }
}

#[tokio::test]
async fn first_volume_is_the_dump() {
    let rows = noise(1, 5_000_000);
    let dump = [rows.as_slice(), &rows[..1_000_000], &[0; 300_000]].concat();
    let backup = Backup::next(None, &dump).await;
    assert!(
        zstd::decode_all(backup.volumes[&1].0.bytes.as_slice()).unwrap() == dump,
        "repeated content is there twice"
    );
    assert_eq!(zstd::decode_all(backup.map.bytes.as_slice()).unwrap(), format!("1 0 {}\n", dump.len()).as_bytes());
    backup.assert_reads(&dump).await;
    let second = Backup::next(Some(&backup), &dump).await;
    assert_eq!((second.segments, second.volumes[&2].0.plain.size), (1, 0), "equal chunks follow each other");
    assert!(second.own() < 20);
    second.assert_reads(&dump).await;
}

#[tokio::test]
async fn empty_dump_is_a_dump() {
    let empty = Backup::next(None, b"").await;
    empty.assert_reads(b"").await;
    let full = Backup::next(Some(&empty), &noise(3, 100_000)).await;
    full.assert_reads(&noise(3, 100_000)).await;
    Backup::next(Some(&full), b"").await.assert_reads(b"").await;
}

#[tokio::test]
async fn volumes_are_read_forward() {
    let mut dump = noise(1, 12_000_000);
    let mut backup = Backup::next(None, &dump).await;
    for day in 2..6 {
        for edit in 0..20 {
            let at = edit * 550_000 + day * 40_000;
            dump[at..at + 100].copy_from_slice(&noise((day * 100 + edit) as u64, 100));
        }
        backup = Backup::next(Some(&backup), &dump).await;
        assert!(backup.own() < 600_000, "{}", backup.own());
    }
    let requests = Requests::default();
    let (parts, open) = backup.parts(&requests).unwrap();
    assert!(backup.segments > 100, "{}", backup.segments);
    assert!(read_body(read_dump(Arc::new(parts), open, Task::default())).await.unwrap() == dump);
    assert_eq!(requests.lock().unwrap().len(), 5, "one for each volume");
}

#[tokio::test]
async fn moved_tables_store_nothing_again() {
    let tables: Vec<_> = (0..6).map(|table| noise(table, 2_500_000)).collect();
    let backup = Backup::next(None, &tables.concat()).await;
    let moved = [3, 0, 5, 1, 4, 2].map(|table: usize| tables[table].as_slice()).concat();
    let second = Backup::next(Some(&backup), &moved).await;
    assert!(second.own() < 300_000, "{}", second.own());
    second.assert_reads(&moved).await;
}

#[tokio::test]
async fn failed_dump_stores_nothing() {
    let (broken, _) = crate::stream::produce::<(), _>(|out| {
        io::Write::write_all(out, &noise(1, 3_000_000))?;
        Err(io::Error::other("pg_dump failed"))
    });
    let encoded = write_dump(broken, Base::full(0).unwrap(), Level::default(), 2, Task::default());
    assert_eq!(read_body(encoded.body).await.unwrap_err().to_string(), "pg_dump failed");
    assert!(encoded.outcome.get().is_err());
}

#[tokio::test]
async fn index_of_other_chain_is_refused() {
    let [one, other] = [Backup::next(None, b"a").await, Backup::next(None, b"a").await];
    let mut base = Continued::after(2);
    let (volume, index) = &one.volumes[&1];
    base.add(1, index.open(), volume.lengths()).unwrap();
    let (volume, index) = &other.volumes[&1];
    let error = base.add(2, index.open(), volume.lengths()).unwrap_err();
    assert!(error.to_string().contains("another chain"), "{error}");
}

/// A change of a dump.
#[derive(Debug, Clone)]
enum Edit {
    Replace(usize, usize),
    Insert(usize, usize),
    Remove(usize, usize),
    Copy(usize, usize, usize),
    Rotate(usize),
}

impl Edit {
    fn apply(&self, dump: &mut Vec<u8>, seed: u64) {
        let at = |part: usize, length: usize| part * length / 1000;
        let range = |from: usize, length: usize, dump: &[u8]| {
            let start = at(from, dump.len());
            start..(start + length).min(dump.len())
        };
        match *self {
            Self::Replace(from, length) => {
                let range = range(from, length, dump);
                let bytes = noise(seed, range.len());
                dump[range].copy_from_slice(&bytes);
            }
            Self::Insert(from, length) => {
                let start = at(from, dump.len());
                drop(dump.splice(start..start, noise(seed, length)));
            }
            Self::Remove(from, length) => drop(dump.drain(range(from, length, dump))),
            Self::Copy(from, length, to) => {
                let (copied, start) = (dump[range(from, length, dump)].to_vec(), at(to, dump.len()));
                drop(dump.splice(start..start, copied));
            }
            Self::Rotate(from) => {
                let start = at(from, dump.len());
                dump.rotate_left(start);
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let (part, length) = (0_usize..1000, 1_usize..200_000);
    prop_oneof![
        4 => (part.clone(), 1_usize..2000).prop_map(|(from, length)| Edit::Replace(from, length)),
        2 => (part.clone(), length.clone()).prop_map(|(from, length)| Edit::Insert(from, length)),
        2 => (part.clone(), length.clone()).prop_map(|(from, length)| Edit::Remove(from, length)),
        1 => (part.clone(), length, part.clone()).prop_map(|(from, length, to)| Edit::Copy(from, length, to)),
        1 => part.prop_map(Edit::Rotate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_generation_reads_the_same(
        seed: u64,
        length in 0_usize..6_000_000,
        days in prop::collection::vec(prop::collection::vec(edit(), 0..6), 1..24),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut dump = noise(seed, length);
            let mut backup = Backup::next(None, &dump).await;
            for (day, edits) in (1..).zip(days) {
                let before = dump.clone();
                (1..).zip(&edits).for_each(|(number, edit)| edit.apply(&mut dump, seed ^ (day << 8 | number)));
                let next = Backup::next(Some(&backup), &dump).await;
                assert!(next.volumes.len() <= MOST_VOLUMES);
                next.assert_reads(&dump).await;
                backup.assert_reads(&before).await;
                let bytes: u64 = next.sizes().iter().map(|size| size.bytes).sum();
                let new = next.volumes.last_key_value().unwrap().1.0.plain.size;
                assert!(bytes <= before.len() as u64 * 7 / 4 + new, "{bytes} of {}", dump.len());
                backup = next;
            }
        });
    }
}

/// Reads damaged copies of a backup. What comes before the error must be the dump's bytes.
async fn assert_damage_is_found(backup: &Backup, dump: &[u8], what: &str) {
    let (bytes, error) = backup.read().await;
    let error = error.unwrap_or_else(|| panic!("{what} passed as intact"));
    assert!(dump.starts_with(&bytes), "{what}: wrong bytes were handed out");
    let inner = error.get_ref().unwrap_or_else(|| panic!("{what}: {error}"));
    let is_damage = inner.is::<DamagedVolume>() || inner.is::<Mismatch>() || inner.is::<crate::stream::Malformed>();
    assert!(is_damage, "{what}: {error}");
}

#[tokio::test]
async fn damage_of_any_object_is_found() {
    let mut dump = noise(1, 5_000_000);
    let mut backup = Backup::next(None, &dump).await;
    for day in 0..3 {
        dump[day * 1_600_000..][..300_000].copy_from_slice(&noise(100 + day as u64, 300_000));
        backup = Backup::next(Some(&backup), &dump).await;
    }
    backup.assert_reads(&dump).await;
    assert_eq!(backup.volumes.len(), 4);
    let numbers: Vec<_> = backup.volumes.keys().copied().collect();
    for at in [0, 1, 7, 40, 60, 99] {
        let flip = |bytes: &mut Vec<u8>| {
            let at = at * (bytes.len() - 1) / 99;
            bytes[at] ^= 1;
        };
        let cut = |bytes: &mut Vec<u8>| bytes.truncate(at * bytes.len() / 100);
        for (change, what) in [(&flip as &dyn Fn(&mut Vec<u8>), "flipped"), (&cut, "cut")] {
            let mut damaged = backup.clone();
            change(&mut damaged.map.bytes);
            assert_damage_is_found(&damaged, &dump, &format!("{what} map at {at}")).await;
            for number in &numbers {
                let mut damaged = backup.clone();
                change(&mut damaged.volumes.get_mut(number).unwrap().1.bytes);
                assert_damage_is_found(&damaged, &dump, &format!("{what} index {number} at {at}")).await;
            }
        }
    }
    for number in &numbers {
        // The first and the last bytes of a volume are needed here.
        for (from, to) in [(0, 1), (1, 1)] {
            let mut flipped = backup.clone();
            let bytes = &mut flipped.volumes.get_mut(number).unwrap().0.bytes;
            let at = (bytes.len() - 1) * from / to;
            bytes[at] ^= 1;
            assert_damage_is_found(&flipped, &dump, &format!("flipped volume {number}")).await;
        }
        let mut cut = backup.clone();
        cut.volumes.get_mut(number).unwrap().0.bytes.pop();
        assert_damage_is_found(&cut, &dump, &format!("cut volume {number}")).await;
        let mut exchanged = backup.clone();
        let other = backup.volumes[&numbers[(*number as usize) % numbers.len()]].0.bytes.clone();
        exchanged.volumes.get_mut(number).unwrap().0.bytes = other;
        assert_damage_is_found(&exchanged, &dump, &format!("exchanged volume {number}")).await;
        let mut missing = backup.clone();
        missing.volumes.remove(number);
        assert_damage_is_found(&missing, &dump, &format!("unnamed volume {number}")).await;
    }
}

#[tokio::test]
async fn forged_map_fails_at_whole_dump() {
    let dump = noise(1, 300_000);
    let mut backup = Backup::next(None, &dump).await;
    let forged = b"1 0 100000\n1 0 100000\n1 200000 100000\n";
    let encoded = crate::stream::encode_list(body_of(forged.to_vec()));
    backup.map = Object::of(encoded).await.0;
    let (_, error) = backup.read().await;
    assert!(error.unwrap().get_ref().unwrap().is::<Mismatch>(), "a map with right digests and other bytes");
}
