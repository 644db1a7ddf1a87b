use std::fs::{self, OpenOptions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;

use super::*;
use crate::filestore::{Batches, Bounds, Ledger, Limits, ListForm, ListedFile, read_list, write_volume};
use crate::progress::Task;
use crate::stream::{Encoded, Fingerprint, Level};

struct Stored {
    bytes: Vec<u8>,
    files: u64,
    length: u64,
    list: Vec<ListedFile>,
}

fn begun(root: &Path) -> io::Result<Arc<Mutex<Batches>>> {
    let mut batches = Batches::new(root, Ledger::default());
    batches.begin()?;
    Ok(Arc::new(Mutex::new(batches)))
}

/// Returns everything under `root` as volumes, drawn one after the other from the same batches.
async fn volumes(root: &Path, limits: Limits) -> io::Result<Vec<Stored>> {
    let batches = begun(root)?;
    let mut volumes = Vec::new();
    loop {
        let Some(first) = batches.lock().unwrap().next_batch()? else { return Ok(volumes) };
        let (bytes, written) = read(write_volume(
            first,
            batches.clone(),
            limits,
            (Level::default(), ListForm::FramesAndFiles),
            Task::default(),
        ))
        .await?;
        let (list, ()) = read(written.list).await?;
        volumes.push(Stored { bytes, files: written.files, length: written.bytes, list: listed(&list) });
    }
}

/// Reads a stream to its end, and compares it with what its producer says of it.
async fn read<T>(mut encoded: Encoded<T>) -> io::Result<(Vec<u8>, T)> {
    let mut bytes = Vec::new();
    encoded.body.read_to_end(&mut bytes).await?;
    let packed = encoded.outcome.get()?;
    assert_eq!(packed.stored, Fingerprint::of(&bytes));
    assert_eq!(packed.plain, Fingerprint::of(&zstd::decode_all(bytes.as_slice())?));
    Ok((bytes, packed.value))
}

fn listed(list: &[u8]) -> Vec<ListedFile> {
    let any = Bounds { files: 1000, bytes: 1 << 40 };
    read_list(zstd::decode_all(list).unwrap().as_slice(), any).collect::<io::Result<_>>().unwrap()
}

fn fill(root: &Path, files: &[(&str, Vec<u8>)]) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("00/empty", Vec::new()),
        ("00/one", vec![7]),
        ("00/block", vec![8; 512]),
        ("ab/text", b"Odoo ".repeat(2_000_000)),
        ("ab/large", (0..9_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("ff/ümläut", b"x".to_vec()),
        ("ff/\u{fffd} was not UTF-8 once", b"x".to_vec()),
        ("ff/-rf \n\"*\\", b"x".to_vec()),
        ("-rf", b"x".to_vec()),
        (
            "ff/a name so long that a tar header of the old kind does not hold it and an entry of its own comes before it, which moves the content",
            vec![1; 3000],
        ),
    ]
}

#[tokio::test]
async fn files_return_from_several_volumes() {
    let source = tempfile::tempdir().unwrap();
    let files = samples();
    fill(source.path(), &files);
    for (bytes, expected_volumes) in [(u64::MAX, 1), (1, 4)] {
        let volumes = volumes(source.path(), Limits { bytes, files: u64::MAX }).await.unwrap();
        assert_eq!(volumes.len(), expected_volumes);
        let parent = tempfile::tempdir().unwrap();
        let target = NewFilestore::create(&parent.path().join("data/filestore/staging"), &TaskTracker::new()).unwrap();
        let mut total = 0;
        for Stored { bytes, files, length, .. } in &volumes {
            let tar = zstd::decode_all(bytes.as_slice()).unwrap();
            let unpacked = unpack(tar.as_slice(), &target, &Task::default(), |_, _| Ok(true)).unwrap();
            assert_eq!(unpacked, Unpacked { files: *files, bytes: *length });
            total += unpacked.files;
        }
        target.sync().unwrap();
        assert_eq!(total, files.len() as u64);
        for (path, content) in &files {
            assert!(fs::read(target.root().join(path)).unwrap() == *content, "{path}");
        }
    }
}

#[tokio::test]
async fn list_locates_each_file_by_frame() {
    let source = tempfile::tempdir().unwrap();
    let files = samples();
    fill(source.path(), &files);
    let mut found = 0;
    for Stored { bytes, list, .. } in volumes(source.path(), Limits::default()).await.unwrap() {
        for entry in list {
            let frame =
                usize::try_from(entry.frame).unwrap()..usize::try_from(entry.frame + entry.frame_length).unwrap();
            let plain = zstd::decode_all(&bytes[frame]).unwrap();
            let offset = usize::try_from(entry.offset).unwrap();
            let content = &plain[offset..offset + usize::try_from(entry.size).unwrap()];
            let (_, expected) = files.iter().find(|(path, _)| *path == entry.path).unwrap();
            assert!(content == expected, "{}", entry.path);
            assert_eq!(Fingerprint::of(content).sha256, entry.sha256);
            found += 1;
        }
    }
    assert_eq!(found, files.len());
}

#[tokio::test]
async fn ordinary_tools_read_volume() {
    let source = tempfile::tempdir().unwrap();
    fill(source.path(), &samples());
    let target = tempfile::tempdir().unwrap();
    for (i, Stored { bytes, .. }) in volumes(source.path(), Limits::default()).await.unwrap().iter().enumerate() {
        let archive = target.path().join(format!("{i}.tar.zst"));
        fs::write(&archive, bytes).unwrap();
        let status = std::process::Command::new("tar")
            .arg("--zstd")
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(target.path())
            .status();
        assert!(status.unwrap().success());
    }
    for (path, content) in samples() {
        assert!(fs::read(target.path().join(path)).unwrap() == content, "{path}");
    }
}

#[tokio::test]
async fn permissions_follow_surrounding_folder() {
    let source = tempfile::tempdir().unwrap();
    fill(source.path(), &[("ab/file", b"x".to_vec())]);
    let tar = zstd::decode_all(volumes(source.path(), Limits::default()).await.unwrap()[0].bytes.as_slice()).unwrap();
    for (parent_mode, folder_mode, file_mode) in [(0o750, 0o750, 0o640), (0o700, 0o700, 0o600), (0o2775, 0o2775, 0o664)]
    {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), PermissionsExt::from_mode(parent_mode)).unwrap();
        let target = NewFilestore::create(&parent.path().join("staging"), &TaskTracker::new()).unwrap();
        unpack(tar.as_slice(), &target, &Task::default(), |_, _| Ok(true)).unwrap();
        let mode = |path: &str| fs::metadata(target.root().join(path)).unwrap().mode() & 0o7777;
        assert_eq!((mode(""), mode("ab"), mode("ab/file")), (folder_mode, folder_mode, file_mode));
        let deeper = NewFilestore::create(&parent.path().join("data/filestore/staging"), &TaskTracker::new()).unwrap();
        for folder in deeper.root().ancestors().take(3) {
            assert_eq!(fs::metadata(folder).unwrap().mode() & 0o7777, folder_mode, "{}", folder.display());
        }
        let again = NewFilestore::create(target.root(), &TaskTracker::new()).unwrap_err();
        assert!(again.hint().unwrap().contains("another target"), "{again}");
    }
}

