//! What a run does: the engine's verbs, each behind an [`Order`].

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use engine::backup::{BackupOptions, Made, backup, backup_unless_made};
use engine::check::{CheckOptions, Sample, check};
use engine::config::{Config, Instance, RepositoryConfig};
use engine::copy::after_backup;
use engine::drill::{self, DrillOptions};
use engine::error::explain;
use engine::manifest::Manifest;
use engine::postgres::Tools;
use engine::prune::{PruneOptions, prune};
use engine::repository::{Repository, RepositoryError};
use engine::run::Run;
use jiff::Timestamp;
use tokio::sync::{Mutex, oneshot};
use tracing::{Instrument, Span};

use crate::agenda::Job;
use crate::failure::Failure;
use crate::journal::Outcome;

/// What is to be done to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Back it up.
    Backup {
        /// Read every file, also those that earlier backups hold.
        reread: bool,
    },
    /// Check its backups.
    Check {
        /// How much is read back. `None`: as the configuration says.
        read_data: Option<Sample>,
    },
    /// Restore its latest backup, verify the copy, and drop it.
    Drill,
}

impl Order {
    /// The job that this is.
    pub fn job(self) -> Job {
        match self {
            Self::Backup { .. } => Job::Backup,
            Self::Check { .. } => Job::Check,
            Self::Drill => Job::Drill,
        }
    }

    /// What a schedule orders.
    pub(crate) fn of_schedule(job: Job) -> Self {
        match job {
            Job::Backup => Self::Backup { reread: false },
            Job::Check => Self::Check { read_data: None },
            Job::Drill => Self::Drill,
        }
    }
}

/// One attempt's work.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) config: &'a Config,
    pub(crate) instance: &'a Instance,
    pub(crate) order: Order,
    /// The slot that is served; a backup that another made since then serves it as well.
    pub(crate) slot: Option<Timestamp>,
    pub(crate) run: &'a Run,
}

/// Does what is ordered. Tests put something else in the engine's place.
#[async_trait]
pub(crate) trait Worker: Send + Sync {
    /// Does it, or stops soon after `work.run` is cancelled.
    async fn work(&self, work: Work<'_>) -> Result<Outcome, Failure>;
}

/// The repository of a configuration, opened once.
#[derive(Debug, Default)]
pub(crate) struct Connection(Mutex<Option<(RepositoryConfig, Repository)>>);

impl Connection {
    /// The open repository; opened anew where the configuration names another one.
    pub(crate) async fn repository(&self, config: &RepositoryConfig) -> Result<Repository, RepositoryError> {
        let mut open = self.0.lock().await;
        if let Some((_, repository)) = open.as_ref().filter(|(opened, _)| opened == config) {
            return Ok(repository.clone());
        }
        let repository = Repository::at(config).await?;
        *open = Some((config.clone(), repository.clone()));
        Ok(repository)
    }
}

/// Does it by the engine.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub(crate) connection: Arc<Connection>,
}

#[async_trait]
impl Worker for Engine {
    async fn work(&self, work: Work<'_>) -> Result<Outcome, Failure> {
        let repository = self.connection.repository(&work.config.repository).await?;
        match work.order {
            Order::Backup { reread } => back_up(&repository, &work, reread).await,
            Order::Check { read_data } => check_all(&repository, &work, read_data).await,
            Order::Drill => drill_latest(&repository, &work).await,
        }
    }
}

async fn back_up(repository: &Repository, work: &Work<'_>, reread: bool) -> Result<Outcome, Failure> {
    let options = BackupOptions { reread, ..BackupOptions::default() };
    let manifest = match work.slot {
        None => backup(repository, work.instance, options, work.run).await?,
        Some(slot) => match backup_unless_made(repository, work.instance, slot, options, work.run).await? {
            Made::Now(manifest) => *manifest,
            Made::Before(_) => return Ok(Outcome::Elsewhere),
        },
    };
    let mut warnings = manifest.warnings.clone();
    for (to, copied) in after_backup(work.config, repository, &manifest, work.run).await {
        warnings.extend(match copied {
            Ok(copied) => copied.damaged.iter().map(ToString::to_string).collect(),
            // The backup is there, and the next copy makes up for it: to back up again would not help.
            Err(error) => vec![format!("no copy in {to}: {}", explain(&error))],
        });
    }
    let mut figures = figures_of(&manifest);
    prune_behind(repository, work, &mut figures, &mut warnings).await;
    Ok(Outcome::Done { figures, backup: Some(manifest.id), warnings })
}

