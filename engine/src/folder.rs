//! What local folders need beyond the standard library.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes a folder's entries, new names above all, survive a loss of power.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems have no such operation and say it this way.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}
