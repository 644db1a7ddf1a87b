//! Presents the filestore of a backup, which is spread over several volumes, as one.

use std::io;

use crate::error::Error;
use crate::filestore::{Allowance, FileName, FileNames, FilestoreError, ListLine, read_lines, reserve};
use crate::manifest::{Manifest, StoredObject, removed_paths};
use crate::repository::Repository;
use crate::stream::{FramePart, Malformed};

/// Where each path is read from: the latest volume that contains it, unless it was removed since.
#[derive(Debug)]
pub(crate) struct BackupFiles {
    files: FileNames<Option<Located>>,
    /// The zstd frames of each volume, if its list has them.
    frames: Vec<Vec<FramePart>>,
}

/// Where a file's content is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located {
    /// The volume's index in the manifest.
    pub(crate) volume: u32,
    /// Length in bytes.
    pub(crate) size: u64,
}

impl BackupFiles {
    /// Reads the lists of all volumes and that of the removed paths.
    ///
    /// # Errors
    /// Those of [`Repository::read`]; [`Error::Differs`] where they add up to another filestore
    /// than the manifest's.
    pub(crate) async fn of(repository: &Repository, manifest: &Manifest) -> Result<Self, Error> {
        let content = &manifest.filestore;
        let (mut entries, mut frames) = (Vec::new(), Vec::new());
        let mut allowance = Allowance::default();
        for (volume, index) in content.volumes.iter().zip(0..) {
            let bounds = volume.bounds();
            let stored = volume.object.stored.size;
            let files = repository.read_cached(&volume.list, move |list| {
                reserve(&mut entries, bounds.files)?;
                let mut parts = Vec::new();
                for line in read_lines(list, bounds) {
                    let file = match line? {
                        ListLine::File(file) => file,
                        ListLine::Part(part) => {
                            parts.push(part);
                            continue;
                        }
                    };
                    let name = FileName::new(&file.path);
                    allowance.take(&name)?;
                    entries.push((name, Some(Located { volume: index, size: file.size })));
                }
                let length: u64 = parts.iter().map(|part: &FramePart| part.length).sum();
                if !parts.is_empty() && length != stored {
                    return Err(Malformed("its zstd frames do not add up to the volume".to_owned()).into());
                }
                Ok((entries, allowance, parts))
            });
            let parts;
            (entries, allowance, parts) = files.await?;
            frames.push(parts);
        }
        if let Some(removed) = &content.removed {
            entries = with_removed(repository, removed, entries, allowance).await?;
        }
        let action = || "merge the lists of the volumes".to_owned();
        let files = FileNames::of_entries(entries).map_err(|source| Error::Io { action: action(), source })?;
        let merged = Self { files, frames };
        // Checked before anything is written: the lists determine the result.
        let (files, bytes) = merged.files().fold((0, 0), |(files, bytes), (_, file)| (files + 1, bytes + file.size));
        for (what, expected, found) in [("files", content.files, files), ("bytes", content.bytes, bytes)] {
            if expected != found {
                return Err(Error::Differs { what: format!("{what} in the filestore"), expected, found });
            }
        }
        Ok(merged)
    }

    /// Returns whether `path` is read from the volume with this index in the manifest, which has
    /// `size` bytes of it.
    ///
    /// # Errors
    /// [`FilestoreError::BadArchive`] where the length differs from the list's.
    pub(crate) fn takes(&self, path: &str, volume: u32, size: u64) -> io::Result<bool> {
        match self.get(&FileName::new(path)) {
            Some(file) if file.volume == volume && file.size != size => {
                let reason = format!("{path:?} has {size} bytes, but {} in its list", file.size);
                Err(FilestoreError::BadArchive(reason).into())
            }
            file => Ok(file.is_some_and(|file| file.volume == volume)),
        }
    }

    /// Returns the zstd frames of the volume with this index in the manifest, in which it is to be
    /// read. Empty if its list does not have them.
    pub(crate) fn frames(&self, volume: u32) -> Vec<FramePart> {
        self.frames.get(volume as usize).cloned().unwrap_or_default()
    }

    /// Returns where a file is; `None` where the filestore has none of this name.
    pub(crate) fn get(&self, name: &FileName) -> Option<Located> {
        self.files.get(name).copied().flatten()
    }

    /// Lists every file of the filestore.
    pub(crate) fn files(&self) -> impl Iterator<Item = (FileName, Located)> {
        self.files.iter().filter_map(|(name, file)| Some((name, (*file)?)))
    }
}

type Entries = Vec<(FileName, Option<Located>)>;

async fn with_removed(
    repository: &Repository,
    removed: &StoredObject,
    mut entries: Entries,
    mut allowance: Allowance,
) -> Result<Entries, Error> {
    let removed = repository.read(removed, move |list| {
        for path in removed_paths(list) {
            let name = FileName::new(&path?);
            allowance.take(&name)?;
            reserve(&mut entries, 1)?;
            entries.push((name, None));
        }
        Ok(entries)
    });
    Ok(removed.await?)
}
