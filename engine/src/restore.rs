//! `restore`: a backup into a target's database and filestore.
//!
//! Both are made under names of their own beside the target's, and get the target's names only once all of it is there, every
//! digest agreed, and the copy was verified. What fails or is stopped before that leaves nothing behind.

mod beside;
mod database;
mod files;
mod swap;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::beside::Beside;
use crate::config::Target;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::odoo::{Neutralized, neutralize};
use crate::postgres::{self, Endpoint, Session};
use crate::repository::Repository;
use crate::run::Run;
use crate::verify::{Depth, RestoredCopy, Verification, verify};

/// How a backup is restored.
#[derive(Debug, Clone, Copy)]
pub struct RestoreOptions {
    /// Jobs of pg_restore. More than one needs room for the uncompressed dump in a temporary folder.
    pub jobs: u32,
    /// Volumes that are unpacked at once.
    pub parallel_volumes: u32,
    /// How much is read to verify the copy.
    pub depth: Depth,
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
    /// What the copy was held against before it got its names. It passed.
    pub verification: Verification,
    /// What was done to make the copy harmless; `None` where the target wants none of it, or the database is not Odoo's.
    pub neutralized: Option<Neutralized>,
    /// From the beginning to the moment when both had their names.
    pub duration: Duration,
}

/// What is to be restored, to where, and how.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    repository: &'a Repository,
    manifest: &'a Manifest,
    target: &'a Target,
    options: RestoreOptions,
    run: &'a Run,
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
    let result = async {
        let lock = repository.lock_to_read(&manifest.instance, &manifest.id, run).await?;
        let result = Job { repository, manifest, target, options, run }.restore().await;
        match lock {
            Some(lock) => lock.finish(result).await,
            None => result,
        }
    };
    let result = result.await;
    result.map_err(|error| error.during(format!("restore {}/{} to {}", manifest.instance, manifest.id, target.name)))
}

impl Job<'_> {
    async fn restore(&self) -> Result<Restored, Error> {
        let (target, run) = (self.target, self.run);
        let started = Instant::now();
        let server = run.until_cancelled(self.reach_server()).await?;
        let beside = Beside::of(target)?;
        let work = async {
            let made = beside.fill(self, &server).await?;
            let verification = self.verify(&beside).await?;
            let neutralized = self.neutralize(&beside).await?;
            Ok((made, verification, neutralized))
        };
        let result = match run.until_cancelled(work).await {
            // From here on it takes a moment and is not to be stopped halfway.
            Ok(done) => swap::take_names(&beside, &server, target, run).await.map(|()| done),
            Err(error) => Err(error),
        };
        tracing::info!(database = target.database.name, ok = result.is_ok(), "restore ended");
        if result.is_err() {
            beside.remove(&server, run).await;
        }
        result.map(|(made, verification, neutralized)| Restored {
            database: target.database.name.clone(),
            filestore: target.filestore.clone(),
            files: made.files.files,
            bytes: made.files.bytes,
            jobs: made.jobs,
            verification,
            neutralized,
            duration: started.elapsed(),
        })
    }

    /// Holds what was made against what was backed up.
    async fn verify(&self, beside: &Beside) -> Result<Verification, Error> {
        let Job { repository, manifest, options, run, .. } = *self;
        let (database, filestore) = (&beside.database, beside.filestore.as_path());
        let copy = RestoredCopy { repository, manifest, database, filestore, sessions: options.jobs };
        verify(&copy, options.depth, run).await?.require()
    }

    /// Makes the copy harmless where the target does not say otherwise, while nobody knows its name yet.
    async fn neutralize(&self, beside: &Beside) -> Result<Option<Neutralized>, Error> {
        let Some(settings) = &self.target.neutralize else { return Ok(None) };
        let _task = self.run.progress.task("neutralization", None);
        let source = self.manifest.odoo.as_ref().and_then(|odoo| odoo.database_uuid.as_deref());
        let neutralized = neutralize(&beside.database, settings, source).await.map_err(Error::Neutralize)?;
        match &neutralized {
            Some(report) => report.warnings.iter().for_each(|warning| self.run.progress.warn(warning)),
            None => self.run.progress.warn("the database is not Odoo's: it was restored as it is, not neutralized"),
        }
        Ok(neutralized)
    }

    /// Connects to the target's server, where nothing may have the target's names.
    async fn reach_server(&self) -> Result<Session, Error> {
        let place = Endpoint::resolve(&self.target.database);
        let server = postgres::connect_maintenance(&place).await?;
        if postgres::database_exists(&server, &place.database).await? {
            return Err(Error::Exists { what: format!("the {place}") });
        }
        let filestore = &self.target.filestore;
        if filestore.symlink_metadata().is_ok() {
            return Err(Error::Exists { what: format!("the filestore {}", filestore.display()) });
        }
        Ok(server)
    }
}

#[cfg(test)]
mod tests;
