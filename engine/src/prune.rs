//! `prune` and `forget`: remove backups that are no longer kept, and unreferenced objects.
//!
//! A manifest is deleted first, then the objects that only it named. So an interruption leaves
//! complete backups and unreferenced objects, and the next run removes those.

mod chains;
mod forecast;
mod inventory;
mod needs;
mod removal;
mod repack;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use retention::{Backup, PlanError, Situation, plan};

pub use self::forecast::{Forgotten, Then, forecast_at, forecast_forget};
pub use self::inventory::frees;
pub use self::removal::Removed;
pub use self::repack::{Repacked, RepackedVolume};
pub use retention::{Decision, Hold, Miss, Plan, Reason, Verdict};

use self::inventory::{Inventory, as_retention_sees};
use self::removal::remove;
use crate::error::{Error, explain};
use crate::instance::Instance;
use crate::manifest::Manifest;
use crate::repository::{
    Accepted, BackupId, BackupRef, Clocks, Damaged, Evidence, Listing, Lock, Purpose, Repository, RepositoryError,
    is_future,
};
use crate::run::Run;

/// How an instance is pruned.
#[derive(Debug, Clone, Copy, Default)]
pub struct PruneOptions {
    /// Report what would be done, and do nothing.
    pub dry_run: bool,
    /// The operator says that the newest backup's figures are right, although they fell.
    pub accept_shrunk: bool,
    /// Repack volumes of which little is needed, even if the instance's retention does not ask for
    /// it.
    pub repack: bool,
}

/// The result of pruning an instance.
#[derive(Debug)]
pub struct Pruned {
    /// What the policy says of each backup.
    pub plan: Plan,
    /// The bytes that are free once a backup to be removed, and all older ones to be removed, are
    /// gone.
    pub frees: BTreeMap<BackupId, u64>,
    /// Backups whose manifest cannot be read. If there are any, nothing was removed, because what
    /// they need is unknown.
    pub damaged: Vec<Damaged>,
    /// The backup whose shrunken figures are accepted from now on.
    pub accepted: Option<BackupId>,
    /// What was removed. Empty after a dry run.
    pub removed: Removed,
    /// What was done about volumes of which little is needed, or in a dry run would be done. `None`
    /// if it was not requested.
    pub repacked: Option<Repacked>,
}

/// Prunes the backups of an instance by its policy.
///
/// # Errors
/// As the cause of [`Error::Verb`]: the instance is locked, or the store failed. The rest is left
/// for the next run.
pub async fn prune(
    repository: &Repository,
    instance: &Instance,
    options: PruneOptions,
    run: &Run,
) -> Result<Pruned, Error> {
    let result = if options.dry_run {
        run.until_cancelled(forecast_all(repository, instance, options)).await
    } else {
        locked(repository, instance, options, run).await
    };
    result.map_err(|error| error.during(format!("prune {}", instance.name)))
}

async fn locked(
    repository: &Repository,
    instance: &Instance,
    options: PruneOptions,
    run: &Run,
) -> Result<Pruned, Error> {
    let pruned = repository.locked_until_cancelled(&instance.name, Purpose::Prune, run, async |lock| {
        carry_out(repository, lock, instance, options).await
    });
    pruned.await
}

async fn carry_out(
    repository: &Repository,
    lock: &Lock,
    instance: &Instance,
    options: PruneOptions,
) -> Result<Pruned, Error> {
    let (mut pruned, inventory) = survey(repository, instance, options, None).await?;
    // An interrupted run changed these manifests, and did not finish.
    for id in &inventory.unsettled {
        repository.settle_checksums(lock, &BackupRef::new(instance.name.as_str(), id.clone())).await?;
    }
    if let Some(newest) = &pruned.accepted {
        let manifest = inventory.manifests.iter().find(|manifest| manifest.id == *newest);
        if let Some(manifest) = manifest {
            let (backup, created_at) = (newest.clone(), manifest.created_at);
            let accepted = Accepted { backup, created_at, accepted_at: Timestamp::now() };
            repository.accept(lock, &instance.name, &accepted).await?;
        }
    }
    if pruned.damaged.is_empty() {
        // The oldest are removed first, so that an interrupted run leaves the younger ones.
        let doomed: Vec<BackupId> = pruned.frees.keys().cloned().collect();
        let why = format!("no rule keeps it ({})", instance.retention.policy);
        let grace = instance.retention.grace();
        pruned.removed = remove(repository, lock, &instance.name, inventory, &doomed, &why, grace).await?;
    }
    if is_to_repack(instance, options) {
        pruned.repacked = Some(repack::repack(repository, lock, instance).await?);
    }
    Ok(pruned)
}

/// Returns what a run would do.
async fn forecast_all(repository: &Repository, instance: &Instance, options: PruneOptions) -> Result<Pruned, Error> {
    let (mut pruned, inventory) = survey(repository, instance, options, None).await?;
    if is_to_repack(instance, options) {
        let doomed: Vec<BackupId> = pruned.frees.keys().cloned().collect();
        pruned.repacked = Some(repack::plan(repository, instance, &inventory, &doomed).await?.0);
    }
    Ok(pruned)
}

