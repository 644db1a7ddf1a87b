//! The filestore of a backup, which is several volumes one above the other, as one.

use std::io::{BufRead, BufReader};

use crate::error::Error;
use crate::filestore::{FileName, Names, read_list};
use crate::manifest::Manifest;
use crate::repository::Repository;

/// Which volume each path is to be taken from: the latest that holds it, unless it was removed since.
#[derive(Debug)]
pub(crate) struct Merged(Names<Option<u32>>);

impl Merged {
    /// Reads the lists of all volumes, and that of the removed paths.
    ///
    /// # Errors
    /// Those of [`Repository::read`]
    pub(crate) async fn of(repository: &Repository, manifest: &Manifest) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for (volume, index) in manifest.filestore.volumes.iter().zip(0..) {
            let files = repository.read_cached(&volume.list, move |list| {
                read_list(list).map(|file| Ok((FileName::new(&file?.path), Some(index)))).collect::<Result<Vec<_>, _>>()
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
        self.0.get(&FileName::new(path)) == Some(&Some(volume))
    }
}
