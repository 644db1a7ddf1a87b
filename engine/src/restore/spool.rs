//! The folder that the uncompressed dump is written to, so that several jobs can read it at once.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::names::Suffix;
use crate::config::Target;
use crate::disk::Disk;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::postgres::{Session, data_folder};
use crate::store::Key;
use crate::stream::{Body, consume};

/// What its folder's name begins with.
const PREFIX: &str = ".odoo-backup";

/// Where a dump can be spooled.
#[derive(Debug, Clone)]
pub(super) struct Spool {
    /// A private folder, which is not made yet.
    pub(super) folder: PathBuf,
    /// Bytes that the dump may take there.
    pub(super) room: u64,
}

impl Spool {
    /// In `$TMPDIR`, or where the target's files are to be, whichever has more room once filestore and database have taken their own.
    pub(super) async fn choose(
        target: &Target,
        manifest: &Manifest,
        server: &Session,
        suffix: &Suffix,
    ) -> Result<Self, Error> {
        let (above, room) = roomiest(target, manifest, server).await?;
        Ok(Self { folder: above.join(format!("{PREFIX}{}", suffix.as_str())), room })
    }

    /// Bytes that a dump may take where it would be chosen to be.
    pub(super) async fn room(target: &Target, manifest: &Manifest, server: &Session) -> Result<u64, Error> {
        roomiest(target, manifest, server).await.map(|(_, room)| room)
    }

    pub(super) fn create(&self) -> Result<(), Error> {
        let made = DirBuilder::new().mode(0o700).create(&self.folder);
        made.map_err(|source| Error::Io { action: format!("make the folder {}", self.folder.display()), source })
    }

    /// Writes the archive to a file, of which nobody reads before its digests have agreed.
    pub(super) async fn fill(&self, key: &Key, archive: Body) -> Result<PathBuf, Error> {
        let path = self.folder.join("database.dump");
        let failed = |source| Error::Io { action: format!("spool {key} to {}", path.display()), source };
        // Made here and not by the thread, which could make it after the folder was cleared of all that was in it.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let copied = consume(archive, move |mut archive| {
            let mut file = std::io::BufWriter::with_capacity(1024 * 1024, file);
            std::io::copy(&mut archive, &mut file)?;
            std::io::Write::flush(&mut file)
        });
        copied.await.map_err(failed)?;
        Ok(path)
    }

    /// Frees its room.
    pub(super) fn remove(&self) -> Result<(), Error> {
        let removed = std::fs::remove_dir_all(&self.folder);
        removed.map_err(|source| Error::Io { action: format!("remove {}", self.folder.display()), source })
    }
}

/// Whether a path that a record names is a spool of that suffix, and this user's: others can write in `$TMPDIR`.
pub(super) fn is_own(path: &Path, suffix: &Suffix) -> bool {
    let named = path.file_name().is_some_and(|name| name == &*format!("{PREFIX}{}", suffix.as_str()));
    let metadata = path.symlink_metadata();
    named && metadata.is_ok_and(|found| found.is_dir() && found.uid() == rustix::process::geteuid().as_raw())
}

/// The folder with the most room, and its bytes.
async fn roomiest(target: &Target, manifest: &Manifest, server: &Session) -> Result<(PathBuf, u64), Error> {
    let temporary = std::env::temp_dir();
    let data = target.filestore.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(&temporary);
    let data_disk = Disk::of(data)?;
    let mut taken = vec![(data_disk.device, manifest.filestore.bytes)];
    // Where the server's data cannot be seen from here, they are not on a disk of this machine either, as far as anybody can say.
    if let Some(Ok(disk)) = data_folder(server).await?.map(|folder| Disk::of(&folder)) {
        taken.push((disk.device, manifest.server.database_size));
    }
    let (in_data, in_temporary) = (data_disk.left_after(&taken), Disk::of(&temporary)?.left_after(&taken));
    Ok(if in_data > in_temporary { (data.to_owned(), in_data) } else { (temporary, in_temporary) })
}
