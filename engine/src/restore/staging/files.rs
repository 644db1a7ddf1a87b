//! The file half of a restore.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::Staging;
use crate::backup_files::BackupFiles;
use crate::error::Error;
use crate::filestore::{NewFilestore, Unpacked, unpack};
use crate::manifest::Volume;
use crate::progress::Task;
use crate::repository::Repository;
use crate::restore::Job;

/// Unpacks every file of a backup into a new folder.
pub(in crate::restore) async fn restore_filestore(job: &Job<'_>, staging: &Staging) -> Result<Unpacked, Error> {
    let Job { repository, manifest, options, run, .. } = *job;
    let merged = Arc::new(BackupFiles::of(repository, manifest).await?);
    let into = NewFilestore::create(&staging.filestore, &staging.writers)?;
    let task = run.progress.task("filestore", Some(manifest.filestore.bytes));
    let volumes = manifest.filestore.volumes.iter().zip(0..);
    // Collected, so that the compiler sees that the whole can move between threads
    // (rust-lang/rust#102211).
    let volumes: Vec<_> =
        volumes.map(|(volume, index)| restore_volume(repository, volume, index, &merged, &into, &task)).collect();
    let unpacked = futures::stream::iter(volumes)
        .buffer_unordered(options.parallel_volumes.max(1) as usize)
        .try_fold(Unpacked::default(), async |sum, one| {
            Ok(Unpacked { files: sum.files + one.files, bytes: sum.bytes + one.bytes })
        });
    let unpacked = unpacked.await?;
    tokio::task::spawn_blocking(move || into.sync())
        .await
        .map_err(|error| Error::Io { action: "write the filestore".into(), source: error.into() })??;
    Ok(unpacked)
}

async fn restore_volume(
    repository: &Repository,
    volume: &Volume,
    index: u32,
    merged: &Arc<BackupFiles>,
    into: &NewFilestore,
    task: &Task,
) -> Result<Unpacked, Error> {
    let (merged, into, task) = (merged.clone(), into.clone(), task.clone());
    let unpacked = repository.read_guarded(&volume.object, merged.frames(index), move |archive| {
        unpack(archive, &into, &task, |path, size| merged.takes(path, index, size))
    });
    Ok(unpacked.await?)
}
