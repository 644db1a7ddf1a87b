//! Reads the file system's clock, which may be a server's instead of this machine's.

use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};

/// Returns the time of a file without a name, created in `root` for that. Returns `None` if the
/// file system has no such files, or if this user may not write there.
pub(super) fn clock(root: &Path) -> Option<Timestamp> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(CWD, root, flags, Mode::RUSR | Mode::WUSR).ok()?;
    let status = fstat(&file).ok()?;
    let nanoseconds = i32::try_from(status.st_mtime_nsec).ok()?;
    Timestamp::new(status.st_mtime, nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_leaves_no_file_in_folder() {
        let folder = tempfile::tempdir().unwrap();
        if let Some(shown) = clock(folder.path()) {
            assert!(Timestamp::now().duration_since(shown).abs().as_secs() < 5, "{shown}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(clock(&folder.path().join("missing")), None);
    }
}
