//! The free space of the file system that a folder is on, or will be on.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::Error;

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Identifies it.
    pub(crate) device: u64,
    /// Bytes free for this process.
    pub(crate) free: u64,
    /// Files that can still be created; `None` where it has no such limit.
    pub(crate) free_files: Option<u64>,
}

impl Disk {
    /// Returns the file system of the folder, which must exist.
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Io { action: format!("look for free space in {}", folder.display()), source };
        let device = folder.metadata().map_err(failed)?.dev();
        let stat = rustix::fs::statvfs(folder).map_err(|error| failed(error.into()))?;
        let free_files = (stat.f_files > 0).then_some(stat.f_favail);
        Ok(Self { device, free: stat.f_bavail.saturating_mul(stat.f_frsize), free_files })
    }

    /// Returns the bytes left after these were taken from these devices.
    pub(crate) fn left_after(&self, taken: &[(u64, u64)]) -> u64 {
        let taken = taken.iter().filter(|(device, _)| *device == self.device);
        taken.fold(self.free, |left, (_, bytes)| left.saturating_sub(*bytes))
    }
}
