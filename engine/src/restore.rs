//! `restore`: a backup into a target's database and filestore.
//!
//! Both are made under names of their own beside the target's, and get the target's names only once all of it is there and every
//! digest agreed. What fails or is stopped before that leaves nothing behind.

mod files;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use self::files::restore_filestore;
use crate::config::Target;
use crate::error::Error;
use crate::filestore::{FilestoreError, Unpacked};
use crate::folder;
use crate::manifest::{Manifest, StoredObject};
use crate::postgres::{self, ArchiveSource, Endpoint, PostgresError, Session, Tools};
use crate::progress::Task;
use crate::repository::Repository;
use crate::run::Run;
use crate::stream::{Body, consume, decode};

/// How a backup is restored.
#[derive(Debug, Clone, Copy)]
pub struct RestoreOptions {
    /// Jobs of pg_restore. More than one needs room for the uncompressed dump in a temporary folder.
    pub jobs: u32,
    /// Volumes that are unpacked at once.
    pub parallel_volumes: u32,
}

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The target's database.
    pub database: String,
    /// The target's filestore.
    pub filestore: PathBuf,
    /// Files in it.
    pub files: u64,
    /// Their length in bytes, together.
    pub bytes: u64,
    /// Jobs that pg_restore ran with.
    pub jobs: u32,
    /// From the beginning to the moment when both had their names.
    pub duration: Duration,
}

/// Restores a backup into a target that does not exist yet.
///
/// # Errors
/// Whatever failed first, as the cause of [`Error::Verb`]; the target then does not exist, as before.
pub async fn restore(
    repository: &Repository,
    manifest: &Manifest,
    target: &Target,
    options: RestoreOptions,
    run: &Run,
) -> Result<Restored, Error> {
    let result = restore_beside(repository, manifest, target, options, run).await;
    result.map_err(|error| error.during(format!("restore {}/{} to {}", manifest.instance, manifest.id, target.name)))
}

async fn restore_beside(
    repository: &Repository,
    manifest: &Manifest,
    target: &Target,
    options: RestoreOptions,
    run: &Run,
) -> Result<Restored, Error> {
    let started = Instant::now();
    let place = Endpoint::resolve(&target.database);
    let reached = async {
        let server = postgres::connect_maintenance(&place).await?;
        refuse_existing(&server, &place, target).await?;
        Ok(server)
    };
    let server = run.until_cancelled(reached).await?;
    let beside = Beside::of(target)?;
    let new_database = place.with_database(&beside.database);
    let work = async {
        let (jobs, unpacked) = tokio::try_join!(
            restore_database(repository, manifest, target, &server, &new_database, options, run),
            restore_filestore(repository, manifest, &beside, options, run),
        )?;
        same("files in the filestore", manifest.filestore.files, unpacked.files)?;
        same("bytes in the filestore", manifest.filestore.bytes, unpacked.bytes)?;
        Ok((jobs, unpacked))
    };
    let result = match run.until_cancelled(work).await {
        // From here on it takes a moment and is not to be stopped halfway.
        Ok(done) => beside.take_names(&server, target, run).await.map(|()| done),
        Err(error) => Err(error),
    };
    tracing::info!(database = target.database.name, ok = result.is_ok(), "restore ended");
    match result {
        Ok((jobs, Unpacked { files, bytes })) => Ok(Restored {
            database: target.database.name.clone(),
            filestore: target.filestore.clone(),
            files,
            bytes,
            jobs,
            duration: started.elapsed(),
        }),
        Err(error) => {
            beside.remove(&server, run).await;
            Err(error)
        }
    }
}

async fn refuse_existing(server: &Session, place: &Endpoint, target: &Target) -> Result<(), Error> {
    if postgres::database_exists(server, &target.database.name).await? {
        return Err(Error::Exists { what: format!("the {place}") });
    }
    if target.filestore.symlink_metadata().is_ok() {
        return Err(Error::Exists { what: format!("the filestore {}", target.filestore.display()) });
    }
    Ok(())
}