fn tar_of(name: &[u8], kind: tar::EntryType, link: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    if !link.is_empty() {
        header.set_link_name(link).unwrap();
    }
    header.set_size(0);
    header.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&header, io::empty()).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn hostile_archive_writes_nothing_outside() {
    use tar::EntryType;
    let parent = tempfile::tempdir().unwrap();
    let target = NewFilestore::create(&parent.path().join("staging"), &TaskTracker::new()).unwrap();
    for (name, kind, link) in [
        (&b"../escaped"[..], EntryType::Regular, ""),
        (b"/escaped", EntryType::Regular, ""),
        (b"a/../../escaped", EntryType::Regular, ""),
        (b"./../escaped", EntryType::Regular, ""),
        (b"link", EntryType::Symlink, "/etc"),
        (b"hard", EntryType::Link, "/etc/passwd"),
        (b"fifo", EntryType::Fifo, ""),
        (b"device", EntryType::Block, ""),
        (b"folder", EntryType::Directory, ""),
        (b"\xff\xfe", EntryType::Regular, ""),
    ] {
        let error =
            unpack(tar_of(name, kind, link).as_slice(), &target, &Task::default(), |_, _| Ok(true)).unwrap_err();
        let inner = error.get_ref().unwrap().downcast_ref::<FilestoreError>().unwrap();
        assert!(matches!(inner, FilestoreError::BadName { .. } | FilestoreError::BadArchive(_)), "{inner}");
    }
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(target.root()).unwrap().count(), 0);
}

