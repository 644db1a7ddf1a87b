//! The parsers of data from outside, for `fuzz/` only: each takes any bytes, and must neither panic
//! nor use more memory than its bounds allow.

use std::path::Path;

use jiff::tz::TimeZone;

use crate::dump::{Continued, Lengths, VolumeSize, needs, read_index, read_map};
use crate::filestore::{Bounds, list_again, read_files, read_list};
use crate::manifest::{
    FilestoreFindings, FindingCounts, Manifest, manifest_digests, read_checksums, removed_paths, table_rows,
};
use crate::odoo::Attachment;
use crate::odoo::conf::OdooConf;
use crate::seal::{Identities, Recipients, open};
use crate::sign::{Claim, Namespace, Signers};
use crate::stream::records;

/// Parses a manifest, and computes everything that depends on an accepted one.
pub fn manifest(bytes: &[u8]) {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) else { return };
    if manifest.unreasonable().is_some() {
        return;
    }
    let _ = (manifest.stored_bytes(), manifest.names(), manifest.filestore.counts_of_findings().warnings());
    let Ok(written) = manifest.to_bytes() else { return };
    let sums = manifest.checksums(&written);
    assert_eq!(manifest_digests(sums.as_bytes()).len(), 1);
    assert!(!read_checksums(sums.as_bytes()).is_empty());
    assert_eq!(serde_json::from_slice::<Manifest>(&written).ok().as_ref(), Some(&manifest));
}

/// Parses the lists next to a dump and volumes; the first byte chooses which.
pub fn lists(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let bounds = Bounds { files: 1000, bytes: 1 << 20 };
    let read = match kind % 5 {
        0 => read_list(bytes, bounds).take_while(Result::is_ok).count(),
        1 => table_rows(bytes, 1000).take_while(Result::is_ok).count(),
        2 => removed_paths(bytes).take_while(Result::is_ok).count(),
        4 => {
            let counts = FindingCounts { missing: 3, unreadable: 2, unreferenced: 4, ..FindingCounts::default() };
            FilestoreFindings::read(bytes, counts).map_or(0, |read| read.missing.len() + read.unreadable.len())
        }
        _ => records(bytes, b'\n', 1000)
            .flatten()
            .filter_map(|line| serde_json::from_slice::<Attachment>(&line).ok())
            .count(),
    };
    assert!(read <= bytes.len());
}

/// Parses the map of a dump, or the index of a volume; the first byte chooses which.
pub fn dump_lists(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    // As in `found/`: a volume of two frames.
    let lengths = Lengths { plain: 100_000, stored: 30_000 };
    if kind % 2 == 0 {
        let volumes = [1, 3].map(|number| VolumeSize { number, bytes: lengths.plain });
        let Ok(segments) = read_map(bytes, &volumes, 150_000) else { return };
        assert_eq!(segments.iter().map(|segment| segment.length).sum::<u64>(), 150_000);
        assert!(needs(&segments, &volumes).iter().all(|needed| *needed <= lengths.plain));
        return;
    }
    if read_index(bytes, lengths).is_ok() {
        assert!(Continued::after(1).add(1, bytes, lengths).is_ok());
    }
}

/// Parses a volume's tar archive, plain and as it is stored.
pub fn tar(bytes: &[u8]) {
    let mut total = 0;
    let _ = read_files(bytes, |path, size, content| {
        assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."));
        let read = std::io::copy(content, &mut std::io::sink())?;
        assert!(read <= size);
        total += read;
        Ok(())
    });
    assert!(total <= bytes.len() as u64);
    let _ = list_again(bytes, Bounds { files: 1000, bytes: 1 << 24 });
}

/// Parses a dump in pg_dump's custom format, in pieces; the first byte sets their length.
pub fn archive(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    crate::postgres::fuzz_archive(bytes, usize::from(*piece) + 1);
}

/// Parses a plain dump, in pieces; the first byte sets their length.
pub fn splitter(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    crate::postgres::fuzz_script(bytes, usize::from(*piece) + 1);
}

/// Parses an odoo.conf.
pub fn odoo_conf(bytes: &[u8]) {
    let _ = OdooConf::parse(Path::new("/etc/odoo.conf"), bytes, None);
}

/// Parses a signers file, or the signature of a document; the first byte chooses which.
pub fn signatures(bytes: &[u8]) {
    const SIGNERS: &[u8] = include_bytes!("../../fuzz/found/signatures/signers");
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let claim = Claim { namespace: Namespace::Manifest, instance: "shop", at: None, bytes: b"manifest" };
    let signers = Signers::parse(if kind % 2 == 0 { bytes } else { &SIGNERS[1..] }, &TimeZone::UTC);
    let Ok(signers) = signers else { return };
    let verdict = signers.judge(&claim, Some(bytes));
    assert!(!verdict.to_string().contains('\u{1b}'));
}

/// Parses a sealed object, a list of recipients or an identity file; the first byte chooses which.
pub fn sealed(bytes: &[u8]) {
    // The key of the specification's own tests: 32 bytes of 0x42.
    const KEY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let path = Path::new("/root/recovery.key");
    if kind % 3 == 0 {
        let Ok(with) = Identities::parse(path, KEY) else { panic!("the key is one") };
        let Ok(content) = open(bytes, &with, 1 << 16) else { return };
        assert!(content.len() < bytes.len());
        return;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if kind % 3 == 1 {
        let Ok(recipients) = Recipients::parse(text.lines()) else { return };
        let again = Recipients::parse(recipients.iter().map(ToString::to_string));
        assert_eq!(again.ok().as_ref(), Some(&recipients));
        return;
    }
    let _ = Identities::parse(path, text);
}
