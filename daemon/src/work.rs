//! What a run does: the engine's verbs, each behind an [`Order`].

mod backup;
mod hooked;
mod restore;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use config::{Config, InstanceConfig};
use engine::check::{CheckOptions, Sample};
use engine::postgres::Tools;
use engine::repository::{BackupId, Flaw, Repository};
use engine::run::Run;
use jiff::Timestamp;

use self::backup::back_up;
pub(crate) use self::hooked::between_hooks;
pub use self::restore::Jobs;
use self::restore::{drill_latest, restore_to, undo_in};
use crate::agenda::Job;
use crate::failure::Failure;
use crate::journal::RunOutcome;
use crate::sources::Connection;
use crate::sources::Sources;

/// What is to be done to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Restore a backup of it into a target, as a copy: never in production's place.
    Restore {
        /// The target's name.
        target: String,
        /// Which backup.
        backup: BackupId,
    },
    /// Bring back a target's state from before the last restore.
    Undo {
        /// The target's name.
        target: String,
    },
}

impl Order {
    /// Returns its job.
    pub fn job(&self) -> Job {
        match self {
            Self::Restore { .. } => Job::Restore,
            Self::Undo { .. } => Job::Undo,
            Self::Backup { .. } => Job::Backup,
            Self::Check { .. } => Job::Check,
            Self::Drill => Job::Drill,
        }
    }

    /// Returns the target that it replaces, if any.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Restore { target, .. } | Self::Undo { target } => Some(target),
            Self::Backup { .. } | Self::Check { .. } | Self::Drill => None,
        }
    }

    /// Returns the order of a schedule.
    pub(crate) fn of_schedule(job: Job) -> Option<Self> {
        match job {
            Job::Backup => Some(Self::Backup { reread: false }),
            Job::Check => Some(Self::Check { read_data: None }),
            Job::Drill => Some(Self::Drill),
            Job::Restore | Job::Undo => None,
        }
    }
}

/// One attempt's work.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) config: &'a Config,
    pub(crate) instance: &'a InstanceConfig,
    pub(crate) order: &'a Order,
    /// The slot that is served; a backup that another made since then serves it as well.
    pub(crate) slot: Option<Timestamp>,
    pub(crate) run: &'a Run,
}

/// Executes orders. Tests replace the engine by it.
#[async_trait]
pub(crate) trait Worker: Send + Sync {
    /// Executes it, or stops soon after `work.run` is cancelled.
    async fn work(&self, work: Work<'_>) -> Result<RunOutcome, Failure>;
}

/// Does it by the engine.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub(crate) connection: Arc<Connection>,
}

#[async_trait]
impl Worker for Engine {
    async fn work(&self, work: Work<'_>) -> Result<RunOutcome, Failure> {
        // What reads goes by the first repository that has an intact copy, which need not be this
        // one.
        let sources = Sources::of(work.config).with_connection(&self.connection);
        match work.order {
            Order::Backup { reread } => {
                let repository = self.connection.repository(&work.config.repository).await?;
                back_up(&repository, &work, *reread).await
            }
            Order::Check { read_data } => {
                let repository = self.connection.repository(&work.config.repository).await?;
                check_all(&repository, &work, *read_data).await
            }
            Order::Drill => drill_latest(&sources, &work).await,
            Order::Restore { target, backup } => restore_to(&sources, &work, target, backup).await,
            Order::Undo { target } => undo_in(&work, target).await,
        }
    }
}

/// The most findings in the error itself.
const SHOWN: usize = 5;

async fn check_all(repository: &Repository, work: &Work<'_>, read_data: Option<Sample>) -> Result<RunOutcome, Failure> {
    let instance = work.instance;
    let configured = instance.routine.check.as_ref().and_then(|check| check.read_data);
    let options = CheckOptions {
        read_data: read_data.or(configured),
        tools: Tools::new(instance.instance.database.pg_path.as_deref()),
    };
    let report = engine::check::check_all(repository, Some(&instance.instance.name), &options, work.run).await?;
    if !report.is_sound() {
        let objects = report.damaged_objects();
        let findings = objects.iter().map(|object| format!("{}: {}", object.key, object.reasons.join(", ")));
        return Err(Failure::Damage {
            instance: instance.instance.name.clone(),
            damaged: report.backups.iter().filter(|backup| !backup.damage.is_empty()).count(),
            checked: report.backups.len(),
            findings: findings.take(SHOWN).collect(),
        });
    }
    let future = report.future.iter().map(|backup| format!("{}: {}", backup.id, Flaw::Future));
    let wrong: Vec<String> = report.alarms.iter().cloned().chain(future).collect();
    if !wrong.is_empty() {
        return Err(Failure::Suspect { instance: instance.instance.name.clone(), wrong });
    }
    let mut figures = BTreeMap::from([("checked_backups".to_owned(), report.backups.len() as u64)]);
    if let Some(read) = report.read {
        figures.insert("read_bytes".to_owned(), read.bytes);
    }
    Ok(RunOutcome::Done { backup: None, warnings: Vec::new(), figures, removed: Vec::new(), proof: None })
}

#[cfg(test)]
mod tests;
