//! The filestore of a backup, which is several volumes one above the other, as one.

use std::io::{BufRead, BufReader};

use crate::error::Error;
use crate::filestore::{FileName, Names, read_list};
use crate::manifest::Manifest;
use crate::repository::Repository;

/// Where each path is to be taken from: the latest volume that holds it, unless it was removed since.
#[derive(Debug)]
pub(crate) struct Merged(Names<Option<Located>>);

/// Where a file's content is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located {
    /// The volume's index in the manifest.
    pub(crate) volume: u32,
    /// Length in bytes.
    pub(crate) size: u64,
}

impl Merged {
    /// Reads the lists of all volumes, and that of the removed paths.
    ///
    /// # Errors
    /// Those of [`Repository::read`]
    pub(crate) async fn of(repository: &Repository, manifest: &Manifest) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for (volume, index) in manifest.filestore.volumes.iter().zip(0..) {
            let files = repository.read_cached(&volume.list, move |list| {
                let files = read_list(list).map(|file| {
                    let file = file?;
                    Ok((FileName::new(&file.path), Some(Located { volume: index, size: file.size })))
                });
                files.collect::<Result<Vec<_>, _>>()
            });
            entries.extend(files.await?);
        }
        if let Some(removed) = &manifest.filestore.removed {
            let removed = repository.read(removed, |list| {
                let paths = BufReader::new(list).split(0);
                paths
                    .map(|path| Ok((FileName::new(&String::from_utf8_lossy(&path?)), None)))
                    .collect::<Result<Vec<_>, _>>()
            });
            entries.extend(removed.await?);
        }
        Ok(Self(entries.into_iter().collect()))
    }

    /// Whether `path` is to be taken from the volume of this index in the manifest.
    pub(crate) fn takes(&self, path: &str, volume: u32) -> bool {
        self.get(&FileName::new(path)).is_some_and(|file| file.volume == volume)
    }

    /// Where a file is; `None` where the filestore has none of this name.
    pub(crate) fn get(&self, name: &FileName) -> Option<Located> {
        self.0.get(name).copied().flatten()
    }

    /// Every file of the filestore.
    pub(crate) fn files(&self) -> impl Iterator<Item = (FileName, Located)> {
        self.0.iter().filter_map(|(name, file)| Some((name, (*file)?)))
    }
}