/// Prunes an instance that says what is to stay. The backup is made: what goes wrong here is a warning, and the next one's prune does it.
async fn prune_behind(
    repository: &Repository,
    work: &Work<'_>,
    figures: &mut BTreeMap<String, u64>,
    warnings: &mut Vec<String>,
) {
    let instance = work.instance;
    if !instance.retention.is_configured {
        return;
    }
    match prune(repository, instance, PruneOptions::default(), work.run).await {
        Ok(pruned) => {
            let held = pruned.plan.holds.iter().map(|hold| format!("nothing is removed: {hold}; {}", hold.hint()));
            warnings.extend(held);
            let damaged = pruned.damaged.iter().map(|damaged| {
                let error = explain(&damaged.error);
                format!("nothing is removed, for what {} needs is not known: {error}", damaged.id)
            });
            warnings.extend(damaged);
            figures.insert("removed_backups".to_owned(), pruned.removed.backups.len() as u64);
            figures.insert("removed_bytes".to_owned(), pruned.removed.bytes);
        }
        Err(error) => warnings.push(format!("the backup is made, but not pruned: {}", explain(&error))),
    }
}

fn figures_of(manifest: &Manifest) -> BTreeMap<String, u64> {
    let figures = [
        ("stored_bytes", manifest.stored_bytes()),
        ("database_bytes", manifest.database.object.plain.size),
        ("filestore_bytes", manifest.filestore.bytes),
        ("filestore_files", manifest.filestore.files),
    ];
    figures.map(|(name, figure)| (name.to_owned(), figure)).into()
}

/// How many findings stand in the error itself.
const SHOWN: usize = 5;

async fn check_all(repository: &Repository, work: &Work<'_>, read_data: Option<Sample>) -> Result<Outcome, Failure> {
    let instance = work.instance;
    let configured = instance.routine.check.as_ref().and_then(|check| check.read_data);
    let options =
        CheckOptions { read_data: read_data.or(configured), tools: Tools::new(instance.database.pg_path.as_deref()) };
    let backups = repository.names(Some(&instance.name)).await?;
    let report = check(repository, &backups, &options, work.run).await?;
    if !report.is_sound() {
        let objects = report.damaged_objects();
        let findings = objects.iter().map(|object| format!("{}: {}", object.key, object.reasons.join(", ")));
        return Err(Failure::Damage {
            instance: instance.name.clone(),
            damaged: report.backups.iter().filter(|backup| !backup.damage.is_empty()).count(),
            checked: report.backups.len(),
            findings: findings.take(SHOWN).collect(),
        });
    }
    let mut figures = BTreeMap::from([("checked_backups".to_owned(), report.backups.len() as u64)]);
    if let Some(read) = report.read {
        figures.insert("read_bytes".to_owned(), read.bytes);
    }
    Ok(Outcome::Done { backup: None, warnings: Vec::new(), figures })
}

/// More jobs than this do not make pg_restore faster on the machines that Odoo runs on, and production may run on this one.
const MOST_JOBS: usize = 4;

async fn drill_latest(repository: &Repository, work: &Work<'_>) -> Result<Outcome, Failure> {
    let instance = work.instance;
    let manifest = repository.find("latest", Some(&instance.name)).await?;
    let place = drill::place(work.config, &instance.name, None).map_err(|unknown| Failure::Gone(unknown.name))?;
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let jobs = u32::try_from(processors.min(MOST_JOBS)).unwrap_or(1);
    let options = DrillOptions { jobs, parallel_volumes: jobs, depth: instance.drill.depth };
    let (config, repository, run) = (work.config.clone(), repository.clone(), work.run.clone());
    let drilled = on_a_thread(async move || {
        let drilled = drill::drill(&config, &repository, &manifest, &place, options, &run);
        drilled.await.map_err(Failure::from)
    });
    let drilled = drilled.await?;
    let milliseconds = u64::try_from(drilled.timings.total.as_millis()).unwrap_or(u64::MAX);
    let figures = [
        ("restored_files", drilled.files),
        ("restored_file_bytes", drilled.bytes),
        ("restore_milliseconds", milliseconds),
    ];
    Ok(Outcome::Done {
        backup: Some(drilled.backup),
        warnings: drilled.warnings,
        figures: figures.map(|(name, figure)| (name.to_owned(), figure)).into(),
    })
}

/// As much as a program's first thread has: a restore's steps are nested deeper than the two MiB of tokio's threads hold.
const STACK: usize = 8 << 20;

/// Does what cannot go from one thread to another: the compiler does not see that a restore can, because of closures in its streams
/// (rust-lang/rust#102211). It ends by its own token; whoever waits for it no more does not stop it.
async fn on_a_thread<T: Send + 'static>(
    work: impl AsyncFnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (runtime, span) = (tokio::runtime::Handle::current(), Span::current());
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("drill".into()).stack_size(STACK);
    let begun = thread.spawn(move || {
        let done = runtime.block_on(Box::pin(work()).instrument(span));
        // Nobody may wait for it any more.
        let _ = sender.send(done);
    });
    begun.map_err(|error| Failure::Fault(error.to_string()))?;
    receiver.await.unwrap_or_else(|_| Err(Failure::Fault("the thread of the drill has ended".into())))
}

#[cfg(test)]
mod tests;
