use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use tempfile::TempDir;

use super::ImportError;
use super::zip::OdooZip;

/// An entry, and its metadata, correct or not.
#[derive(Debug, Clone)]
struct Entry {
    name: Vec<u8>,
    content: Vec<u8>,
    deflated: bool,
    method: Option<u16>,
    flags: u16,
    mode: u32,
    declared: Option<u32>,
    crc: Option<u32>,
    zip64: bool,
}

fn entry(name: impl AsRef<[u8]>, content: &[u8]) -> Entry {
    Entry {
        name: name.as_ref().to_vec(),
        content: content.to_vec(),
        deflated: true,
        method: None,
        flags: 0,
        mode: 0o100_644,
        declared: None,
        crc: None,
        zip64: false,
    }
}

/// Writes a zip in a new folder, byte by byte, because no library writes invalid ones. `at` changes
/// the places of the entries in the directory.
fn write(entries: &[Entry], at: impl Fn(u32) -> u32) -> (TempDir, PathBuf) {
    let mut zip = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let stored = match entry.deflated {
            true => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&entry.content).unwrap();
                encoder.finish().unwrap()
            }
            false => entry.content.clone(),
        };
        let mut crc = flate2::Crc::new();
        crc.update(&entry.content);
        let size = entry.declared.unwrap_or(u32::try_from(entry.content.len()).unwrap());
        let compressed = u32::try_from(stored.len()).unwrap();
        let offset = u32::try_from(zip.len()).unwrap();
        let mut common = Vec::new();
        let method = entry.method.unwrap_or(if entry.deflated { 8 } else { 0 });
        for short in [45, entry.flags, method, 0x6000, 0x5d75] {
            common.extend_from_slice(&short.to_le_bytes());
        }
        common.extend_from_slice(&entry.crc.unwrap_or(crc.sum()).to_le_bytes());
        let mut extra = Vec::new();
        let sizes = match entry.zip64 {
            true => {
                extra.extend_from_slice(&[1, 0, 16, 0]);
                extra.extend_from_slice(&u64::from(size).to_le_bytes());
                extra.extend_from_slice(&u64::from(compressed).to_le_bytes());
                [u32::MAX; 2]
            }
            false => [compressed, size],
        };
        sizes.iter().for_each(|size| common.extend_from_slice(&size.to_le_bytes()));
        for length in [entry.name.len(), extra.len()] {
            common.extend_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
        }
        zip.extend_from_slice(b"PK\x03\x04");
        zip.extend_from_slice(&common);
        zip.extend_from_slice(&entry.name);
        zip.extend_from_slice(&extra);
        zip.extend_from_slice(&stored);
        directory.extend_from_slice(b"PK\x01\x02\x2d\x03");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(entry.mode << 16).to_le_bytes());
        directory.extend_from_slice(&at(offset).to_le_bytes());
        directory.extend_from_slice(&entry.name);
        directory.extend_from_slice(&extra);
    }
    let (begin, length) = (u32::try_from(zip.len()).unwrap(), u32::try_from(directory.len()).unwrap());
    zip.extend_from_slice(&directory);
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        zip.extend_from_slice(&u16::try_from(entries.len()).unwrap().to_le_bytes());
    }
    zip.extend_from_slice(&length.to_le_bytes());
    zip.extend_from_slice(&begin.to_le_bytes());
    zip.extend_from_slice(&[0, 0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zip");
    fs::write(&path, zip).unwrap();
    (folder, path)
}

/// Reads all of a zip's files to the end. Returns them by name.
fn read(entries: &[Entry], at: impl Fn(u32) -> u32) -> io::Result<Vec<(String, Vec<u8>)>> {
    let (_folder, path) = write(entries, at);
    let zip = OdooZip::open(&path)?;
    let found = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let files = found.clone();
    zip.files(move |name, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        files.lock().unwrap().push((name.to_owned(), bytes));
        Ok(())
    })()?;
    let mut dump = Vec::new();
    zip.dump()(&mut dump)?;
    let mut found = std::mem::take(&mut *found.lock().unwrap());
    found.push(("dump.sql".to_owned(), dump));
    Ok(found)
}

