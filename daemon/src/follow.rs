//! What follows a good backup, made by the daemon or on the command line: its copies, and a prune
//! in each repository that has it.

use config::{Config, InstanceConfig, MAIN, explain};
use engine::copy::{Copied, copy, newer};
use engine::error::Error;
use engine::manifest::Manifest;
use engine::prune::{PruneOptions, Pruned, prune, sweep};
use engine::repository::Repository;
use engine::run::Run;
use engine::store::StoreErrorKind;

/// A backup that was just stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// Where it is.
    pub repository: &'a Repository,
    /// The repository's name in the configuration.
    pub name: &'a str,
    /// The backup.
    pub manifest: &'a Manifest,
}

/// What followed a backup. If it failed, the backup exists all the same, and the next run makes up
/// for it.
#[derive(Debug)]
pub struct Followed {
    /// Copies, each by the name of the repository.
    pub copies: Vec<(String, Result<Copied, Error>)>,
    /// Prunes: first in the repository of the backup, then in those of the copies.
    pub prunes: Vec<PruneIn>,
}

impl Followed {
    /// Returns whether nothing of it needs a warning.
    pub fn is_clean(&self) -> bool {
        let is_copied = |copied: &Result<Copied, Error>| {
            copied.as_ref().is_ok_and(|copied| copied.damaged.is_empty() && copied.set_aside.is_empty())
        };
        self.copies.iter().all(|(_, copied)| is_copied(copied))
            && self.prunes.iter().all(|prune| prune.warnings().is_empty())
    }
}

/// A prune in one of the repositories.
#[derive(Debug)]
pub struct PruneIn {
    /// The repository's name in the configuration.
    pub repository: String,
    /// The instance, with the retention that holds in that repository.
    pub instance: InstanceConfig,
    /// What was pruned.
    pub pruned: Result<Pruned, Error>,
    /// Temporary files and unfinished uploads of interrupted runs that were removed, by name.
    pub swept: Vec<String>,
    sweep_failed: Option<Error>,
}

impl PruneIn {
    /// Returns what kept the prune from doing its work.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = match &self.pruned {
            Ok(pruned) => pruned.warnings(self.instance.name()),
            Err(error) => vec![format!("the backup was made, but not pruned: {}{}", explain(error), self.hint(error))],
        };
        warnings.extend(self.sweep_failed.as_ref().map(|error| {
            format!("unable to remove leftovers of interrupted runs: {}{}", explain(error), self.hint(error))
        }));
        warnings
    }

    /// Returns a hint for a user who may only add to a repository and leaves the prune to another
    /// machine.
    fn hint(&self, error: &Error) -> String {
        if is_denied(error) {
            format!("; if another machine prunes, set `prune = false` in [instance.{}]", self.instance.name())
        } else {
            String::new()
        }
    }
}

/// Copies a backup to each repository that is to have it, and, with `prune_too`, prunes its
/// instance in all that have it. A backup in a repository of copies is not copied further.
pub async fn follow(
    config: &Config,
    stored: Stored<'_>,
    instance: &InstanceConfig,
    prune_too: bool,
    run: &Run,
) -> Followed {
    let copies = if stored.name == MAIN { copy_all(config, stored, run).await } else { Vec::new() };
    let mut prunes = Vec::new();
    if prune_too && !run.cancel.is_cancelled() {
        let kept_there = config.kept_in(stored.name, instance);
        prunes.extend(prune_in(async { Ok(stored.repository.clone()) }, stored.name, kept_there, run).await);
        for (name, _) in copies.iter().filter(|(_, copied)| copied.is_ok()) {
            let Some(copy) = config.copies.get(name) else { continue };
            let opened = async { Ok(Repository::at(&copy.place).await?) };
            prunes.extend(prune_in(opened, name, copy.instance(instance), run).await);
        }
    }
    Followed { copies, prunes }
}

/// Copies the backup, and those that earlier copies missed. A failing repository does not affect
/// the others.
async fn copy_all(config: &Config, stored: Stored<'_>, run: &Run) -> Vec<(String, Result<Copied, Error>)> {
    let Stored { repository: from, manifest: made, .. } = stored;
    let mut done = Vec::new();
    for place in config.copies.values().filter(|copy| copy.after_backup) {
        let copied = async {
            let to = Repository::at(&place.place).await?;
            let mut backups = newer(from, &to, Some(&made.instance)).await?;
            backups.push(made.backup());
            copy(from, &to, &backups, run).await
        };
        done.push((place.name.clone(), copied.await));
    }
    done
}

/// Prunes an instance in one repository, which is opened only where the configuration wants the
/// prune.
async fn prune_in(
    repository: impl Future<Output = Result<Repository, Error>>,
    name: &str,
    instance: InstanceConfig,
    run: &Run,
) -> Option<PruneIn> {
    if !instance.prune {
        return None;
    }
    let (mut swept, mut sweep_failed) = (Vec::new(), None);
    let pruned = match repository.await {
        Ok(repository) => {
            let pruned = prune(&repository, &instance.instance, PruneOptions::default(), run).await;
            if pruned.is_ok() {
                match sweep(&repository, instance.instance.retention.grace()).await {
                    Ok(names) => swept = names,
                    Err(error) => sweep_failed = Some(error),
                }
            }
            pruned
        }
        Err(error) => Err(error),
    };
    if !swept.is_empty() {
        tracing::info!("removed leftovers of interrupted runs: {}", swept.join(", "));
    }
    Some(PruneIn { repository: name.to_owned(), instance, pruned, swept, sweep_failed })
}

/// Returns whether the store denied access.
fn is_denied(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let boxed = || cause.downcast_ref::<Box<StoreErrorKind>>().map(AsRef::as_ref);
        matches!(cause.downcast_ref().or_else(boxed), Some(StoreErrorKind::Denied(_)))
    })
}
