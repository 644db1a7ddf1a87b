//! Tests volumes and their lists that are valid except for one detail.

use engine::stream::Fingerprint;
use serde_json::json;

use super::forge::{Forge, GIB, claimed, compressed, compressed_often, line, tar_file, tar_header};

const READ: &[&str] = &["check", "--read-data"];
const NOW: &[&str] = &["now"];
const RESTORE: &[&str] = &["restore", "--to", "staging"];
const REPAIR: &[&str] = &["repair", "--dry-run"];
const EXPORT: &[&str] = &["export", "latest", "-"];
const ALL: &[&[&str]] = &[READ, RESTORE, EXPORT, REPAIR, NOW];

/// The forged parts of a volume and its list.
struct Volume {
    archive: Vec<u8>,
    list: String,
    files: u64,
    bytes: u64,
}

impl Volume {
    /// Returns a volume with a file of one byte under this name.
    fn of(name: &str) -> Self {
        let end = vec![0; 1024];
        Self { archive: [tar_file(name, b"x"), end].concat(), list: line(name, b"x"), files: 1, bytes: 1 }
    }
}

impl Forge {
    /// Makes this volume the only one of the backup.
    async fn put_volume(&self, volume: &Volume) {
        let plain = Fingerprint::of(&volume.archive);
        self.put_stored_volume(volume, &compressed(&volume.archive).await, plain).await;
    }

    async fn put_stored_volume(&self, volume: &Volume, stored: &[u8], plain: Fingerprint) {
        self.renew();
        self.put_object("/filestore/volumes/0/object", stored, plain);
        let list = Fingerprint::of(volume.list.as_bytes());
        self.put_object("/filestore/volumes/0/list", &compressed(volume.list.as_bytes()).await, list);
        self.change(|manifest| {
            let filestore = &mut manifest["filestore"];
            filestore["volumes"].as_array_mut().unwrap().truncate(1);
            filestore["volumes"][0]["files"] = json!(volume.files);
            filestore["volumes"][0]["bytes"] = json!(volume.bytes);
            filestore["files"] = json!(volume.files);
            filestore["bytes"] = json!(volume.bytes);
            filestore["new_files"] = json!(volume.files);
            filestore["new_bytes"] = json!(volume.bytes);
        });
    }
}

#[tokio::test]
async fn escaping_names_are_damage() {
    let forge = Forge::start().await;
    let absolute = forge.project.path("escaped").display().to_string();
    for name in ["../escaped", "a/../../escaped", absolute.as_str(), "..", "./../escaped"] {
        forge.put_volume(&Volume::of(name)).await;
        forge.try_case(&format!("a file {name:?}"), "DAMAGED", ALL).await;
    }
}

#[tokio::test]
async fn long_and_deep_names_fail() {
    let forge = Forge::start().await;
    let end = vec![0; 1024];
    for name in ["x".repeat(5000), "d/".repeat(2100) + "x", "d/".repeat(1000) + "x"] {
        let long = [name.as_bytes(), b"\0"].concat();
        let mut archive = tar_header(b'L', "././@LongLink", long.len() as u64);
        archive.extend(&long);
        archive.resize(archive.len().next_multiple_of(512), 0);
        archive.extend(tar_file("short", b"x"));
        archive.extend(&end);
        let volume = Volume { archive, ..Volume::of("x") };
        forge.put_volume(&Volume { list: line(&name, b"x"), ..volume }).await;
        forge.try_case(&format!("a name of {} bytes", name.len()), "", ALL).await;
    }
}

#[tokio::test]
async fn huge_name_is_damage() {
    let forge = Forge::start().await;
    for kind in [b'L', b'K', b'x', b'g'] {
        let size = 8 * GIB;
        let (name, _) = compressed_often(&vec![b'a'; 8 << 20], 1024).await;
        let file = [tar_file("file", b"x"), vec![0; 1024]].concat();
        let stored =
            [compressed(&tar_header(kind, "././@LongLink", size)).await, name, compressed(&file).await].concat();
        let volume = Volume { bytes: 1, ..Volume::of("file") };
        // As large as the manifest may claim for one file.
        forge.put_stored_volume(&volume, &stored, claimed(512 + size + file.len() as u64)).await;
        forge.try_case(&format!("an extension {:?} of 8 GiB", char::from(kind)), "DAMAGED", ALL).await;
        // And with consistent figures in the manifest.
        let volume = Volume { bytes: size, ..Volume::of("file") };
        forge.put_stored_volume(&volume, &stored, claimed(512 + size + file.len() as u64)).await;
        forge.try_case(&format!("an extension {:?} of 8 GiB, as stated", char::from(kind)), "DAMAGED", ALL).await;
    }
}

