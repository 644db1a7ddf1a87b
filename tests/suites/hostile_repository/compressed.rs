//! Tests lists and dumps: they are compressed, and may decompress to any size.

use engine::stream::Fingerprint;

use super::forge::{Forge, GIB, claimed, compressed, compressed_often};

const READ: &[&str] = &["check", "--read-data"];
const NOW: &[&str] = &["now"];
const SHOW: &[&str] = &["show", "latest"];
const RESTORE: &[&str] = &["restore", "--to", "staging"];
const REPAIR: &[&str] = &["repair", "--dry-run"];
const FILES: &[&str] = &["files", "latest"];
const FETCH: &[&str] = &["fetch", "latest", "ab/abcdef", "-"];
const EXPORT: &[&str] = &["export", "latest", "-"];
const REPACK: &[&str] = &["prune", "--repack", "--dry-run"];

/// Where a manifest names compressed objects, and the commands that read them. The first command
/// must fail.
const OBJECTS: [(&str, &[&[&str]]); 8] = [
    ("/filestore/volumes/0/list", &[READ, NOW, FETCH, RESTORE, EXPORT, REPAIR, REPACK]),
    ("/filestore/volumes/0/object", &[READ, RESTORE, EXPORT, REPAIR]),
    ("/attachments/list", &[READ, FILES]),
    ("/database/rows/list", &[READ, RESTORE]),
    ("/filestore/found/list", &[READ, SHOW, RESTORE, NOW]),
    ("/database/volumes/0/object", &[READ, RESTORE, EXPORT]),
    ("/database/volumes/0/index", &[READ, NOW, RESTORE, EXPORT]),
    ("/database/map", &[READ, NOW, RESTORE, EXPORT]),
];

async fn every_object(name: &str, stored: &[u8], plain: Fingerprint) {
    let forge = Forge::start().await;
    for (pointer, commands) in OBJECTS {
        // A volume may have any size, and reading it may take any time.
        if pointer == "/database/volumes/0/object" && plain.size > GIB {
            continue;
        }
        forge.renew();
        forge.put_object(pointer, stored, plain);
        forge.try_case(&format!("{pointer} is {name}"), "", commands).await;
        let checked = forge.run(name, READ).await;
        // A check compares digests, which may be right. It needs only the lines of a volume's list
        // itself.
        let only_compared = ["/attachments/list", "/database/rows/list", "/filestore/found/list"];
        let unread = checked.code == Some(0) && only_compared.contains(&pointer);
        assert!(unread || checked.code == Some(13), "{pointer} is {name}: {}{}", checked.stdout, checked.stderr);
    }
}

#[tokio::test]
async fn sixteen_gigabytes_of_zeros_fail() {
    let (stored, plain) = compressed_often(&vec![0; 8 << 20], 2048).await;
    every_object("16 GiB of zeros", &stored, plain).await;
}

#[tokio::test]
async fn zeros_within_size_limit_fail() {
    let (stored, plain) = compressed_often(&vec![0; 8 << 20], 30).await;
    every_object("240 MiB of zeros", &stored, plain).await;
}

#[tokio::test]
async fn content_beyond_stated_size_fails() {
    let (stored, _) = compressed_often(&vec![b'a'; 8 << 20], 2048).await;
    every_object("more than stated", &stored, claimed(10)).await;
}

#[tokio::test]
async fn endless_lines_fail() {
    let lines = "{\"a\":0}\n".repeat(1 << 20);
    for times in [1024, 24] {
        let (stored, plain) = compressed_often(lines.as_bytes(), times).await;
        every_object("endless lines", &stored, plain).await;
    }
}

#[tokio::test]
async fn uncompressed_content_fails() {
    for bytes in [&b""[..], b"no zstd", &[0x28, 0xb5, 0x2f, 0xfd], &[0x28, 0xb5, 0x2f, 0xfd, 0x64, 0xff, 0xff, 0xff]] {
        every_object("no zstd", bytes, claimed(100)).await;
    }
}

#[tokio::test]
async fn deeply_nested_json_fails() {
    let plain = "[".repeat(1_000_000);
    let stored = compressed(plain.as_bytes()).await;
    every_object("deep JSON", &stored, Fingerprint::of(plain.as_bytes())).await;
}

#[tokio::test]
async fn endless_archive_contents_fail() {
    // The head of a dump that announces two thousand million entries, followed by empty entries.
    let mut head = b"PGDMP\x01\x0e\x00\x04\x08\x01".to_vec();
    let integer = |value: u32| [&[0][..], &value.to_le_bytes()].concat();
    let none = [&[1][..], &1_u32.to_le_bytes()].concat();
    head.extend(integer(0).repeat(8));
    head.extend(none.repeat(3));
    head.extend(integer(0x7fff_ffff));
    let text = |text: &str| [integer(text.len() as u32), text.as_bytes().to_vec()].concat();
    let entry = [
        integer(7),
        integer(0),
        none.repeat(2),
        text("tag"),
        text("COMMENT"),
        integer(2),
        none.repeat(8),
        none.clone(),
        vec![0; 9],
    ]
    .concat();
    let entries = entry.repeat((8 << 20) / entry.len());
    let volume = [head.as_slice(), &entries].concat();
    let forge = Forge::start().await;
    forge.renew();
    // The map needs the entries of its volume again and again.
    let segments = [(0, head.len())].into_iter().chain(std::iter::repeat_n((head.len(), entries.len()), 512));
    forge.put_dump(&volume, segments).await;
    forge.try_case("a table of contents of 4 GiB", "", &[READ, RESTORE, EXPORT]).await;
}
