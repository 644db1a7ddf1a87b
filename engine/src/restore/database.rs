//! The half of a restore that is the database.

use super::Job;
use super::beside::Beside;
use crate::error::Error;
use crate::manifest::StoredObject;
use crate::postgres::{self, ArchiveSource, Session, Tools, Tuning};
use crate::progress::Task;
use crate::repository::Repository;
use crate::stream::{Body, decode};

/// A database that a dump was restored into.
#[derive(Debug)]
pub(super) struct RestoredDatabase {
    /// Jobs of pg_restore that it was done with.
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
    postgres::create_hidden_database(server, &beside.database.database, &manifest.server.locale).await?;
    let occupied = postgres::connect(&beside.database).await?;
    let spool = &beside.spool;
    spool.create()?;
    let task = run.progress.task("database", Some(object.stored.size));
    let archive = open(repository, object, task).await?;
    let (source, jobs) = if options.jobs > 1 && spool.room > object.plain.size {
        (ArchiveSource::File(spool.fill(&object.key, archive).await?), options.jobs)
    } else {
        if options.jobs > 1 {
            run.progress.warn(&format!(
                "restoring with one job: the dump takes {} bytes uncompressed, and there is room for {} where {} would be",
                object.plain.size,
                spool.room,
                spool.folder.display()
            ));
        }
        (ArchiveSource::Stream(archive), 1)
    };
    let tuning = Tuning::of(&occupied, jobs).await?;
    tracing::info!(tool = %tool, jobs, tables = toc.tables(), ?tuning, "pg_restore begins");
    // It counts nothing: indexes and keys take most of its time.
    let restoring = run.progress.task("pg_restore", None);
    postgres::restore(&tool, &beside.database, &toc, source, &tuning, &spool.folder).await?;
    drop(restoring);
    spool.remove()?;
    Ok(RestoredDatabase { jobs, _occupied: occupied })
}

/// An object's plain bytes, whose end is its proof.
async fn open(repository: &Repository, object: &StoredObject, task: Task) -> Result<Body, Error> {
    let body = repository.store().get(&object.key, None).await?;
    Ok(decode(body, object.plain, object.stored, task))
}
