//! The half of a restore that is the database.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Job;
use super::beside::Beside;
use crate::config::Target;
use crate::error::Error;
use crate::manifest::StoredObject;
use crate::postgres::{self, ArchiveSource, Session, Tools};
use crate::progress::Task;
use crate::repository::Repository;
use crate::stream::{Body, consume, decode};

/// Restores the dump into a new database and returns the number of jobs that it was done with.
pub(super) async fn restore_database(job: &Job<'_>, server: &Session, beside: &Beside) -> Result<u32, Error> {
    let Job { repository, manifest, target, options, run } = *job;
    let object = &manifest.database.object;
    let tools = Tools::new(target.database.pg_path.as_deref());
    let tool = tools.find("pg_restore", manifest.database.pg_dump_major()).await?;
    let toc = postgres::read_toc(&tool, open(repository, object, Task::default()).await?, object.key.as_str()).await?;
    postgres::create_database(server, &beside.database.database, &manifest.server.locale).await?;
    let scratch = scratch_folder(target)?;
    let task = run.progress.task("database", Some(object.stored.size));
    let archive = open(repository, object, task).await?;
    let room = room_in(scratch.path())?;
    let (source, jobs) = if options.jobs > 1 && room > object.plain.size {
        (ArchiveSource::File(spool(archive, scratch.path()).await?), options.jobs)
    } else {
        if options.jobs > 1 {
            run.progress.warn(&format!(
                "restoring with one job: the dump takes {} bytes uncompressed, and {} has {room} bytes free",
                object.plain.size,
                scratch.path().display()
            ));
        }
        (ArchiveSource::Stream(archive), 1)
    };
    tracing::info!(tool = %tool, jobs, tables = toc.tables(), "pg_restore begins");
    // It counts nothing: indexes and keys take most of its time.
    let restoring = run.progress.task("pg_restore", None);
    postgres::restore(&tool, &beside.database, &toc, source, jobs, scratch.path()).await?;
    drop(restoring);
    Ok(jobs)
}

/// An object's plain bytes, whose end is its proof.
async fn open(repository: &Repository, object: &StoredObject, task: Task) -> Result<Body, Error> {
    let body = repository.store().get(&object.key, None).await?;
    Ok(decode(body, object.plain, object.stored, task))
}

/// A private folder for the spooled dump: `$TMPDIR`, or where the target's files are to be, whichever has more room.
fn scratch_folder(target: &Target) -> Result<TempDir, Error> {
    let temporary = std::env::temp_dir();
    let data = target.filestore.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(&temporary);
    let roomier = if room_in(data)? > room_in(&temporary)? { data } else { &temporary };
    let builder = || tempfile::Builder::new().prefix(".odoo-backup-").tempdir_in(roomier);
    builder()
        .map_err(|source| Error::Io { action: format!("make a temporary folder in {}", roomier.display()), source })
}

/// Bytes free for this process.
fn room_in(folder: &Path) -> Result<u64, Error> {
    let read = rustix::fs::statvfs(folder).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    read.map_err(|error| Error::Io {
        action: format!("look for free space in {}", folder.display()),
        source: error.into(),
    })
}

/// Writes the archive to a file, of which nobody reads before its digests have agreed.
async fn spool(archive: Body, scratch: &Path) -> Result<PathBuf, Error> {
    let path = scratch.join("database.dump");
    let failed = |source| Error::Io { action: format!("spool the dump to {}", path.display()), source };
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
