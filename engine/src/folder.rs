//! Extends the standard library for local folders. Opens them without following links of other
//! users. Makes changes durable on file systems that lack an operation. Gives new files the owner
//! of the folder around them.

mod atomic;
mod beneath;
mod mounts;
mod owner;
mod place;
mod tolerance;
mod trouble;

use std::fs::File;
use std::io;
use std::path::Path;

pub use atomic::{Durability, Taken, Unnamed, write_atomically, write_new};
pub use beneath::OpenFolder;
pub(crate) use beneath::{EntryKind, EntryStat};
pub(crate) use mounts::file_system_of;
pub(crate) use owner::inherit_path;
pub use owner::{home_of, user_name};
pub use owner::{inherit, make_all};
pub(crate) use owner::{is_root, make, owner_text};
pub use place::{Place, Relation};
pub(crate) use tolerance::{is_refused, is_unsupported, lacks, restrict, take_tolerated, tolerate};
pub(crate) use trouble::read_only;
pub use trouble::{denied, hint_of};

/// Flushes a folder's entries, such as new names, so that they survive a power loss.
///
/// # Errors
/// Those of the operating system. A file system without that operation is
/// [tolerated](take_tolerated).
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    let open = File::open(folder)?;
    flush(&open, folder)
}

/// Flushes a file's content, or a folder's entries, so that they survive a power loss.
///
/// # Errors
/// As `sync`
pub fn flush(file: &File, path: &Path) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if is_unsupported(&error) => {
            // If a single file cannot be flushed, this flushes the whole file system.
            if rustix::fs::syncfs(file).is_err() {
                tolerate(
                    path,
                    "cannot flush files and folders to the disk: a power loss may destroy what was just written",
                );
            }
            Ok(())
        }
        result => result,
    }
}
