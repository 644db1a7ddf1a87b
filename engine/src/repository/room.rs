//! How many manifests are in memory at once, whatever a repository holds.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{BackupRef, Repository, RepositoryError};
use crate::manifest::Manifest;

const MIB: u64 = 1024 * 1024;

/// Documents that are read at once; one that is large takes the place of several.
const PLACES: u32 = 16;

/// Lets several documents be read at once as long as they are small.
pub(super) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(PLACES as usize))
    }
}

impl Room {
    /// Waits for the room that a document of this size takes, which is given back when the permit
    /// is dropped.
    pub(super) async fn take(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        let places = u32::try_from(1 + size / MIB).unwrap_or(PLACES).min(PLACES);
        // Nobody closes the semaphore: there is always a permit to be had.
        self.0.acquire_many(places).await.ok()
    }
}

/// What the manifests that are held together take, in bytes of memory.
#[derive(Debug, Default)]
pub(super) struct Weight(u64);

/// As much as manifests may take together: fifty times what those of a thousand ordinary backups
/// do.
const HEAVIEST: u64 = 384 * MIB;

/// A name takes so many bytes beside its own.
const NAME: u64 = 56;

impl Weight {
    /// Returns whether there is room for a manifest, of which `bytes` are stored. What it takes is
    /// counted then.
    pub(super) fn takes(&mut self, manifest: &Manifest, bytes: usize) -> bool {
        let weight = self.0 + bytes as u64 + NAME * manifest.names() as u64;
        let takes = weight <= HEAVIEST;
        if takes {
            self.0 = weight;
        }
        takes
    }
}

impl Repository {
    /// Returns what is said of a manifest for which there is no room.
    pub(super) fn too_heavy(&self, backup: &BackupRef) -> RepositoryError {
        let reason = format!("it and the manifests before it take more than {} MiB of memory", HEAVIEST / MIB);
        self.damaged(&backup.manifest(), reason)
    }
}
