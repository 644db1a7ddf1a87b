//! `import`: makes a backup of what another program wrote: the zip of Odoo's database manager, or
//! an archive of pg_dump and a filestore.
//!
//! The database is restored into a scratch database, and the files are unpacked into a private
//! folder. Both are backed up like any instance, with counted rows and files checked against the
//! attachments. The scratch database and folder are always removed; after a kill the next import
//! removes them. The file may come from anywhere: nothing in it is trusted.

mod scratch;
mod source;
mod zip;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use crate::error::ImportError;

use self::scratch::Scratch;
use self::source::Source;
use crate::backup::{BackupOptions, Origin, backup_imported};
use crate::error::Error;
use crate::instance::Instance;
use crate::manifest::{ImportedFrom, Manifest};
use crate::postgres::Database;
use crate::repository::{BackupId, BackupRef, Repository};
use crate::run::Run;

/// What is imported, and how.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// A zip, or an archive of pg_dump in its custom format.
    pub file: PathBuf,
    /// The filestore of an archive: a tar, or a folder. `None`: the tar next to it that has its
    /// name, if there is one.
    pub filestore: Option<PathBuf>,
    /// Whether the content is trusted enough to be run by a role that can run programs on its
    /// server.
    pub trusted: bool,
    /// As [`BackupOptions::accept_missing`].
    pub accept_missing: bool,
    /// Continue if it is of another database than the latest backup of the instance.
    pub accept_new_identity: bool,
}

/// What was imported.
#[derive(Debug)]
pub struct Imported {
    /// The resulting backup.
    pub manifest: Manifest,
    /// What was removed of earlier, interrupted imports, in words.
    pub cleared: Vec<String>,
    /// What could not be removed, in words.
    pub left: Vec<String>,
    /// How long it took.
    pub duration: Duration,
}

/// Makes a backup of `instance` from a file, by a scratch database on `server`, of which only the
/// connection is used.
///
/// # Errors
/// The first failure, as the cause of [`Error::Verb`]; [`ImportError`] for what is wrong with the
/// file. Nothing is left then.
pub async fn import(
    repository: &Repository,
    instance: &str,
    server: &Database,
    options: &ImportOptions,
    run: &Run,
) -> Result<Imported, Error> {
    let started = Instant::now();
    let work = async {
        let source = run.until_cancelled(Source::open(options, server)).await?;
        let (created_at, is_known) = moment(&source, repository.clocks().await.earlier());
        let backup = BackupRef::new(instance, BackupId::new(created_at));
        if repository.store().head(&backup.manifest()).await?.is_some() {
            return Err(ImportError::Imported { backup: backup.to_string() }.into());
        }
        // Must not be stopped halfway: what it creates must be recorded to be removed.
        let (scratch, cleared) = Scratch::begin(server, &source, options.trusted, run).await?;
        let made = async {
            let unmade = run.until_cancelled(scratch.with_pulse(run, fill(&scratch, &source, run))).await?;
            let mut origin = origin(&source, &options.file, created_at, is_known);
            origin.warnings.extend(unmade);
            let instance = Instance::new(instance, scratch.database(server), source.filestore(&scratch));
            // It stops and cleans up by itself when the run is cancelled.
            let ImportOptions { accept_missing, accept_new_identity, .. } = *options;
            let backup = BackupOptions { accept_missing, accept_new_identity, ..BackupOptions::of(&instance) };
            backup_imported(repository, &instance, origin, backup, run).await
        };
        let made = made.await;
        let left = scratch.remove().await;
        left.iter().for_each(|text| run.progress.warn(text));
        Ok::<_, Error>(Imported { manifest: made?, cleared, left, duration: started.elapsed() })
    };
    work.await.map_err(|error| error.during(format!("import {} as {instance}", options.file.display())))
}

/// Returns the moment that the backup shows, and whether the file contains it.
fn moment(source: &Source, now: Timestamp) -> (Timestamp, bool) {
    match source.made_at() {
        // The clock was wrong, or in another time zone: a date in the future would disturb every
        // later backup.
        Some(made_at) => (made_at.min(now), true),
        None => (now, false),
    }
}

fn origin(source: &Source, file: &Path, created_at: Timestamp, is_known: bool) -> Origin {
    let mut warnings = source.warnings();
    if !is_known {
        warnings.push("the file has no date: the backup is dated as of its import".to_owned());
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let imported = ImportedFrom { file: name, imported_at: Timestamp::now(), odoo: source.odoo_version() };
    let (database, without_files) = (source.database_name(), source.has_no_files());
    Origin { created_at, database, imported, warnings, without_files }
}

/// Fills database and files in parallel.
async fn fill(scratch: &Scratch, source: &Source, run: &Run) -> Result<Vec<String>, Error> {
    let files = async {
        let task = run.progress.task("filestore", source.filestore_bytes());
        source.unpack(scratch, task).await
    };
    let database = async {
        let task = run.progress.task("database", source.database_bytes());
        source.load(scratch, task).await
    };
    tokio::try_join!(files, database).map(|((), unmade)| unmade)
}

#[cfg(test)]
mod tests;