fn usual() -> Vec<Entry> {
    vec![
        entry("dump.sql", &b"SELECT 1;\n".repeat(1000)),
        entry("manifest.json", br#"{"odoo_dump": "1", "db_name": "production", "version": "17.0"}"#),
        Entry { deflated: false, zip64: true, ..entry("filestore/ab/ab12", b"one") },
        Entry { mode: 0, ..entry("filestore/ab/", b"") },
        entry("filestore/checklist/ab/ab12", b""),
        entry("sessions/x", b"secret"),
    ]
}

#[test]
fn odoo_zip_is_read() {
    let files = read(&usual(), |at| at).unwrap();
    assert_eq!(files[0], ("filestore/ab/ab12"["filestore/".len()..].to_owned(), b"one".to_vec()));
    assert_eq!((files.len(), files[1].1.len()), (2, 10_000));
    let (_folder, path) = write(&usual(), |at| at);
    let zip = OdooZip::open(&path).unwrap();
    assert_eq!((zip.filestore(), zip.dump_bytes()), ((1, 3), 10_000));
    assert_eq!((zip.manifest.db_name.as_deref(), zip.manifest.version.as_deref()), (Some("production"), Some("17.0")));
    assert_eq!(zip.others, ["sessions/x"]);
    assert!(zip.made_at.unwrap().to_string().starts_with("2026-11-2"), "{:?}", zip.made_at);
}

#[track_caller]
fn assert_refused(extra: Entry, reason: &str) {
    let result = read(&[usual(), vec![extra.clone()]].concat(), |at| at);
    let error = result.expect_err(reason).to_string();
    assert!(error.contains("is not an Odoo backup") && error.contains(reason), "{extra:?}: {error}");
}

#[test]
fn zip_with_foreign_entry_is_refused() {
    for name in ["../x", "/etc/passwd", "filestore/../../x", "filestore/./x", "filestore//x", "filestore/a\0b", ""] {
        assert_refused(entry(name, b"x"), "leads out of the folder");
    }
    assert_refused(entry(b"filestore/\xff\xfe", b"x"), "leads out of the folder");
    assert_refused(entry("filestore/ab/ab12", b"again"), "twice");
    assert_refused(entry("filestore/AB/ab12", b"in another case"), "twice");
    assert_refused(entry("DUMP.SQL", b"SELECT 2;"), "twice");
    for mode in [0o120_777, 0o020_600, 0o010_600, 0o040_755] {
        assert_refused(Entry { mode, ..entry("filestore/ab/x", b"/etc/passwd") }, "is not a plain file");
    }
    for flags in [1, 1 | 1 << 6] {
        assert_refused(Entry { flags, ..entry("filestore/ab/x", b"x") }, "is encrypted");
    }
    assert_refused(Entry { method: Some(12), ..entry("filestore/ab/x", b"x") }, "compressed in a way");
}

#[test]
fn zip_with_undeclared_content_is_refused() {
    // The output has the declared length and content.
    for (declared, deflated) in [(1, true), (1, false), (100, true), (100, false)] {
        assert_refused(Entry { declared: Some(declared), deflated, ..entry("filestore/ab/x", b"0123456789") }, "");
    }
    assert_refused(Entry { crc: Some(7), ..entry("filestore/ab/x", b"0123456789") }, "");
    let zeros = vec![0; 1 << 20];
    assert_refused(Entry { declared: Some(5), ..entry("filestore/ab/bomb", &zeros) }, "");
    let garbage = Entry { deflated: false, method: Some(8), ..entry("filestore/ab/x", &[0xff; 100]) };
    assert_refused(garbage, "");

    // Many entries of the same bytes.
    let content: Vec<u8> = (0..5000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let one = entry("filestore/ab/0", &content);
    let many: Vec<_> = (0..20).map(|i| Entry { name: format!("filestore/ab/{i}").into(), ..one.clone() }).collect();
    let (_folder, path) = write(&[usual(), many].concat(), |at| at);
    // Only one of the entries is kept, and all have its place in the directory.
    let bytes = fs::read(&path).unwrap();
    let first = bytes.windows(14).position(|window| window == b"filestore/ab/0").unwrap() - 30;
    let end = bytes.windows(14).position(|window| window == b"filestore/ab/1").unwrap() - 30;
    let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let mut small = [&bytes[..end], &bytes[directory..]].concat();
    let moved = directory - end;
    let tail = small.len() - 6;
    small[tail..tail + 4].copy_from_slice(&u32::try_from(directory - moved).unwrap().to_le_bytes());
    let mut from = end;
    while let Some(at) = small[from..].windows(4).position(|window| window == b"PK\x01\x02") {
        let offset = from + at + 42;
        let said = u32::from_le_bytes(small[offset..offset + 4].try_into().unwrap());
        if said as usize >= first {
            small[offset..offset + 4].copy_from_slice(&u32::try_from(first).unwrap().to_le_bytes());
        }
        from += at + 4;
    }
    fs::write(&path, small).unwrap();
    assert!(OdooZip::open(&path).unwrap_err().to_string().contains("overlap"));
}

#[test]
fn truncated_or_other_file_is_refused() {
    let error = read(&usual()[1..], |at| at).unwrap_err().to_string();
    assert!(error.contains("contains no dump.sql"), "{error}");
    // The directory leads elsewhere.
    assert!(read(&usual(), |at| at + 3).is_err());
    let (_folder, path) = write(&usual(), |at| at);
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(11) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(OdooZip::open(&path).is_err(), "{length}");
    }
}

#[test]
fn foreign_zip_names_its_dump() {
    let entries = [entry("db.dump", b"PGDMP"), entry("filestore/ab/abcd", b"x")];
    let error = read(&entries, |offset| offset).unwrap_err();
    let explanation = crate::error::explain(&error);
    assert!(
        explanation.message.ends_with("is not an Odoo backup: it contains db.dump instead of dump.sql"),
        "{explanation}"
    );
    assert!(explanation.hint.unwrap().contains("import db.dump"));
}

#[test]
fn folder_names_its_importable_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("db.dump"), "PGDMP").unwrap();
    let error = ImportError::of_folder(folder.path().to_owned());
    assert!(error.to_string().ends_with("is a folder, not a zip or a pg_dump archive"));
    assert!(error.hint().unwrap().starts_with(&format!("import {}", folder.path().join("db.dump").display())));
    let other = tempfile::tempdir().unwrap();
    assert!(ImportError::of_folder(other.path().to_owned()).hint().unwrap().starts_with("give the file itself"));
}
