//! The database half of a restore.

use super::Staging;
use crate::error::Error;
use crate::postgres::{
    self, Aligned, ArchiveEntry, ArchiveError, ArchiveTables, ForcedTable, GuardedFor, LeftOut, Original,
    PostgresError, Restoring, Section, Session, Tools, Tuning,
};
use crate::progress::Task;
use crate::repository::DumpReader;
use crate::restore::Job;
use crate::restore::preflight::omissions::{is_copy, omissions};

/// A database that a dump was restored into.
#[derive(Debug)]
pub(in crate::restore) struct RestoredDatabase {
    /// Number of jobs used.
    pub(in crate::restore) jobs: u32,
    /// What of the dump was left out.
    pub(in crate::restore) left_out: Vec<LeftOut>,
    /// What the operator should know.
    pub(in crate::restore) warnings: Vec<String>,
    /// Tables whose policies are temporarily off for their owner.
    forced: Vec<ForcedTable>,
    /// Keeps other roles from copying the database, which any role with CREATEDB may do while it is
    /// hidden as a template, but not while a session is connected.
    occupied: Session,
}

impl RestoredDatabase {
    /// Lets the database's owner see rows that policies hide, to verify and to change all of them.
    pub(in crate::restore) async fn show_all_rows(&mut self) -> Result<(), Error> {
        self.forced = postgres::suspend_row_security(&self.occupied).await?;
        Ok(())
    }

    /// Restores the policies that [`Self::show_all_rows`] suspended.
    pub(in crate::restore) async fn hide_rows_again(&mut self) -> Result<(), Error> {
        postgres::resume_row_security(&self.occupied, &std::mem::take(&mut self.forced)).await?;
        Ok(())
    }
}

/// Restores the dump into a new, hidden database.
pub(in crate::restore) async fn restore_database(
    job: &Job<'_>,
    server: &Session,
    staging: &Staging,
) -> Result<RestoredDatabase, Error> {
    let Job { repository, manifest, target, options, run, .. } = *job;
    let dump = repository.dump(manifest).await?;
    let tools = Tools::new(target.database.pg_path.as_deref());
    let tool = tools.find("pg_restore", manifest.database.pg_dump_major()).await?;
    let mut toc = postgres::read_toc(&tool, dump.open(Task::default()).await?, dump.name()).await?;
    let entries = entries(&dump).await?;
    let omitted = omissions(server, &entries, is_copy(target, options.identity)).await?;
    let without_tablespaces = omitted.without_tablespaces;
    let Staging { database: endpoint, scratch, .. } = staging;
    postgres::create_hidden_database(server, &endpoint.database, &manifest.server.locale).await?;
    let occupied = postgres::connect(endpoint).await?;
    scratch.create()?;
    let mut tuning = Tuning::of(&occupied, options.jobs).await?;
    let task = run.progress.task("database", Some(dump.stored_bytes()));
    let (skeleton, file) = scratch.file("skeleton.dump")?;
    // A writer of the repository could have put statements into the dump.
    let guarded = |body| match target.trusted {
        true => body,
        false => postgres::guarded(body, dump.name(), GuardedFor::Restore),
    };
    let archive = ArchiveTables::open(guarded(dump.open(task.clone()).await?), file).await;
    if let Err(ArchiveError::Misunderstood(reason)) = &archive {
        run.progress.warn(&format!("restoring with one job, because of the dump: {reason}"));
        tuning = Tuning::of(&occupied, 1).await?;
    }
    // Nothing of a refused or damaged dump is run.
    let archive = match archive {
        Err(ArchiveError::Io(source)) => return Err(unreadable(&dump, source)),
        other => other,
    };
    tracing::info!(tool = %tool, tables = toc.tables(), jobs = tuning.jobs(), memory_per_job = tuning.memory(), "restoring the database");
    let mut aligned = Aligned::default();
    if toc.has_extensions() {
        let restoring = Restoring {
            tool: &tool,
            endpoint,
            toc: &toc,
            tuning: &tuning,
            scratch: &scratch.folder,
            without_tablespaces,
        };
        match &archive {
            Ok(_) => restoring.file(&skeleton, Section::Extensions).await?,
            Err(_) => {
                let archive = guarded(dump.open(Task::default()).await?);
                restoring.stream(archive, Section::Extensions).await?;
            }
        }
        let members = manifest.source.as_ref().map(|source| &source.members);
        let (extensions, major) = (manifest.server.extensions.as_slice(), manifest.server.major());
        aligned = postgres::align_members(&occupied, Original { members, extensions, major }, &entries).await?;
    }
    let (mut left_out, mut warnings) = warnings_of(aligned, &entries);
    warnings.extend(omitted.warnings);
    let known: Vec<_> = left_out.iter().map(|one: &LeftOut| one.id).collect();
    left_out.extend(omitted.left_out.into_iter().filter(|one| !known.contains(&one.id)));
    toc.leave_out(left_out.iter().map(|one| one.id));
    let restoring =
        Restoring { tool: &tool, endpoint, toc: &toc, tuning: &tuning, scratch: &scratch.folder, without_tablespaces };
    match archive {
        Ok(mut archive) => {
            restoring.file(&skeleton, Section::PreData).await?;
            postgres::load_rows(endpoint, &tuning, &mut archive, dump.name()).await?;
            drop(task);
            // It has no counter: indexes and keys take most of its time.
            let _task = run.progress.task("pg_restore", None);
            restoring.file(&skeleton, Section::DataWithoutRows).await?;
            match options.skip_failed_post_data {
                true => {
                    let failed = LeftOut::of(&entries, restoring.post_data_skipping(&skeleton).await?);
                    warnings.extend(failed.iter().map(LeftOut::to_string));
                    left_out.extend(failed);
                }
                false => restoring.file(&skeleton, Section::PostData).await?,
            }
        }
        Err(ArchiveError::Misunderstood(_)) => {
            restoring.stream(guarded(dump.open(task).await?), Section::BehindExtensions).await?;
        }
        Err(ArchiveError::Io(source)) => return Err(unreadable(&dump, source)),
    }
    scratch.remove()?;
    Ok(RestoredDatabase { jobs: tuning.jobs(), left_out, warnings, forced: Vec::new(), occupied })
}

/// Returns the refusal of a dump, or else the error of reading it.
fn unreadable(dump: &DumpReader, source: std::io::Error) -> Error {
    match source.downcast::<PostgresError>() {
        Ok(refused) => refused.into(),
        Err(source) => Error::Io { action: format!("read {}", dump.name()), source },
    }
}

/// Returns what of the dump is left out, and the warnings.
fn warnings_of(aligned: Aligned, entries: &[ArchiveEntry]) -> (Vec<LeftOut>, Vec<String>) {
    if !aligned.altered.is_empty() {
        tracing::info!(functions = ?aligned.altered, "altered functions of extensions as they were at the source");
    }
    let mut warnings = aligned.refused;
    let left_out = LeftOut::of(entries, aligned.left_out);
    warnings.extend(left_out.iter().map(LeftOut::to_string));
    (left_out, warnings)
}

/// Returns the entries of a dump's table of contents; none if it is not understood.
async fn entries(dump: &DumpReader) -> Result<Vec<ArchiveEntry>, Error> {
    let archive = dump.open(Task::default()).await?;
    let read = postgres::read_entries(archive).await;
    let read = read.map_err(|source| Error::Io { action: format!("read {}", dump.name()), source })?;
    Ok(read.unwrap_or_else(|reason| {
        tracing::warn!(%reason, "unable to understand the dump's table of contents");
        Vec::new()
    }))
}
