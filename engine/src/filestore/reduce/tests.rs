use std::collections::BTreeMap;

use tokio::io::AsyncReadExt;

use super::*;
use crate::filestore::{Bounds, ListLine, frames, list_again, made_up, read_lines, read_list};
use crate::stream::{Packed, body_of};

const MIB: usize = 1024 * 1024;

/// A stored volume, its fingerprints, and its list.
struct Made {
    bytes: Vec<u8>,
    fingerprints: (Fingerprint, Fingerprint),
    listed: Vec<ListedFile>,
    /// The list with its zstd frames.
    lines: Vec<ListLine>,
}

async fn written(volume: Encoded<WrittenVolume>) -> io::Result<Made> {
    let Encoded { mut body, outcome } = volume;
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).await?;
    let Packed { plain, stored, mut value } = outcome.get()?;
    let mut list = Vec::new();
    value.list.body.read_to_end(&mut list).await?;
    let bounds = Bounds { files: value.files, bytes: value.bytes };
    let list = zstd::decode_all(list.as_slice())?;
    let listed = read_list(list.as_slice(), bounds).collect::<io::Result<Vec<ListedFile>>>()?;
    let lines = read_lines(list.as_slice(), bounds).collect::<io::Result<Vec<ListLine>>>()?;
    assert_eq!((value.files, value.bytes), (listed.len() as u64, listed.iter().map(|file| file.size).sum()));
    Ok(Made { bytes, fingerprints: (plain, stored), listed, lines })
}

/// Returns files of all kinds: empty ones, long ones that need several frames, and one whose name
/// does not fit into the header.
fn files() -> BTreeMap<String, Vec<u8>> {
    let content = |seed: usize, size: usize| (0..size).map(|i| ((i / 7 + seed * 31) % 251) as u8).collect::<Vec<u8>>();
    let mut files: BTreeMap<String, Vec<u8>> = (0..40).map(|i| (format!("{i:02}/file"), content(i, i * 100))).collect();
    files.insert("large/one".into(), content(1, 17 * MIB));
    files.insert("large/two".into(), content(2, 3 * MIB));
    files.insert("large/three".into(), content(3, 3 * MIB));
    files.insert(format!("long/{}", "x".repeat(150)), content(4, 10));
    files
}

async fn reduced(made: &Made, bytes: Vec<u8>, wanted: impl Fn(&str) -> bool) -> io::Result<Made> {
    let wanted = made.listed.iter().filter(|file| wanted(&file.path));
    let wanted = wanted.map(|file| (file.path.clone(), file.clone())).collect();
    written(reduce(
        body_of(bytes),
        made.fingerprints,
        wanted,
        (Level::default(), ListForm::FramesAndFiles),
        Task::default(),
    ))
    .await
}

#[tokio::test]
async fn reduced_volume_contains_only_wanted_files() {
    let files = files();
    let made = written(made_up::volume(files.clone())).await.unwrap();
    let is_wanted = |path: &str| path.ends_with("5/file") || path.starts_with("l");
    let small = reduced(&made, made.bytes.clone(), is_wanted).await.unwrap();
    let expected: Vec<_> = files.into_iter().filter(|(path, _)| is_wanted(path)).collect();
    let paths: Vec<_> = small.listed.iter().map(|file| &file.path).collect();
    assert_eq!(paths, expected.iter().map(|(path, _)| path).collect::<Vec<_>>());
    for (file, (path, content)) in small.listed.iter().zip(&expected) {
        let frame = &small.bytes[usize::try_from(file.frame).unwrap()..][..usize::try_from(file.frame_length).unwrap()];
        let plain = zstd::decode_all(frame).unwrap();
        let found = &plain[usize::try_from(file.offset).unwrap()..][..content.len()];
        assert!(found == content, "{path}");
        let before = made.listed.iter().find(|listed| listed.path == *path).unwrap();
        assert_eq!((file.size, file.mtime, file.sha256), (before.size, before.mtime, before.sha256));
    }
    // Batched as in a backup: four small files, then those that are too large to share a frame, and
    // the last.
    let sizes: Vec<_> = frames(small.lines.clone()).unwrap().iter().map(|frame| frame.files.len()).collect();
    assert_eq!(sizes, [4, 1, 1, 2]);
    let bounds = Bounds { files: 8, bytes: small.listed.iter().map(|file| file.size).sum() };
    let again = list_again(small.bytes.as_slice(), bounds).unwrap();
    assert_eq!((again.0, again.1), (small.lines.clone(), small.fingerprints.1));
    let parts = small.lines.iter().filter_map(|line| match line {
        ListLine::Part(part) => Some(part.length),
        ListLine::File(_) => None,
    });
    assert_eq!(parts.sum::<u64>(), small.fingerprints.1.size);
    for less in [Bounds { files: 7, ..bounds }, Bounds { bytes: bounds.bytes - 1, ..bounds }] {
        assert!(list_again(small.bytes.as_slice(), less).is_err(), "{less:?}");
    }
    let plain = zstd::decode_all(small.bytes.as_slice()).unwrap();
    let listed: HashMap<_, _> = small.listed.into_iter().map(ListedFile::fingerprint).collect();
    assert_eq!(compare(plain.as_slice(), listed.clone()).unwrap(), None);
    let mut more = listed;
    more.insert("not/there".into(), Fingerprint::of(b""));
    assert!(compare(plain.as_slice(), more).unwrap().unwrap().contains("not/there is in the list only"));
}

#[tokio::test]
async fn damaged_volume_cannot_be_reduced() {
    let mut made = written(made_up::volume(files())).await.unwrap();
    let wanted = |path: &str| path.starts_with("2");
    // Damage in unwanted files counts too.
    for place in [100, made.bytes.len() / 2, made.bytes.len() - 3] {
        let mut damaged = made.bytes.clone();
        damaged[place] ^= 1;
        assert!(reduced(&made, damaged, wanted).await.is_err(), "{place}");
    }
    assert!(reduced(&made, made.bytes[..made.bytes.len() / 2].to_vec(), wanted).await.is_err());
    let place = made.listed.iter().position(|file| file.path == "22/file").unwrap();
    let (bytes, sound) = (made.bytes.clone(), made.listed[place].clone());
    made.listed[place].sha256 = crate::stream::Digest::of(b"another");
    let error = reduced(&made, bytes.clone(), wanted).await.err().unwrap();
    assert!(format!("{error:?}").contains("is not what the list says"), "{error:?}");
    made.listed[place] = ListedFile { path: "2/not there".into(), ..sound };
    let error = reduced(&made, bytes, wanted).await.err().unwrap();
    assert!(format!("{error:?}").contains("is in the list only"), "{error:?}");
}