#[tokio::test]
async fn oversized_member_does_not_fill_disk() {
    let forge = Forge::start().await;
    let (content, _) = compressed_often(&vec![0; 8 << 20], 384).await;
    let size = 3 * GIB;
    let stored = [compressed(&tar_header(b'0', "file", size)).await, content, compressed(&[0; 1024]).await].concat();
    let volume = Volume::of("file");
    // The size of the whole archive as the manifest may claim it for a file of one byte, and the
    // real size.
    for (plain, bytes) in [(10_000, 1), (512 + size + 1024, size)] {
        forge.put_stored_volume(&Volume { bytes, ..Volume::of("file") }, &stored, claimed(plain)).await;
        forge.change(|manifest| manifest["filestore"]["bytes"] = json!(1));
        if bytes == 1 {
            forge.try_case("3 GiB where a byte is stated", "DAMAGED", &[READ]).await;
        }
        let before = free(&forge);
        let mut least = before;
        let restore = forge.program.spawn(RESTORE.iter().copied());
        let mut ended = tokio::spawn(restore.wait());
        let run = loop {
            tokio::select! {
                run = &mut ended => break run.unwrap(),
                () = tokio::time::sleep(std::time::Duration::from_millis(5)) => least = least.min(free(&forge)),
            }
        };
        assert!(run.code.is_some_and(|code| code != 0 && code != 101), "{:?}: {}", run.code, run.stderr);
        assert!(before - least < GIB, "it wrote {} bytes", before - least);
        let exported = forge.run("an export of it", EXPORT).await;
        assert!(exported.code != Some(0) && exported.stdout.len() < 1 << 29, "{}", exported.stderr);
    }
    assert_eq!(volume.bytes, 1);
}

/// Returns the free bytes on the disk that the filestore is restored to.
fn free(forge: &Forge) -> u64 {
    let found = rustix::fs::statvfs(forge.project.data_dir()).unwrap();
    found.f_bavail * found.f_frsize
}

#[tokio::test]
async fn special_members_are_damage() {
    let forge = Forge::start().await;
    for kind in [b'1', b'2', b'3', b'4', b'5', b'6', b'S', b'V', 0xff] {
        let archive = [tar_header(kind, "file", 0), vec![0; 1024]].concat();
        let volume = Volume { archive, list: line("file", b""), files: 1, bytes: 0 };
        forge.put_volume(&volume).await;
        forge.try_case(&format!("an entry of type {kind}"), "DAMAGED", ALL).await;
    }
}

#[tokio::test]
async fn contradicting_lists_are_damage() {
    let forge = Forge::start().await;
    let end = vec![0; 1024];
    let one = tar_file("file", b"x");
    let twice = Volume {
        archive: [one.clone(), one.clone(), end.clone()].concat(),
        list: line("file", b"x").repeat(2),
        files: 2,
        bytes: 2,
    };
    let more_listed = Volume { list: line("file", b"x").repeat(100_000), ..Volume::of("file") };
    let another_size = Volume { list: line("file", b"longer than it is"), bytes: 17, ..Volume::of("file") };
    let unlisted = Volume { archive: [one, tar_file("other", b"x"), end].concat(), ..Volume::of("file") };
    let text = line("file", b"x").replace("\"frame\":0", &format!("\"frame\":{}", u64::MAX));
    let place = Volume { list: text, ..Volume::of("file") };
    for (name, volume) in [
        ("twice a file", twice),
        ("one file, listed often", more_listed),
        ("another size", another_size),
        ("a file that is not listed", unlisted),
        ("a frame at the end of all numbers", place),
    ] {
        forge.put_volume(&volume).await;
        forge.try_case(name, "DAMAGED", ALL).await;
        forge.run(name, &["fetch", "latest", "file", "-"]).await;
    }
}

#[tokio::test]
async fn endless_removed_paths_fail() {
    let forge = Forge::start().await;
    let short = "a\0".repeat(4 << 20);
    for (name, frame, times) in [
        ("one path beyond all bounds", vec![b'a'; 8 << 20], 2048),
        ("one path", vec![b'a'; 8 << 20], 32),
        ("short paths", short.into_bytes(), 16),
    ] {
        let (stored, plain) = compressed_often(&frame, times).await;
        forge.renew();
        let key = forge.key("filestore-removed.zst");
        forge.put(&key, &stored);
        let object = json!({"key": key, "plain": plain, "stored": Fingerprint::of(&stored)});
        forge.change(|manifest| manifest["filestore"]["removed"] = object);
        forge.try_case(&format!("{name} removed without end"), "", &[READ, RESTORE, EXPORT, NOW]).await;
        let fetched = forge.run(name, &["fetch", "latest", "ab/abcdef", "-"]).await;
        assert!(fetched.code != Some(0));
    }
}
