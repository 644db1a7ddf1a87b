//! What restores a backup: into a target, or for a drill.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use config::drill_place;
use engine::drill::{self, DrillOptions};
use engine::error::Error;
use engine::manifest::Manifest;
use engine::postgres::Endpoint;
use engine::repository::{BackupId, Repository};
use engine::restore::{Former, RestoreOptions, Restored, RestoredFiles, TargetIdentity, Undone, restore, undo};
use engine::verify::Depth;
use tracing::{Instrument, Span};

use super::Work;
use crate::failure::Failure;
use crate::journal::{RunOutcome, RunProof};
use crate::sources::{Sources, WantedBackup};

/// More do not make a restore faster on the machines that Odoo runs on.
const MOST_JOBS: u32 = 8;

/// How many parts of a restore or a drill run in parallel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jobs {
    /// Sessions that load the database, and jobs of pg_restore.
    pub database: u32,
    /// Volumes that are unpacked in parallel.
    pub volumes: u32,
}

impl Jobs {
    /// Returns the requested number, by default the number of processors, at most eight.
    /// Never more volumes than that are unpacked in parallel.
    pub fn of(wanted: Option<u32>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::on(processors, wanted)
    }

    fn on(processors: usize, wanted: Option<u32>) -> Self {
        let database = wanted.unwrap_or_else(|| u32::try_from(processors).unwrap_or(MOST_JOBS).min(MOST_JOBS));
        Self { database, volumes: database.min(MOST_JOBS) }
    }
}

/// Restores the latest backup, verifies the copy and drops it.
pub(super) async fn drill_latest(sources: &Sources<'_>, work: &Work<'_>) -> Result<RunOutcome, Failure> {
    let instance = work.instance;
    let place = drill_place(work.config, &instance.instance.name, None)?;
    let Jobs { database: jobs, volumes: parallel_volumes } = Jobs::of(None);
    let options = DrillOptions { jobs, parallel_volumes, depth: instance.drill.depth };
    let wanted = WantedBackup { selector: "latest", instance: Some(&instance.instance.name) };
    let drill = |repository: Repository, manifest: Manifest| {
        let (protected, run, place) = (work.config.protected(), work.run.clone(), place.clone());
        in_a_task(async move { drill::drill(&repository, &manifest, &place, &protected, options, &run).await })
    };
    let done = sources.with_first_intact(wanted, work.run, &warn, drill).await?;
    let drilled = done.result?;
    let figures = figures(&drilled.filestore, drilled.timings.total);
    let warnings = [done.passed_over, drilled.warnings].concat();
    let proof = drilled.proof.as_ref().map(RunProof::from);
    Ok(RunOutcome::Done { backup: Some(drilled.backup), warnings, figures, removed: Vec::new(), proof })
}

/// Restores a backup into a target, always as a copy: what looks like production is refused. What
/// the target was before is kept.
pub(super) async fn restore_to(
    sources: &Sources<'_>,
    work: &Work<'_>,
    target: &str,
    backup: &BackupId,
) -> Result<RunOutcome, Failure> {
    let target = work.config.target(target)?;
    let Jobs { database: jobs, volumes: parallel_volumes } = Jobs::of(None);
    let options = RestoreOptions {
        jobs,
        parallel_volumes,
        depth: Depth::Quick,
        drop_previous: false,
        identity: TargetIdentity::Copy,
        wait: None,
        skip_failed_post_data: false,
    };
    tracing::info!(target = target.name, database = %Endpoint::resolve(&target.database), filestore = %target.filestore.display(), "restoring {backup}");
    let selector = format!("{}/{backup}", work.instance.instance.name);
    let wanted = WantedBackup { selector: &selector, instance: None };
    let restore = |repository: Repository, manifest: Manifest| {
        let (protected, run, target) = (work.config.protected(), work.run.clone(), target.clone());
        in_a_task(async move { restore(&repository, &manifest, &target, &protected, options, &run).await })
    };
    let done = sources.with_first_intact(wanted, work.run, &warn, restore).await?;
    let restored = done.result?;
    tell(&target.name, &work.config.path, &restored);
    let figures = figures(&restored.filestore, restored.timings.total);
    let warnings = [done.passed_over, restored.warnings].concat();
    let proof = restored.proof.as_ref().map(RunProof::from);
    Ok(RunOutcome::Done { backup: Some(backup.clone()), warnings, figures, removed: Vec::new(), proof })
}