/// The names under which a restore is made before it is whole.
struct Beside {
    database: String,
    filestore: PathBuf,
    /// Threads that still write there.
    writers: TaskTracker,
}

impl Beside {
    fn of(target: &Target) -> Result<Self, Error> {
        let number = getrandom::u32().map_err(crate::repository::RepositoryError::from)?;
        let suffix = format!("_restoring_{number:08x}");
        let mut folder = target.filestore.file_name().unwrap_or_default().to_owned();
        folder.push(&suffix);
        Ok(Self {
            database: shortened(&target.database.name, &suffix),
            filestore: target.filestore.with_file_name(folder),
            writers: TaskTracker::new(),
        })
    }

    /// Gives the database and the folder the target's names: both, or neither.
    async fn take_names(&self, server: &Session, target: &Target, run: &Run) -> Result<(), Error> {
        let name = &target.database.name;
        postgres::rename_database(server, &self.database, name).await?;
        let renamed = rename_to_new(&self.filestore, &target.filestore);
        if renamed.is_err()
            && let Err(error) = postgres::rename_database(server, name, &self.database).await
        {
            run.progress.warn(&format!("{error}; please drop the database {name:?}, which has no filestore"));
        }
        Ok(renamed?)
    }

    /// Removes what a restore that failed has made. What cannot be removed is named.
    async fn remove(&self, server: &Session, run: &Run) {
        if let Err(error) = self.drop_database(server).await {
            run.progress.warn(&format!("{error}; please drop the database {:?}", self.database));
        }
        // They end at their next read.
        self.writers.close();
        self.writers.wait().await;
        let folder = self.filestore.clone();
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            run.progress.warn(&format!("unable to remove {}: {error}; please remove it", self.filestore.display()));
        }
    }

    async fn drop_database(&self, server: &Session) -> Result<(), PostgresError> {
        match postgres::drop_database(server, &self.database).await {
            // The connection broke, perhaps with whatever made the restore fail.
            Err(_) if server.is_closed() => {
                let server = postgres::connect(server.endpoint()).await?;
                postgres::drop_database(&server, &self.database).await
            }
            dropped => dropped,
        }
    }
}

/// PostgreSQL cuts names at 63 bytes: cut the name, not the suffix that makes it one of its own.
fn shortened(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(63 - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

/// Renames a folder to a name that must be free. File systems that cannot promise that are asked before.
fn rename_to_new(from: &Path, to: &Path) -> Result<(), FilestoreError> {
    let renamed = match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if to.symlink_metadata().is_err() => {
            std::fs::rename(from, to)
        }
        other => other.map_err(std::io::Error::from),
    };
    let flushed = renamed.and_then(|()| {
        let flushed = to.parent().map_or(Ok(()), folder::sync);
        // What failed must not have happened.
        if flushed.is_err() { std::fs::rename(to, from).and(flushed) } else { flushed }
    });
    flushed.map_err(|source| FilestoreError::Io {
        action: "rename the restored filestore to",
        path: to.to_owned(),
        source,
    })
}

fn same(what: &str, expected: u64, found: u64) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Differs { what: what.to_owned(), expected, found }) }
}

/// Restores the dump into a new database and returns the number of jobs that it was done with.
async fn restore_database(
    repository: &Repository,
    manifest: &Manifest,
    target: &Target,
    server: &Session,
    into: &Endpoint,
    options: RestoreOptions,
    run: &Run,
) -> Result<u32, Error> {
    let object = &manifest.database.object;
    let tools = Tools::new(target.database.pg_path.as_deref());
    let tool = tools.find("pg_restore", manifest.database.pg_dump_major()).await?;
    let toc = postgres::read_toc(&tool, open(repository, object, Task::default()).await?, object.key.as_str()).await?;
    postgres::create_database(server, &into.database, &manifest.server.locale).await?;
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
    postgres::restore(&tool, into, &toc, source, jobs, scratch.path()).await?;
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

#[cfg(test)]
mod tests;
