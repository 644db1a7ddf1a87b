//! Tells whether a restored database and its folder match the backup.
//!
//! The expectations were recorded with the backup: the rows of each table, the files of each
//! volume, Odoo's modules, and what the dump itself creates. What was already wrong at the source
//! is reported as known; every other difference is a finding, and one finding is enough to reject
//! the copy.

mod at_source;
mod files;
mod objects;
mod odoo;
mod rows;
mod sequences;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use self::at_source::AtSource;
pub use crate::manifest::{Depth, Verification};

use crate::error::Error;
use crate::manifest::{Check, Manifest, Subject};
use crate::postgres::{self, ArchiveObjects, Endpoint, LeftOut, Misunderstood};
use crate::progress::Task;
use crate::repository::Repository;
use crate::run::Run;

/// A restored pair, and its backup.
#[derive(Debug, Clone, Copy)]
pub struct RestoredCopy<'a> {
    /// Where the backup is.
    pub repository: &'a Repository,
    /// The backup.
    pub manifest: &'a Manifest,
    /// The restored database, unchanged since.
    pub database: &'a Endpoint,
    /// The restored folder.
    pub filestore: &'a Path,
    /// Sessions that count rows in parallel.
    pub sessions: u32,
    /// What of the dump the restore left out.
    pub left_out: &'a [LeftOut],
}

/// Verifies a copy. The result contains the differences.
///
/// # Errors
/// What kept it from looking.
pub async fn verify(copy: &RestoredCopy<'_>, depth: Depth, run: &Run) -> Result<Verification, Error> {
    let started = Instant::now();
    let task = run.progress.task("verification", None);
    let session = postgres::connect(copy.database).await?;
    // Where a policy would hide rows from this role, fail rather than miscount.
    session.batch_execute("SET row_security = off").await.map_err(session.failed("prepare the verification"))?;
    let server = session.query_one("SHOW server_version", &[]).await;
    let server: String = server.map_err(session.failed("read the server's version"))?.get(0);
    let database = async {
        let objects = objects_of_dump(copy).await?;
        let mut checks = vec![rows::check(copy, &session).await?];
        match objects {
            Ok(objects) => {
                checks.push(objects::check_number(&session, &objects, copy.left_out).await?);
                checks.push(objects::check_constraints(&session, &objects).await?);
                checks.push(sequences::check(&session, &objects).await?);
            }
            Err(reason) => {
                let why = format!("the dump's table of contents could not be understood: {reason}");
                let subjects = [Subject::Objects, Subject::Constraints, Subject::Sequences];
                checks.extend(subjects.map(|subject| Check::skipped(subject, why.clone())));
            }
        }
        checks.push(objects::check_indexes(&session).await?);
        Ok(checks)
    };
    let at_source = Arc::new(AtSource::of(copy).await?);
    let files = Box::pin(files::check(copy, depth, at_source.clone()));
    let ((files, expected), mut checks) = tokio::try_join!(files, Box::pin(database))?;
    checks.push(files);
    checks.extend(Box::pin(odoo::check(copy, &session, &expected, &at_source)).await?);
    checks.sort_by_key(|check| check.subject);
    drop(task);
    Ok(Verification { depth, server, checks, duration: started.elapsed() })
}

/// Returns what the dump creates.
async fn objects_of_dump(copy: &RestoredCopy<'_>) -> Result<Result<ArchiveObjects, Misunderstood>, Error> {
    let dump = copy.repository.dump(copy.manifest).await?;
    let left_out = copy.left_out.iter().map(|one| one.id).collect();
    let read = postgres::read_objects(dump.open(Task::default()).await?, &left_out).await;
    read.map_err(|source| Error::Io { action: format!("read {}", dump.name()), source })
}

/// Returns the condition for objects that belong neither to the system nor to an extension: of
/// `catalog`, whose own oid is `oid`.
fn is_own(catalog: &str, oid: &str, schema: &str) -> String {
    format!(
        "{schema} !~ '^pg_' AND {schema} <> 'information_schema' AND NOT EXISTS (
             SELECT FROM pg_depend WHERE classid = '{catalog}'::regclass AND objid = {oid} AND deptype = 'e')"
    )
}

/// Returns a number with its verb, for a sentence that ends in "backed up".
fn were(number: u64) -> String {
    format!("{number} {}", if number == 1 { "was" } else { "were" })
}

#[cfg(test)]
mod tests;
