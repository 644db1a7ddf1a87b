//! Writes and reads `SHA256SUMS` of a backup, which also confirms its manifest.

use std::collections::BTreeMap;

use super::{MANIFEST, Manifest};
use crate::stream::Digest;

/// Returns `SHA256SUMS` of a backup: every object in its folder, for `sha256sum --check` and to
/// notice a damaged manifest.
fn write_checksums<'a>(objects: impl Iterator<Item = (&'a str, Digest)>) -> String {
    let lines: BTreeMap<_, _> = objects.collect();
    lines.iter().map(|(name, digest)| line(name, *digest)).collect()
}

fn line(name: &str, digest: Digest) -> String {
    format!("{digest}  {name}\n")
}

impl Manifest {
    /// Returns `SHA256SUMS` for this manifest, of which `bytes` are stored.
    pub fn checksums(&self, bytes: &[u8]) -> String {
        let folder = self.backup().folder();
        let own = self.objects().filter(|object| object.key.is_under(&folder));
        let digests = own.map(|object| (object.key.name(), object.stored.sha256));
        write_checksums(digests.chain([(MANIFEST, Digest::of(bytes))]))
    }
}

/// Returns `SHA256SUMS` with every line of both, while the manifest of a backup may be either of
/// two.
///
/// The manifest has two lines, and that of `former` comes second: a reader that expects one line
/// uses the last.
pub(crate) fn write_both_checksums(former: &str, next: &str) -> String {
    let new = next.lines().filter(|line| !former.lines().any(|same| same == *line));
    let mut lines: Vec<&str> = new.chain(former.lines()).collect();
    // The sort is stable: of two lines with one name, the former stays second.
    lines.sort_by_key(|line| line.split_once("  ").map(|(_, name)| name));
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

/// Reads what [`Manifest::checksums`] wrote. Skips malformed lines, so that their objects count as
/// missing.
pub(crate) fn read_checksums(bytes: &[u8]) -> BTreeMap<String, Digest> {
    lines(bytes).collect()
}

/// Returns the digests that a manifest may have. There are two while it is being changed.
pub(crate) fn manifest_digests(bytes: &[u8]) -> Vec<Digest> {
    lines(bytes).filter(|(name, _)| name == MANIFEST).map(|(_, digest)| digest).collect()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = (String, Digest)> {
    let lines = bytes.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
    lines.filter_map(|line| {
        let (digest, name) = line.split_once("  ")?;
        Some((name.to_owned(), digest.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_sha256sum_format() {
        let digest = Digest::of(b"abc");
        let text = write_checksums([("manifest.json", digest), ("database.dump.zst", Digest::of(b""))].into_iter());
        assert_eq!(
            text,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  database.dump.zst\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  manifest.json\n"
        );
        let read = read_checksums(text.as_bytes());
        assert_eq!((read.len(), read.get("manifest.json")), (2, Some(&digest)));
        assert!(read_checksums(b"\xff\n  \nzz  manifest.json\n").is_empty());
    }

    #[test]
    fn both_checksums_keep_former_last() {
        let [dump, old, new] = [&b"dump"[..], b"old", b"new"].map(Digest::of);
        let former = write_checksums([("a.zst", dump), ("b.zst", old), (MANIFEST, old)].into_iter());
        let next = write_checksums([("a.zst", dump), ("c.zst", new), (MANIFEST, new)].into_iter());
        let both = write_both_checksums(&former, &next);
        let names: Vec<&str> = both.lines().map(|line| line.split_once("  ").unwrap().1).collect();
        assert_eq!(names, ["a.zst", "b.zst", "c.zst", MANIFEST, MANIFEST]);
        assert_eq!(manifest_digests(both.as_bytes()), [new, old]);
        assert_eq!(read_checksums(both.as_bytes())[MANIFEST], old);
    }
}
