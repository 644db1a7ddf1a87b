//! The half of a restore that is files.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::Job;
use super::beside::Beside;
use crate::error::Error;
use crate::filestore::{FileName, Names, NewFilestore, Unpacked, read_list, unpack};
use crate::manifest::{Manifest, Volume};
use crate::progress::Task;
use crate::repository::Repository;

/// Which volume each path is to be taken from: the latest that holds it, unless it was removed since.
type Plan = Names<Option<u32>>;

/// Unpacks every file of a backup into a new folder.
pub(super) async fn restore_filestore(job: &Job<'_>, beside: &Beside) -> Result<Unpacked, Error> {
    let Job { repository, manifest, options, run, .. } = *job;
    let plan = Arc::new(plan(repository, manifest).await?);
    let into = NewFilestore::create(&beside.filestore, &beside.writers)?;
    let task = run.progress.task("filestore", Some(manifest.filestore.bytes));
    let volumes = manifest.filestore.volumes.iter().zip(0..);
    let unpacked = futures::stream::iter(volumes)
        .map(|(volume, index)| restore_volume(repository, volume, index, &plan, &into, &task))
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

async fn plan(repository: &Repository, manifest: &Manifest) -> Result<Plan, Error> {
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
            paths.map(|path| Ok((FileName::new(&String::from_utf8_lossy(&path?)), None))).collect::<Result<Vec<_>, _>>()
        });
        entries.extend(removed.await?);
    }
    Ok(entries.into_iter().collect())
}

async fn restore_volume(
    repository: &Repository,
    volume: &Volume,
    index: u32,
    plan: &Arc<Plan>,
    into: &NewFilestore,
    task: &Task,
) -> Result<Unpacked, Error> {
    let (plan, into, task) = (plan.clone(), into.clone(), task.clone());
    let unpacked = repository.read(&volume.object, move |archive| {
        let wanted = |path: &str| plan.get(&FileName::new(path)) == Some(&Some(index));
        unpack(archive, &into, &task, wanted)
    });
    unpacked.await
}
