//! The folder for the part of a dump that is not table data: pg_restore needs a file, and large
//! objects may be many.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::Error;
use crate::folder;
use crate::manifest::Manifest;
use crate::postgres::{Session, data_folder};
use crate::restore::record::names::Suffix;
use crate::restore::target::Target;

/// Beginning of its folder's name.
const PREFIX: &str = ".odoo-backup";

/// A private folder, not created yet.
#[derive(Debug, Clone)]
pub(in crate::restore) struct Scratch {
    pub(in crate::restore) folder: PathBuf,
}

impl Scratch {
    /// Chooses `$TMPDIR` or the future place of the target's files, whichever has more space after
    /// filestore and database have taken theirs.
    pub(in crate::restore) async fn choose(
        target: &Target,
        manifest: &Manifest,
        server: &Session,
        suffix: &Suffix,
    ) -> Result<Self, Error> {
        let above = roomiest(target, manifest, server).await?;
        Ok(Self { folder: above.join(format!("{PREFIX}{}", suffix.as_str())) })
    }

    pub(in crate::restore) fn create(&self) -> Result<(), Error> {
        let made = DirBuilder::new().mode(0o700).create(&self.folder);
        // As root: otherwise the next restore, as Odoo's user, could not remove what a kill left
        // there.
        let made = made.and_then(|()| folder::inherit_path(&self.folder));
        made.map_err(|source| Error::Io { action: format!("make the folder {}", self.folder.display()), source })
    }

    /// Creates a new, private file in it.
    pub(in crate::restore) fn file(&self, name: &str) -> Result<(PathBuf, File), Error> {
        let path = self.folder.join(name);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = made.map_err(|source| Error::Io { action: format!("make the file {}", path.display()), source })?;
        Ok((path, file))
    }

    /// Frees its space.
    pub(in crate::restore) fn remove(&self) -> Result<(), Error> {
        let removed = std::fs::remove_dir_all(&self.folder);
        removed.map_err(|source| Error::Io { action: format!("remove {}", self.folder.display()), source })
    }
}

/// Returns whether a path in a record is the scratch folder with that suffix, and this user's:
/// others can write to `$TMPDIR`.
pub(in crate::restore) fn is_own(path: &Path, suffix: &Suffix) -> bool {
    let named = path.file_name().is_some_and(|name| name == &*format!("{PREFIX}{}", suffix.as_str()));
    let metadata = path.symlink_metadata();
    let own = rustix::process::geteuid().as_raw();
    // Root gives it to the owner of the parent folder.
    let around = path.parent().and_then(|above| above.metadata().ok()).map(|above| above.uid());
    let is_ours = |user| user == own || own == 0 && Some(user) == around;
    named && metadata.is_ok_and(|found| found.is_dir() && is_ours(found.uid()))
}

/// Returns the folder with the most space.
async fn roomiest(target: &Target, manifest: &Manifest, server: &Session) -> Result<PathBuf, Error> {
    let temporary = std::env::temp_dir();
    let data = target.filestore.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(&temporary);
    let data_disk = Disk::of(data)?;
    let mut taken = vec![(data_disk.device, manifest.filestore.bytes)];
    // If the server's data folder is not visible here, it is assumed to be on another machine's
    // disk.
    if let Some(Ok(disk)) = data_folder(server).await?.map(|folder| Disk::of(&folder)) {
        taken.push((disk.device, manifest.server.database_size));
    }
    let (in_data, in_temporary) = (data_disk.left_after(&taken), Disk::of(&temporary)?.left_after(&taken));
    Ok(if in_data > in_temporary { data.to_owned() } else { temporary })
}