fn is_to_repack(instance: &Instance, options: PruneOptions) -> bool {
    options.repack || instance.retention.repack
}

/// Returns what the policy says of the backups of an instance in an existing listing. Nothing is
/// removed by it, so the manifests are not verified.
///
/// # Errors
/// Any error of the store; [`Error::Plan`]
pub async fn forecast(repository: &Repository, instance: &Instance, listing: &Listing) -> Result<Plan, Error> {
    let own = listing.backups.iter().filter(|manifest| manifest.instance == instance.name);
    let backups: Vec<_> = own
        .map(|manifest| {
            let name = manifest.backup();
            let is_damaged = listing.damage.contains_key(&name);
            as_retention_sees(manifest, listing.pinned.contains(&name), listing.evidence.get(&name), is_damaged)
        })
        .collect();
    let mut situation = situation(repository, &instance.name, listing.clocks).await?;
    let evidence = |manifest: &Manifest| listing.evidence.get(&manifest.backup());
    let own = listing.backups.iter().filter(|manifest| manifest.instance == instance.name);
    situation.before_unread_chain =
        before_unread_chain(repository, &instance.name, own, evidence, listing.clocks).await?;
    Ok(plan(&instance.retention.policy, &backups, &situation)?)
}

/// Returns the time, and when the operator last accepted figures.
async fn situation(repository: &Repository, instance: &str, clocks: Clocks) -> Result<Situation, Error> {
    let mut situation = Situation::at(clocks.earlier());
    let accepted = repository.accepted(instance).await?.map(|accepted| accepted.created_at);
    // A date in the future would accept every fall until then.
    situation.figures_accepted = accepted.filter(|date| !is_future(*date, clocks.now()));
    Ok(situation)
}

/// Returns the id of the backup that stays because nothing has read the last full dump back. See
/// [`chains`].
async fn before_unread_chain<'a>(
    repository: &Repository,
    instance: &str,
    manifests: impl Iterator<Item = &'a Manifest> + Clone,
    evidence: impl Fn(&Manifest) -> Option<&'a Evidence>,
    clocks: Clocks,
) -> Result<Option<String>, Error> {
    let Some(candidate) = chains::before_newest(manifests, evidence, clocks) else { return Ok(None) };
    let read = repository.last_read(instance).await?;
    let was_read = candidate.volume.as_ref().is_some_and(|volume| read.get(volume).is_some_and(|read| read.sound));
    Ok((!was_read).then(|| candidate.backup.to_string()))
}

/// Reads what exists, and plans, for now or for another moment.
async fn survey(
    repository: &Repository,
    instance: &Instance,
    options: PruneOptions,
    then: Option<&Then>,
) -> Result<(Pruned, Inventory), Error> {
    // The repository itself decides what is deleted, not the cache.
    let source = if options.dry_run { repository } else { &repository.without_cache() };
    let mut inventory = Inventory::take(source, &instance.name, !options.dry_run).await?;
    let mut backups = inventory.backups();
    let mut situation = situation(repository, &instance.name, inventory.clocks).await?;
    situation.interval = instance.interval;
    let proofs = inventory.listed.evidence(inventory.clocks);
    let evidence = |manifest: &Manifest| proofs.get(&manifest.id);
    let (manifests, clocks) = (inventory.manifests.iter(), inventory.clocks);
    situation.before_unread_chain = before_unread_chain(source, &instance.name, manifests, evidence, clocks).await?;
    if let Some(then) = then {
        situation.now = then.at;
        then.pretend(&mut backups);
    }
    let policy = &instance.retention.policy;
    let planned = |situation: &Situation| -> Result<Plan, Error> {
        let mut plan = plan(policy, &backups, situation)?;
        plan.decisions.retain(|decision| !forecast::is_expected(&decision.id));
        Ok(plan)
    };
    let mut accepted = None;
    let mut made = planned(&situation)?;
    let newest = made.holds.iter().find_map(|hold| match hold {
        Hold::Shrunk { newest, .. } => newest.parse::<BackupId>().ok(),
        Hold::Stale { .. } => None,
    });
    if let Some(newest) = newest.filter(|_| options.accept_shrunk) {
        let created_at = inventory.manifests.iter().find(|manifest| manifest.id == newest);
        situation.figures_accepted = created_at.map(|manifest| manifest.created_at);
        made = planned(&situation)?;
        accepted = Some(newest);
    }
    let doomed: Vec<BackupId> = made.removals().filter_map(|decision| decision.id.parse().ok()).collect();
    let frees = inventory.frees(&doomed);
    let damaged = std::mem::take(&mut inventory.damaged);
    Ok((Pruned { plan: made, frees, damaged, accepted, removed: Removed::default(), repacked: None }, inventory))
}

