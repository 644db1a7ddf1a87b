//! What follows a good backup by default: a prune of its instance, in each repository that has it.

use super::{Hold, PruneOptions, Pruned, Repacked, prune, sweep};
use crate::config::{Config, Instance};
use crate::error::{Error, explain};
use crate::repository::Repository;
use crate::run::Run;
use crate::store::StoreErrorKind;

/// A prune that followed a backup, or the copy of one.
#[derive(Debug)]
pub struct Behind {
    /// Name of the repository that was pruned.
    pub repository: String,
    /// The instance, with the retention that holds in that repository.
    pub instance: Instance,
    /// What was pruned. Where it failed, the backup is there all the same.
    pub pruned: Result<Pruned, Error>,
    /// Temporary files and unfinished uploads of interrupted runs that were removed, by name.
    pub swept: Vec<String>,
    sweep_failed: Option<Error>,
}

impl Behind {
    /// Returns what kept the prune from doing its work. The next one makes up for it.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = match &self.pruned {
            Ok(pruned) => pruned.warnings(&self.instance.name),
            Err(error) => vec![format!("the backup was made, but not pruned: {}{}", explain(error), self.hint(error))],
        };
        warnings.extend(self.sweep_failed.as_ref().map(|error| {
            format!("unable to remove leftovers of interrupted runs: {}{}", explain(error), self.hint(error))
        }));
        warnings
    }

    /// Who may only add to a repository lets somebody else prune it.
    fn hint(&self, error: &Error) -> String {
        if is_denied(error) {
            format!("; where another machine prunes, set `prune = false` in [instance.{}]", self.instance.name)
        } else {
            String::new()
        }
    }
}

/// Prunes an instance in the repository that a good backup of it was just stored in. `instance` has the retention that holds there.
/// Returns `None` where it says `prune = false`.
pub async fn after_backup(repository: &Repository, name: &str, instance: &Instance, run: &Run) -> Option<Behind> {
    if !instance.prune {
        return None;
    }
    let pruned = prune(repository, instance, PruneOptions::default(), run).await;
    let (mut swept, mut sweep_failed) = (Vec::new(), None);
    if pruned.is_ok() {
        match sweep(repository, instance.retention.grace()).await {
            Ok(names) => swept = names,
            Err(error) => sweep_failed = Some(error),
        }
    }
    if !swept.is_empty() {
        tracing::info!("removed leftovers of interrupted runs: {}", swept.join(", "));
    }
    let (repository, instance) = (name.to_owned(), instance.clone());
    Some(Behind { repository, instance, pruned, swept, sweep_failed })
}

/// Prunes an instance in those of the further repositories that a backup of it was just copied to, each by the retention that holds
/// there.
pub async fn after_copies(config: &Config, copied_to: &[String], instance: &Instance, run: &Run) -> Vec<Behind> {
    let mut done = Vec::new();
    for copy in copied_to.iter().filter_map(|name| config.copies.get(name)) {
        let kept_there = copy.instance(instance);
        if !kept_there.prune {
            continue;
        }
        match Repository::at(&copy.place).await {
            Ok(repository) => done.extend(after_backup(&repository, &copy.name, &kept_there, run).await),
            Err(error) => done.push(Behind {
                repository: copy.name.clone(),
                instance: kept_there,
                pruned: Err(error.into()),
                swept: Vec::new(),
                sweep_failed: None,
            }),
        }
    }
    done
}

impl Pruned {
    /// Returns what kept backups from being removed that were to go, and what a person must know of the rest.
    pub fn warnings(&self, instance: &str) -> Vec<String> {
        let held = self.plan.holds.iter().map(|hold| {
            let accept = match hold {
                Hold::Shrunk { .. } => format!(" (`odoo-backup prune {instance} --accept-shrunk`)"),
                Hold::Stale { .. } => String::new(),
            };
            format!("nothing is removed: {hold}; {}{accept}", hold.hint())
        });
        let damaged = self.damaged.iter().map(|damaged| {
            let (id, error) = (&damaged.id, explain(&damaged.error));
            format!(
                "nothing is removed: unable to say which objects {id} needs: {error}; repair it, or run `odoo-backup forget {instance}/{id}`"
            )
        });
        let future =
            self.plan.future.iter().map(|id| format!("{id} is dated in the future: some clock was wrong, it is kept"));
        held.chain(damaged).chain(future).chain(self.repacked.iter().flat_map(Repacked::warnings)).collect()
    }
}

fn is_denied(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        // A field in a box is a cause in a box.
        let boxed = || cause.downcast_ref::<Box<StoreErrorKind>>().map(AsRef::as_ref);
        matches!(cause.downcast_ref().or_else(boxed), Some(StoreErrorKind::Denied(_)))
    })
}
