//! `odoo-backup unlock`

use engine::repository::{Purpose, StoredClaim};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{plural, table};

/// Lists the locks, and removes those whose owners are gone, or with `force` all.
pub(super) async fn unlock(
    config: Chosen<'_>,
    names: &[String],
    list: bool,
    force: bool,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let mut claims = repository.claims(None).await?;
    claims.retain(|claim| names.is_empty() || names.iter().any(|name| name == claim.instance()));
    if claims.is_empty() {
        return Ok(output.result(&UnlockDocument::default(), || "no locks".to_owned(), Exit::Success));
    }
    let now = repository.store_now().await?;
    let mut locks = Vec::new();
    for claim in claims {
        let alive = !claim.is_dead(now);
        let removed = !list && (force || !alive);
        if removed {
            repository.remove_claim(&claim).await?;
        }
        locks.push(Lock { claim, alive, removed });
    }
    let left = !list && locks.iter().any(|lock| !lock.removed);
    let exit = if left { Exit::Warnings } else { Exit::Success };
    let document = UnlockDocument { locks: locks.iter().map(|lock| lock.document(now)).collect() };
    Ok(output.result(&document, || text(&locks, now, left), exit))
}

struct Lock {
    claim: StoredClaim,
    alive: bool,
    removed: bool,
}

impl Lock {
    fn document(&self, now: Timestamp) -> LockDocument {
        let claim = self.claim.claim.as_ref();
        LockDocument {
            instance: self.claim.instance().to_owned(),
            purpose: claim.map(|claim| claim.purpose),
            host: claim.map(|claim| claim.owner.host.clone()),
            pid: claim.map(|claim| claim.owner.pid),
            since: claim.map(|claim| claim.since),
            renewed_seconds_ago: seconds(&self.claim, now),
            held: claim.is_none_or(|claim| claim.held),
            alive: self.alive,
            removed: self.removed,
        }
    }
}

/// What `unlock` prints.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Unlock)]
pub(super) struct UnlockDocument {
    /// The locks.
    locks: Vec<LockDocument>,
}

/// A lock. What a later version wrote, or what is damaged, says null.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lock)]
struct LockDocument {
    /// The instance.
    instance: String,
    /// What is done while it is held.
    #[schema(required = true)]
    purpose: Option<Purpose>,
    /// The machine of the process that holds it.
    #[schema(required = true)]
    host: Option<String>,
    /// The number of that process.
    #[schema(required = true)]
    pid: Option<u32>,
    /// Since when, by that machine's clock.
    #[schema(required = true)]
    since: Option<Timestamp>,
    /// How long ago the lock was renewed.
    #[schema(minimum = 0)]
    renewed_seconds_ago: i64,
    /// Whether it is held, or still waited for.
    held: bool,
    /// Whether the process may still run.
    alive: bool,
    /// Whether it was removed.
    removed: bool,
}

fn seconds(claim: &StoredClaim, now: Timestamp) -> i64 {
    claim.age(now).as_secs().max(0)
}

fn text(locks: &[Lock], now: Timestamp, left: bool) -> String {
    let rows = locks.iter().map(|lock| {
        let state = match (lock.alive, lock.removed) {
            (true, false) => "owner running",
            (false, false) => "owner gone",
            (true, true) => "removed, the owner stops",
            (false, true) => "removed, owner gone",
        };
        vec![
            lock.claim.describe(),
            plural(seconds(&lock.claim, now).unsigned_abs(), "second") + " ago",
            state.to_owned(),
        ]
    });
    let mut text = table(&["LOCK", "LAST RENEWED", "STATE"], &[1], rows);
    if left {
        text.push_str("locks of running owners were not removed; `--force` removes them, too\n");
    }
    text
}