/// Brings back a target's state from before the last restore. What looks like production is
/// refused.
pub(super) async fn undo_in(work: &Work<'_>, target: &str) -> Result<RunOutcome, Failure> {
    let target = work.config.target(target)?;
    tracing::info!(target = target.name, database = %Endpoint::resolve(&target.database), filestore = %target.filestore.display(), "restoring the previous state");
    let undo = {
        let (protected, run, target) = (work.config.protected(), work.run.clone(), target.clone());
        in_a_task(async move { undo(&protected, &target, TargetIdentity::Copy, None, &run).await })
    };
    let Undone { former, cleared, warnings, duration } = undo.await??;
    tell_kept(&target.name, &work.config.path, former.as_ref(), &cleared);
    let figures = BTreeMap::from([("restore_milliseconds".to_owned(), milliseconds(duration))]);
    Ok(RunOutcome::Done { backup: None, warnings, figures, removed: Vec::new(), proof: None })
}

/// Logs what was passed over as soon as it is known. The outcome has it as warnings.
fn warn(text: &str) {
    tracing::warn!("{text}");
}

/// Logs what operators want to know afterwards.
fn tell(target: &str, config: &Path, restored: &Restored) {
    match &restored.neutralized {
        Some(report) => {
            tracing::info!(assertions = report.assertions.len(), database_uuid = %report.database_uuid, "neutralized");
        }
        None => tracing::warn!(
            "the copy is not neutralized, and is as live as its original: the target has `neutralize = false`, or it is no Odoo database"
        ),
    }
    tell_kept(target, config, restored.former.as_ref(), &restored.cleared);
}

/// Logs what was cleaned up, and how the state that was replaced is brought back.
fn tell_kept(target: &str, config: &Path, former: Option<&Former>, cleared: &[String]) {
    for cleared in cleared {
        tracing::info!("cleaned up: {cleared}");
    }
    if let Some(Former { database, filestore }) = former {
        let filestore = filestore.as_ref().map(|folder| folder.display().to_string());
        tracing::info!(
            database,
            filestore,
            "the previous state of {target} is kept; run `odoo-backup --config {} restore --undo --to {target}` to restore it",
            config.display()
        );
    }
}

fn figures(restored: &RestoredFiles, took: Duration) -> BTreeMap<String, u64> {
    let figures = [
        ("restored_files", restored.files),
        ("restored_file_bytes", restored.bytes),
        ("restore_milliseconds", milliseconds(took)),
    ];
    figures.map(|(name, figure)| (name.to_owned(), figure)).into()
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// Does `work` in a task of its own, which ends by its own token: dropping this future does not
/// stop it. A task that panicked says nothing about the backup and the repository, and so is part
/// of the result.
async fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<Result<T, Failure>, Error> {
    // On the heap: in a debug build it outgrows the stack of a worker.
    match tokio::spawn(Box::pin(work).instrument(Span::current())).await {
        Ok(done) => done.map(Ok),
        Err(error) => Ok(Err(Failure::Fault(error.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::Jobs;

    #[test]
    fn jobs_follow_processors_up_to_eight() {
        for (processors, wanted, database, volumes) in
            [(1, None, 1, 1), (6, None, 6, 6), (64, None, 8, 8), (64, Some(2), 2, 2), (2, Some(64), 64, 8)]
        {
            assert_eq!(Jobs::on(processors, wanted), Jobs { database, volumes }, "{processors}, {wanted:?}");
        }
    }
}
