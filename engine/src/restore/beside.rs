//! A database and a folder beside the target's, made whole before they get the target's names.

use std::path::PathBuf;

use tokio_util::task::TaskTracker;

use super::Job;
use super::database::restore_database;
use super::files::restore_filestore;
use crate::config::Target;
use crate::error::Error;
use crate::filestore::Unpacked;
use crate::postgres::{self, Endpoint, PostgresError, Session};
use crate::run::Run;

/// Where a restore is made before it is whole.
#[derive(Debug)]
pub(super) struct Beside {
    /// The new database, on the target's server.
    pub(super) database: Endpoint,
    /// The new folder, beside the target's.
    pub(super) filestore: PathBuf,
    /// Threads that still write there.
    pub(super) writers: TaskTracker,
}

/// What was made there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    /// Jobs that pg_restore ran with.
    pub(super) jobs: u32,
    /// The files.
    pub(super) files: Unpacked,
}

impl Beside {
    /// Names that nothing else has.
    pub(super) fn of(target: &Target) -> Result<Self, Error> {
        let number = getrandom::u32().map_err(crate::repository::RepositoryError::from)?;
        let suffix = format!("_restoring_{number:08x}");
        let mut folder = target.filestore.file_name().unwrap_or_default().to_owned();
        folder.push(&suffix);
        Ok(Self {
            database: Endpoint::resolve(&target.database).with_database(shortened(&target.database.name, &suffix)),
            filestore: target.filestore.with_file_name(folder),
            writers: TaskTracker::new(),
        })
    }

    /// Makes both of the backup, side by side.
    pub(super) async fn fill(&self, job: &Job<'_>, server: &Session) -> Result<Made, Error> {
        let (jobs, files) = tokio::try_join!(restore_database(job, server, self), restore_filestore(job, self))?;
        let expected = &job.manifest.filestore;
        same("files in the filestore", expected.files, files.files)?;
        same("bytes in the filestore", expected.bytes, files.bytes)?;
        Ok(Made { jobs, files })
    }

    /// Removes what a restore that failed has made. What cannot be removed is named.
    pub(super) async fn remove(&self, server: &Session, run: &Run) {
        if let Err(error) = self.drop_database(server).await {
            run.progress.warn(&format!("{error}; please drop the database {:?}", self.database.database));
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
        match postgres::drop_database(server, &self.database.database).await {
            // The connection broke, perhaps with whatever made the restore fail.
            Err(_) if server.is_closed() => {
                let server = postgres::connect(server.endpoint()).await?;
                postgres::drop_database(&server, &self.database.database).await
            }
            dropped => dropped,
        }
    }
}

/// PostgreSQL cuts names at 63 bytes: cut the name, not the suffix that makes it one of its own.
pub(super) fn shortened(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(63 - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

fn same(what: &str, expected: u64, found: u64) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Differs { what: what.to_owned(), expected, found }) }
}
