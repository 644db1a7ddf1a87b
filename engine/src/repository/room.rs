//! Limits how many manifests are in memory at once, whatever a repository contains.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{BackupRef, Repository, RepositoryError};
use crate::manifest::Manifest;

const MIB: u64 = 1024 * 1024;

/// How many documents are read at once. A large one takes several places.
const PLACES: u32 = 16;

/// Lets several documents be read at once while they are small.
pub(super) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(PLACES as usize))
    }
}

impl Room {
    /// Waits for the room that a document of this size takes. Dropping the permit releases it.
    pub(super) async fn take(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        let places = u32::try_from(1 + size / MIB).unwrap_or(PLACES).min(PLACES);
        // The semaphore is never closed, so a permit always becomes available.
        self.0.acquire_many(places).await.ok()
    }
}

/// The bytes of memory that the manifests kept together take.
#[derive(Debug, Default)]
pub(super) struct Weight(u64);

/// The most that manifests may take together: fifty times what those of a thousand ordinary backups
/// take.
const HEAVIEST: u64 = 384 * MIB;

/// The bytes that a name takes besides its text.
const NAME: u64 = 56;

impl Weight {
    /// Returns whether there is room for a manifest, of which `bytes` are stored. If so, counts
    /// what it takes.
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
    /// Returns the error for a manifest for which there is no room.
    pub(super) fn too_heavy(&self, backup: &BackupRef) -> RepositoryError {
        let reason = format!("it and the manifests before it take more than {} MiB of memory", HEAVIEST / MIB);
        self.damaged(&backup.manifest(), reason)
    }
}
