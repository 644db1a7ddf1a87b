//! Reads what is mounted where from `/proc/self/mountinfo`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A line of mountinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The device numbers of the file system: `8:1`.
    pub(super) device: String,
    /// The folder of the file system that is mounted.
    pub(super) root: PathBuf,
    /// Where it is mounted.
    pub(super) at: PathBuf,
    /// `ext4`, `fuse.sshfs`
    pub(super) kind: String,
}

/// Returns all mounts of this process in the order of their creation. Returns none if they cannot
/// be read.
pub(super) fn mounts() -> Vec<Mount> {
    let text = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    text.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

/// Returns the mount that contains the path, which must have no links.
pub(super) fn mount_of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    // Of several mounts at one place, the last one hides the others.
    let holds = mounts.iter().filter(|mount| path.starts_with(&mount.at));
    holds.max_by_key(|mount| mount.at.components().count())
}

/// Returns the name of the file system that contains a path: `ext4`, `vfat`, `fuse.sshfs`.
pub(crate) fn file_system_of(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    mount_of(&mounts(), &real).map(|mount| mount.kind.clone())
}

fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = String::from_utf8(fields.nth(2)?.to_vec()).ok()?;
    let (root, at) = (unescaped(fields.next()?), unescaped(fields.next()?));
    // There may be any number of optional fields before a hyphen.
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount { device, root, at, kind: String::from_utf8_lossy(kind).into_owned() })
}

/// Decodes a path in which spaces, tabs, line ends and backslashes are octal numbers.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, tail)) = rest.split_first() {
        let octal =
            tail.get(..3).filter(|digits| *byte == b'\\' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
        match octal {
            Some(digits) => {
                let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                bytes.push(value.to_le_bytes()[0]);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    debug_assert!(std::ffi::OsStr::from_bytes(&bytes).len() <= field.len());
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_parsed() {
        let line = br"36 35 98:0 /mnt1 /mnt/a\040b rw,noatime master:1 - fuse.sshfs host: rw,errors=continue";
        let expected =
            Mount { device: "98:0".into(), root: "/mnt1".into(), at: "/mnt/a b".into(), kind: "fuse.sshfs".into() };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"36 35 98:0 /a /b rw -"), None);
    }

    #[test]
    fn deepest_mount_holds_path() {
        let mount =
            |at: &str, kind: &str| Mount { device: "0:1".into(), root: "/".into(), at: at.into(), kind: kind.into() };
        let mounts = [mount("/", "ext4"), mount("/srv", "xfs"), mount("/srv", "nfs"), mount("/srv2", "vfat")];
        let kind = |path: &str| mount_of(&mounts, Path::new(path)).unwrap().kind.clone();
        assert_eq!((kind("/srv/a"), kind("/srv2/a"), kind("/home")), ("nfs".into(), "vfat".into(), "ext4".into()));
    }
}
