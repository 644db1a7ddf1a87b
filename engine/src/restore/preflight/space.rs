//! Tells whether there is enough space.

use std::path::Path;

use super::Preflight;
use crate::disk::Disk;
use crate::error::Error;
use crate::error::Obstacle;
use crate::manifest::Manifest;
use crate::postgres::{Session, data_folder};
use crate::restore::Target;
use crate::text::size;

const FREE: &str =
    "free some space; the previous states that restores kept for undo are folders and databases named …_before_…";

pub(in crate::restore) async fn look(
    manifest: &Manifest,
    target: &Target,
    server: &Session,
    found: &mut Preflight,
) -> Result<(), Error> {
    let files = &manifest.filestore;
    let above = target.filestore.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let disk = Disk::of(above)?;
    let mut refuse = |message: String| found.obstacles.push(Obstacle::new("space", message, FREE));
    if files.bytes > disk.free {
        let (needed, free) = (size(files.bytes), size(disk.free));
        refuse(format!("the filestore needs {needed}, and {free} are free in {}", above.display()));
    }
    if disk.free_files.is_some_and(|free| files.files > free) {
        refuse(format!("the filestore has {} files, and {} has too few free inodes", files.files, above.display()));
    }
    let Some(data) = data_folder(server).await? else { return Ok(()) };
    let Ok(data_disk) = Disk::of(&data) else { return Ok(()) };
    let free = data_disk.left_after(&[(disk.device, files.bytes)]);
    let needed = manifest.server.database_size;
    let message = format!(
        "the database took {} at its source, and {} are free for it in {}",
        size(needed),
        size(free),
        data.display()
    );
    // A new copy is smaller than its original, which contains deleted rows and half-empty pages;
    // seldom by half.
    if free < needed / 2 {
        refuse(message);
    } else if free < needed {
        found.warnings.push(Obstacle::new("space", message, FREE));
    }
    Ok(())
}
