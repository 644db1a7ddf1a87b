//! Acquires a lock: store a claim, list the claims, and hold the lock once no other claim
//! conflicts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use jiff::Timestamp;

use super::claim::{Claim, Name, StoredClaim, folder};
use super::renewal::OwnClaim;
use super::{Lock, LockError, Owner, Purpose, Times};
use crate::backoff::Backoff;
use crate::repository::{BackupId, RepositoryError};
use crate::run::Run;
use crate::store::{Key, Object, Store, StoreErrorKind, read_document};

/// A request for a lock.
pub(super) struct Wish<'a> {
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) instance: &'a str,
    pub(super) purpose: Purpose,
    pub(super) backups: &'a [BackupId],
    pub(super) times: Times,
    pub(super) run: &'a Run,
}

/// What to do after a look at the other claims.
enum Step {
    /// No claim conflicts.
    Hold,
    /// The conflicting claims will be gone soon.
    Wait,
    /// Another waiting claim goes first: this claim must be withdrawn.
    Withdraw,
    /// A conflicting claim will not be gone soon.
    Refuse(LockError),
}

impl Wish<'_> {
    pub(super) async fn fulfil(&self) -> Result<Lock, RepositoryError> {
        let mut watch = Watch::default();
        loop {
            let lock = self.claim().await?;
            if self.purpose == Purpose::Read {
                return Ok(lock);
            }
            let outcome = match self.run.until_cancelled(self.until_alone(&lock, &mut watch)).await {
                Ok(true) => return Ok(lock),
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            lock.release().await;
            outcome?;
            // A random delay, so that processes that collided do not return at the same moment.
            let part = getrandom::u32().map_err(RepositoryError::Random)?;
            let pause = Backoff::constant(self.times.poll).spread(1, part);
            let paused = async {
                tokio::time::sleep(pause).await;
                Ok::<_, RepositoryError>(())
            };
            self.run.until_cancelled(paused).await?;
        }
    }

    async fn claim(&self) -> Result<Lock, RepositoryError> {
        let claim = Claim {
            purpose: self.purpose,
            instance: self.instance.to_owned(),
            backups: self.backups.to_vec(),
            owner: Owner::this(),
            since: Timestamp::now(),
            lease: self.times.lease,
            held: self.purpose == Purpose::Read,
        };
        let key = Name::draw(self.purpose)?.key(self.instance);
        let own = OwnClaim::store(self.store.clone(), key, claim, self.times).await?;
        Ok(Lock::keep(own, self.purpose, self.run))
    }

    /// Returns whether the claim became the lock. Otherwise the claim must be withdrawn and stored
    /// again.
    async fn until_alone(&self, lock: &Lock, watch: &mut Watch) -> Result<bool, RepositoryError> {
        loop {
            match self.look(lock, watch).await? {
                Step::Hold => {
                    lock.own.announce().await?;
                    return Ok(true);
                }
                Step::Withdraw => return Ok(false),
                Step::Refuse(error) => return Err(RepositoryError::from(error)),
                Step::Wait => tokio::time::sleep(self.times.poll).await,
            }
        }
    }

    async fn look(&self, lock: &Lock, watch: &mut Watch) -> Result<Step, RepositoryError> {
        let listed: Vec<Object> = self.store.list(Some(&folder(self.instance, ""))).try_collect().await?;
        if !listed.iter().any(|object| object.key == lock.own.key) {
            // Another process removed the claim, unless the listing is wrong.
            let location = self.store.location();
            return match self.store.head(&lock.own.key).await? {
                None => Ok(Step::Withdraw),
                Some(_) => Err(LockError::StaleListing { location }.into()),
            };
        }
        let (own, now) = (Name::of(&lock.own.key), lock.own.now().await);
        let mut step = Step::Hold;
        for object in listed {
            let name = Name::of(&object.key);
            if object.key == lock.own.key || !name.conflicts_with(self.purpose) {
                continue;
            }
            let Some(other) = read(self.store, object).await? else { continue };
            if watch.is_dead(&other, now, self.times) {
                self.take_over(&other, now).await?;
                continue;
            }
            let waits = other.claim.as_ref().is_some_and(|claim| !claim.held);
            let short = name.purpose.is_some_and(Purpose::is_short);
            let refused = || LockError::Held {
                holder: other.describe(),
                age: u64::try_from(other.age(now).as_secs()).unwrap_or(0),
            };
            if waits && name.id > own.id {
                // The other process will see this claim and withdraw.
            } else if waits {
                return Ok(Step::Withdraw);
            } else if (!short && !other.has_lapsed(now) && !other.is_from_the_future(now))
                || watch.began.elapsed() > self.times.patience
            {
                return Ok(Step::Refuse(refused()));
            } else if !std::mem::replace(&mut watch.warned, true) {
                self.run.progress.warn(&format!("waiting: {}", other.describe()));
            }
            step = Step::Wait;
        }
        Ok(step)
    }

    async fn take_over(&self, other: &StoredClaim, now: Timestamp) -> Result<(), RepositoryError> {
        let why = match other.has_ended() {
            true => "that process has ended".to_owned(),
            false if other.is_from_the_future(now) => "it is dated in the future, and was not renewed".to_owned(),
            false => format!("it was not renewed for {} seconds", other.age(now).as_secs()),
        };
        self.run.progress.warn(&format!("took over a lock whose owner is gone: {}: {why}", other.describe()));
        match self.store.delete(&other.object.key).await {
            // A role that may not delete the claim leaves it there. The claim counts as dead
            // nevertheless.
            Err(error) if !error.is_denied() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// What this process saw of other claims while it waited.
struct Watch {
    began: Instant,
    warned: bool,
    unchanged: HashMap<Key, (Timestamp, Instant)>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { began: Instant::now(), warned: false, unchanged: HashMap::new() }
    }
}

impl Watch {
    /// Returns whether a claim's owner is gone. That is so if its process on this machine has
    /// ended. Otherwise the lease must be over by the store's clock, or the claim dated in the
    /// future. This process must also have seen no renewal while it watched, which protects the
    /// lock of a live owner if the store's own clocks disagree.
    fn is_dead(&mut self, other: &StoredClaim, now: Timestamp, times: Times) -> bool {
        let modified = other.object.modified;
        let seen = self.unchanged.entry(other.object.key.clone()).or_insert((modified, Instant::now()));
        if seen.0 != modified {
            *seen = (modified, Instant::now());
        }
        let watched: Duration = times.watch(other.lease());
        let is_over = other.has_lapsed(now) || other.is_from_the_future(now);
        other.has_ended() || (is_over && seen.1.elapsed() > watched)
    }
}

/// Reads a claim. Returns `None` if it is gone.
pub(super) async fn read(store: &Arc<dyn Store>, object: Object) -> Result<Option<StoredClaim>, RepositoryError> {
    match read_document(&**store, &object.key).await {
        Ok(bytes) => Ok(Some(StoredClaim { object, claim: serde_json::from_slice(&bytes).ok() })),
        Err(error) if matches!(*error.kind, StoreErrorKind::NotFound) => Ok(None),
        Err(error) if error.is_of_object() => Ok(Some(StoredClaim { object, claim: None })),
        Err(error) => Err(error.into()),
    }
}