/// The reason for the removal of a backup that no policy removes.
const FORGOTTEN: &str = "the operator ran `forget`";

/// Removes one backup because the operator says so. Its manifest may be unreadable, or quarantined.
///
/// # Errors
/// As the cause of [`Error::Verb`]: [`RepositoryError::Pinned`]; [`RepositoryError::Precious`]
/// unless `spelt_out`; the instance is locked; the store failed
pub async fn forget(
    repository: &Repository,
    backup: &BackupRef,
    spelt_out: bool,
    grace: Duration,
    run: &Run,
) -> Result<Removed, Error> {
    let BackupRef { instance, id } = backup;
    let forgotten = repository.locked_until_cancelled(instance, Purpose::Forget, run, async |lock| {
        let inventory = Inventory::take(&repository.without_cache(), instance, true).await?;
        refuse_protected(repository, backup, &inventory, spelt_out).await?;
        let is_last = inventory.has_no_other(id);
        let removed = if inventory.listed.is_quarantined(backup) {
            lock.confirm().await?;
            repository.store().delete(&backup.quarantined_manifest()).await?;
            tracing::info!("removed backup {backup}: {FORGOTTEN}");
            let mut removed = remove(repository, lock, instance, inventory, &[], FORGOTTEN, grace).await?;
            removed.backups.push(id.clone());
            removed
        } else {
            let doomed = std::slice::from_ref(id);
            remove(repository, lock, instance, inventory, doomed, FORGOTTEN, grace).await?
        };
        if is_last && removed.backups.contains(id) {
            repository.forget_traces(instance).await?;
        }
        Ok::<_, Error>(removed)
    });
    forgotten.await.map_err(|error| error.during(format!("forget {backup}")))
}

/// Refuses to remove a pinned backup, and a precious one unless the operator spelt out its id.
async fn refuse_protected(
    repository: &Repository,
    backup: &BackupRef,
    inventory: &Inventory,
    spelt_out: bool,
) -> Result<(), RepositoryError> {
    let BackupRef { instance, id } = backup;
    if repository.pins(instance).await?.contains_key(id) {
        return Err(RepositoryError::Pinned { backup: backup.to_string() });
    }
    if !spelt_out && is_precious(&inventory.backups(), id) {
        return Err(RepositoryError::Precious { backup: backup.to_string() });
    }
    Ok(())
}

/// Returns whether it is the newest verified backup, or the only one that can be read.
fn is_precious(backups: &[Backup], id: &BackupId) -> bool {
    let newest_proven = backups.iter().filter(|backup| backup.proven).max_by_key(|backup| backup.created_at);
    let only = match backups {
        [only] => Some(only),
        _ => None,
    };
    newest_proven.into_iter().chain(only).any(|backup| backup.id == id.as_str())
}

/// Removes what interrupted uploads and writes left, unless it is younger than `grace`. Returns the
/// names.
///
/// An upload's age is counted from its start. So while a backup is made or copied anywhere in the
/// repository, only leftovers older than a week are removed.
///
/// # Errors
/// Any error of the store
pub async fn sweep(repository: &Repository, grace: Duration) -> Result<Vec<String>, Error> {
    const LONGEST_UPLOAD: Duration = Duration::from_hours(7 * 24);
    let now = repository.store_now().await?;
    let claims = repository.claims(None).await?;
    // A claim that cannot be read may be a backup's.
    let uploads =
        |purpose: Option<Purpose>| purpose.is_none_or(|purpose| matches!(purpose, Purpose::Backup | Purpose::Copy));
    let busy =
        claims.iter().any(|claim| !claim.is_dead(now) && uploads(claim.claim.as_ref().map(|claim| claim.purpose)));
    let older_than = if busy { grace.max(LONGEST_UPLOAD) } else { grace };
    Ok(repository.store().sweep(older_than).await?)
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

#[cfg(test)]
pub(crate) mod tests;

impl Pruned {
    /// Returns what prevented removals, and what the operator must know of the rest.
    pub fn warnings(&self, instance: &str) -> Vec<String> {
        let held = self.plan.holds.iter().map(|hold| {
            let accept = match hold {
                Hold::Shrunk { .. } => format!(" (`odoo-backup prune {instance} --accept-shrunk`)"),
                Hold::Stale { .. } => String::new(),
            };
            format!("nothing is removed: {hold}; {}{accept}", hold.hint())
        });
        let damaged = self.damaged.iter().map(|damaged| {
            let (id, error) = (&damaged.backup.id, explain(&damaged.error));
            format!(
                "nothing is removed: unable to tell which objects {id} needs: {error}; repair it, or run `odoo-backup forget {instance}/{id}`"
            )
        });
        let future =
            self.plan.future.iter().map(|id| format!("{id} is kept: it is dated in the future, so a clock was wrong"));
        held.chain(damaged).chain(future).chain(self.repacked.iter().flat_map(Repacked::warnings)).collect()
    }
}
