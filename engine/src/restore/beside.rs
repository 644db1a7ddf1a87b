//! A database and a folder beside the target's, made whole before they get the target's names.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use super::claim::Claim;
use super::database::{RestoredDatabase, restore_database};
use super::files::restore_filestore;
use super::names::Suffix;
use super::record::Scrap;
use super::scratch::Scratch;
use super::{Job, leftovers};
use crate::error::Error;
use crate::filestore::{NewFilestore, Unpacked};
use crate::postgres::Endpoint;

/// Where a restore is made before it is whole.
#[derive(Debug)]
pub(super) struct Beside {
    /// What both names end in.
    pub(super) suffix: Suffix,
    /// The new database, on the target's server.
    pub(super) database: Endpoint,
    /// The new folder, beside the target's.
    pub(super) filestore: PathBuf,
    /// For what of the dump pg_restore reads from a file.
    pub(super) scratch: Scratch,
    /// Threads that still write to the folder.
    pub(super) writers: TaskTracker,
}

/// What was made there, and how long each took.
#[derive(Debug)]
pub(super) struct Made {
    /// The database.
    pub(super) database: (RestoredDatabase, Duration),
    /// The files.
    pub(super) files: (Unpacked, Duration),
}

impl Beside {
    /// Takes names that nothing else has, and writes them down before anything gets them.
    pub(super) async fn begin(job: &Job<'_>, claim: &mut Claim) -> Result<Self, Error> {
        let suffix = Suffix::restoring()?;
        let names = claim.names.with(&suffix);
        NewFilestore::create_above(&names.filestore)?;
        let scratch = Scratch::choose(job.target, job.manifest, &claim.server, &suffix).await?;
        claim.record.scraps.push(Scrap { suffix: suffix.clone(), scratch: Some(scratch.folder.clone()) });
        claim.save()?;
        Ok(Self {
            suffix,
            database: Endpoint::resolve(&job.target.database).with_database(names.database),
            filestore: names.filestore,
            scratch,
            writers: TaskTracker::new(),
        })
    }

    /// Makes both of the backup, side by side.
    pub(super) async fn fill(&self, job: &Job<'_>, claim: &Claim) -> Result<Made, Error> {
        let (database, files) =
            tokio::try_join!(timed(restore_database(job, &claim.server, self)), timed(restore_filestore(job, self)))?;
        let (expected, found) = (&job.manifest.filestore, &files.0);
        same("files in the filestore", expected.files, found.files)?;
        same("bytes in the filestore", expected.bytes, found.bytes)?;
        Ok(Made { database, files })
    }

    /// Removes what was made. Returns what could not be, in words; it is left to the next run.
    pub(super) async fn abandon(self, claim: &mut Claim) -> Vec<String> {
        // They end at their next read.
        self.writers.close();
        self.writers.wait().await;
        leftovers::remove(claim).await.left
    }
}

/// What was done, and how long it took.
pub(super) async fn timed<T>(work: impl Future<Output = Result<T, Error>>) -> Result<(T, Duration), Error> {
    let started = Instant::now();
    let done = work.await?;
    Ok((done, started.elapsed()))
}

fn same(what: &str, expected: u64, found: u64) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Differs { what: what.to_owned(), expected, found }) }
}
