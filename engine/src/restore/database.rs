//! The half of a restore that is the database.

use super::Job;
use super::beside::Beside;
use crate::error::Error;
use crate::manifest::StoredObject;
use crate::postgres::{self, ArchiveError, ArchiveTables, Restoring, Section, Session, Tools, Tuning};
use crate::progress::Task;
use crate::repository::Repository;
use crate::stream::{Body, decode};

/// A database that a dump was restored into.
#[derive(Debug)]
pub(super) struct RestoredDatabase {
    /// Jobs that it was done with.
    pub(super) jobs: u32,
    /// Keeps others from copying it, which any role with CREATEDB may as long as it is hidden as a template, and nobody can while
    /// somebody is connected.
    pub(super) _occupied: Session,
}

/// Restores the dump into a new, hidden database.
pub(super) async fn restore_database(
    job: &Job<'_>,
    server: &Session,
    beside: &Beside,
) -> Result<RestoredDatabase, Error> {
    let Job { repository, manifest, target, options, run, .. } = *job;
    let object = &manifest.database.object;
    let tools = Tools::new(target.database.pg_path.as_deref());
    let tool = tools.find("pg_restore", manifest.database.pg_dump_major()).await?;
    let toc = postgres::read_toc(&tool, open(repository, object, Task::default()).await?, object.key.as_str()).await?;
    let Beside { database: endpoint, scratch, .. } = beside;
    postgres::create_hidden_database(server, &endpoint.database, &manifest.server.locale).await?;
    let occupied = postgres::connect(endpoint).await?;
    scratch.create()?;
    let mut tuning = Tuning::of(&occupied, options.jobs).await?;
    let task = run.progress.task("database", Some(object.stored.size));
    let (skeleton, file) = scratch.file("skeleton.dump")?;
    let archive = ArchiveTables::open(open(repository, object, task.clone()).await?, file).await;
    if let Err(ArchiveError::Misunderstood(reason)) = &archive {
        run.progress.warn(&format!("restoring with one job, because of the dump: {reason}"));
        tuning = Tuning::of(&occupied, 1).await?;
    }
    tracing::info!(tool = %tool, tables = toc.tables(), ?tuning, "the restore of the database begins");
    let restoring = Restoring { tool: &tool, endpoint, toc: &toc, tuning: &tuning, scratch: &scratch.folder };
    match archive {
        Ok(mut archive) => {
            restoring.file(&skeleton, Section::PreData).await?;
            postgres::load_rows(endpoint, &tuning, &mut archive, object.key.as_str()).await?;
            drop(task);
            // It counts nothing: indexes and keys take most of its time.
            let _task = run.progress.task("pg_restore", None);
            restoring.file(&skeleton, Section::DataBesideRows).await?;
            restoring.file(&skeleton, Section::PostData).await?;
        }
        Err(ArchiveError::Misunderstood(_)) => restoring.stream(open(repository, object, task).await?).await?,
        Err(ArchiveError::Io(source)) => {
            return Err(Error::Io { action: format!("read {}", object.key), source });
        }
    }
    scratch.remove()?;
    Ok(RestoredDatabase { jobs: tuning.jobs(), _occupied: occupied })
}

/// An object's plain bytes, whose end is its proof.
async fn open(repository: &Repository, object: &StoredObject, task: Task) -> Result<Body, Error> {
    let body = repository.store().get(&object.key, None).await?;
    Ok(decode(body, object.plain, object.stored, task))
}
