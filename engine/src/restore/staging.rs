//! A database and a folder next to the target's, completed before they get the target's names.

pub(in crate::restore) mod database;
pub(in crate::restore) mod files;
pub(in crate::restore) mod scratch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use self::database::{RestoredDatabase, restore_database};
use self::files::restore_filestore;
use self::scratch::Scratch;
use super::Job;
use super::record::Scrap;
use super::record::claim::TargetClaim;
use super::record::leftovers;
use super::record::names::Suffix;
use crate::error::Error;
use crate::filestore::{NewFilestore, Unpacked};
use crate::postgres::Endpoint;

/// Where a restore is prepared until it is complete.
#[derive(Debug)]
pub(in crate::restore) struct Staging {
    /// The suffix of both names.
    pub(in crate::restore) suffix: Suffix,
    /// The new database, on the target's server.
    pub(in crate::restore) database: Endpoint,
    /// The new folder, next to the target's.
    pub(in crate::restore) filestore: PathBuf,
    /// The folder for the part of the dump that pg_restore reads from a file.
    pub(in crate::restore) scratch: Scratch,
    /// Threads that still write to the folder.
    pub(in crate::restore) writers: TaskTracker,
}

/// What was prepared there, and how long each took.
#[derive(Debug)]
pub(in crate::restore) struct Made {
    /// The database.
    pub(in crate::restore) database: (RestoredDatabase, Duration),
    /// The files.
    pub(in crate::restore) files: (Unpacked, Duration),
}

impl Staging {
    /// Takes unique names, and records them before anything gets them.
    pub(in crate::restore) async fn begin(job: &Job<'_>, claim: &mut TargetClaim) -> Result<Self, Error> {
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

    /// Creates both from the backup, in parallel.
    pub(in crate::restore) async fn fill(&self, job: &Job<'_>, claim: &TargetClaim) -> Result<Made, Error> {
        let (database, files) = tokio::try_join!(
            timed(Box::pin(restore_database(job, &claim.server, self))),
            timed(Box::pin(restore_filestore(job, self)))
        )?;
        let (expected, found) = (&job.manifest.filestore, &files.0);
        same("files in the filestore", expected.files, found.files)?;
        same("bytes in the filestore", expected.bytes, found.bytes)?;
        Ok(Made { database, files })
    }

    /// Removes what was created. Returns what could not be removed, in words; it is left to the
    /// next run.
    pub(in crate::restore) async fn abandon(self, claim: &mut TargetClaim) -> Vec<String> {
        // They end at their next read.
        self.writers.close();
        self.writers.wait().await;
        leftovers::remove(claim).await.left
    }
}

/// Returns the result of `work`, and how long it took.
pub(in crate::restore) async fn timed<T>(work: impl Future<Output = Result<T, Error>>) -> Result<(T, Duration), Error> {
    let started = Instant::now();
    let done = work.await?;
    Ok((done, started.elapsed()))
}

fn same(what: &str, expected: u64, found: u64) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Differs { what: what.to_owned(), expected, found }) }
}