#[test]
fn planted_file_link_is_not_followed() {
    let parent = tempfile::tempdir().unwrap();
    let target = NewFilestore::create(&parent.path().join("staging"), &TaskTracker::new()).unwrap();
    let outside = parent.path().join("outside");
    symlink(&outside, target.root().join("file")).unwrap();
    unpack(tar_of(b"file", tar::EntryType::Regular, "").as_slice(), &target, &Task::default(), |_, _| Ok(true))
        .unwrap_err();
    assert!(!outside.exists());
}

#[test]
fn planted_folder_link_is_not_followed() {
    let parent = tempfile::tempdir().unwrap();
    let target = NewFilestore::create(&parent.path().join("staging"), &TaskTracker::new()).unwrap();
    let outside = parent.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, target.root().join("zz")).unwrap();
    for name in [&b"zz/file"[..], b"zz/deeper/file"] {
        let tar = tar_of(name, tar::EntryType::Regular, "");
        unpack(tar.as_slice(), &target, &Task::default(), |_, _| Ok(true)).unwrap_err();
    }
    target.add_small("zz/small", b"x").unwrap_err();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn changed_large_file_keeps_volume_readable() {
    const SIZE: u64 = 16 * 1024 * 1024;
    for new_size in [SIZE - 1, SIZE + 1] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, random(SIZE)).unwrap();
        let batches = begun(folder.path()).unwrap();
        let first = batches.lock().unwrap().next_batch().unwrap().unwrap();
        let Encoded { mut body, outcome } = write_volume(
            first,
            batches.clone(),
            Limits::default(),
            (Level::default(), ListForm::FramesAndFiles),
            Task::default(),
        );
        let mut bytes = vec![0; 100];
        body.read_exact(&mut bytes).await.unwrap();
        // Much less than the file is in memory at once: the producer waits in the middle of it
        // until the rest is read.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(new_size).unwrap();
        body.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(outcome.get().unwrap().value.bytes, SIZE);
        let tar = zstd::decode_all(bytes.as_slice()).unwrap();
        read_files(tar.as_slice(), |_, _, content| io::copy(content, &mut io::sink()).map(drop)).unwrap();
        let ledger = std::mem::take(&mut batches.lock().unwrap().ledger);
        assert_eq!(ledger.settle().changed, ["file"]);
    }
}

#[tokio::test]
async fn replaced_file_is_noted_as_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "x").unwrap();
    let batches = begun(folder.path()).unwrap();
    let first = batches.lock().unwrap().next_batch().unwrap().unwrap();
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let volume = write_volume(
        first,
        batches.clone(),
        Limits::default(),
        (Level::default(), ListForm::FramesAndFiles),
        Task::default(),
    );
    let (_, written) = read(volume).await.unwrap();
    assert_eq!(written.files, 0);
    let ledger = std::mem::take(&mut batches.lock().unwrap().ledger);
    assert_eq!(ledger.settle().unreadable, ["file: it is no longer a plain file"]);
}

/// Returns bytes that do not compress.
fn random(length: u64) -> Vec<u8> {
    let mut state = 1_u64;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}
