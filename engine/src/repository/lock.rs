//! Locks instances by plain objects, so that every store can be used.
//!
//! A process that wants a lock stores a *claim* under a unique name, then lists the claims of the
//! instance. If no claim excludes it, it has the lock, and keeps its claim until it is done. Of two
//! that exclude each other, each stored its claim before it listed, so at least the later one saw
//! the other: they never both get the lock. The store must only list an object once `put` has
//! returned. Create-only puts, which some servers silently ignore, are not relied upon. Of two that
//! wait, the one with the lower name stays and the other withdraws, so one of them always proceeds.
//!
//! A claim is renewed, and expires if it is not renewed within its lease. The clocks of two
//! machines are never compared. The age of a claim is the difference of two dates that the store
//! gave. It counts only if this process saw no renewal while it watched. The owner calculates in
//! the same way, and stops by itself before another process may start.

mod acquire;
mod claim;
mod error;
mod owner;
mod renewal;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub use claim::Purpose;
pub use claim::{Claim, StoredClaim};
pub use error::LockError;
pub use owner::Owner;

use self::acquire::Wish;
use self::claim::{LOCKS, folder};
use self::renewal::OwnClaim;
use super::{BackupRef, Repository, RepositoryError};
use crate::run::{Interruptible, Run};
use crate::store::{Key, Mode, Object, StoreError};
use crate::stream::body_of;

/// How long a claim is valid without a renewal. This is long, because losing a lock costs a backup
/// of hours, and a claim expires this slowly only if the owner's machine died too.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// How long the release of a lock may take.
const LONGEST_RELEASE: Duration = Duration::from_secs(15);

/// The intervals of the lock protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    lease: SignedDuration,
    renew: Duration,
    /// The interval after a failed renewal.
    retry: Duration,
    /// The interval between two looks at conflicting claims.
    poll: Duration,
    /// How long to wait for a short operation of another owner: longer than the lease of a dead
    /// one.
    patience: Duration,
}

impl Times {
    const DEFAULT: Self = Self {
        lease: LEASE,
        renew: Duration::from_mins(2),
        retry: Duration::from_secs(15),
        poll: Duration::from_millis(500),
        patience: Duration::from_mins(15),
    };

    /// Returns how long a claim with this lease must stay unchanged before it counts as dead. A
    /// live owner renews its claim five times in that period.
    fn watch(self, lease: SignedDuration) -> Duration {
        lease.unsigned_abs() / 4
    }
}

/// A lock that is held. It must be [finished](Lock::finish). If it is dropped, it expires.
#[derive(Debug)]
pub struct Lock {
    own: Arc<OwnClaim>,
    run: Run,
    stop: CancellationToken,
    keeping: Option<JoinHandle<()>>,
}

impl Lock {
    /// Starts to renew a claim.
    fn keep(own: OwnClaim, purpose: Purpose, run: &Run) -> Self {
        let (own, stop) = (Arc::new(own), CancellationToken::new());
        let held = Run { cancel: run.cancel.child_token(), ..run.clone() };
        let (keep, cancel) = (own.clone().keep(stop.clone()), held.cancel.clone());
        let (lost, progress) = (own.lost.clone(), run.progress.clone());
        let watch = async move {
            keep.await;
            match (lost.is_cancelled(), purpose) {
                (false, _) => {}
                // The digests show whether what is read is intact, so a lost lock does not stop a
                // restore.
                (true, Purpose::Read) => progress.warn("the lock against a prune was lost; reading continues"),
                (true, _) => cancel.cancel(),
            }
        };
        let keeping = tokio::spawn(watch.in_current_span());
        Self { own, run: held, stop, keeping: Some(keeping) }
    }

    /// Returns the run of the lock's owner. It is stopped when the lock is lost.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Returns the time by the store's clock.
    pub async fn now(&self) -> Timestamp {
        self.own.now().await
    }

    /// Makes sure that the lock is still held. Call this before an action that cannot be undone.
    ///
    /// # Errors
    /// [`LockError::Lost`], or why that could not be found out
    pub async fn confirm(&self) -> Result<(), RepositoryError> {
        self.own.renew().await
    }

    /// Releases the lock, and returns the outcome of the work under it. If the work was stopped
    /// because the lock was lost, the outcome says so.
    ///
    /// # Errors
    /// The error of the outcome
    pub async fn finish<T, E>(self, outcome: Result<T, E>) -> Result<T, E>
    where
        E: From<RepositoryError> + Interruptible,
    {
        let lost = tokio::time::timeout(LONGEST_RELEASE, self.own.lost()).await.ok().flatten();
        self.release().await;
        match (outcome, lost) {
            (Err(error), Some(lost)) if error.is_interruption() => Err(RepositoryError::from(lost).into()),
            (outcome, _) => outcome,
        }
    }

    /// Removes the claim. Waits for a renewal in progress, because it would store the claim again.
    /// The wait is short: a store that does not answer must not delay a program that was stopped.
    async fn release(mut self) {
        self.stop.cancel();
        let removed = async {
            if let Some(keeping) = self.keeping.take() {
                let _ = keeping.await;
            }
            self.own.remove().await.map_err(|error| error.to_string())
        };
        let removed = tokio::time::timeout(LONGEST_RELEASE, removed).await;
        if let Err(error) = removed.unwrap_or_else(|_| Err("the store does not answer".to_owned())) {
            self.run.progress.warn(&format!("unable to release a lock, which now expires by itself: {error}"));
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Repository {
    /// Does `work` while an instance is locked. When the lock's run is cancelled, the work stops by
    /// itself and cleans up.
    ///
    /// # Errors
    /// Those of [`Self::lock`]; [`LockError::Lost`] if that stopped the work; those of the work
    pub(crate) async fn locked<T, E>(
        &self,
        instance: &str,
        purpose: Purpose,
        run: &Run,
        work: impl AsyncFnOnce(&Lock) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<RepositoryError> + Interruptible,
    {
        let lock = self.lock(instance, purpose, run).await?;
        let done = work(&lock).await;
        lock.finish(done).await
    }

    /// Does `work` while an instance is locked. When the lock's run is cancelled, the work is
    /// dropped.
    ///
    /// # Errors
    /// Those of [`Self::locked`]
    pub(crate) async fn locked_until_cancelled<T, E>(
        &self,
        instance: &str,
        purpose: Purpose,
        run: &Run,
        work: impl AsyncFnOnce(&Lock) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<RepositoryError> + Interruptible,
    {
        self.locked(instance, purpose, run, async |lock| lock.run().until_cancelled(work(lock)).await).await
    }

    /// Does `work` while a backup is protected from a prune, if the repository can be written.
    ///
    /// # Errors
    /// Those of [`Self::lock_to_read`]; those of the work
    pub(crate) async fn locked_to_read<T, E>(
        &self,
        backup: &BackupRef,
        run: &Run,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E>
    where
        E: From<RepositoryError> + Interruptible,
    {
        let lock = self.lock_to_read(backup, run).await?;
        let done = work.await;
        match lock {
            Some(lock) => lock.finish(done).await,
            None => done,
        }
    }

    /// Locks an instance. Waits for short operations, but not for a backup that is running.
    ///
    /// # Errors
    /// [`LockError::Held`]; any error of the store; [`RepositoryError::Interrupted`]
    pub async fn lock(&self, instance: &str, purpose: Purpose, run: &Run) -> Result<Lock, RepositoryError> {
        self.lock_with(instance, purpose, Times::DEFAULT, run).await
    }

    pub(crate) async fn lock_with(
        &self,
        instance: &str,
        purpose: Purpose,
        times: Times,
        run: &Run,
    ) -> Result<Lock, RepositoryError> {
        Wish { store: &self.store, instance, purpose, backups: &[], times, run }.fulfil().await
    }

    /// Protects the objects of a backup from a prune while they are read. A repository that cannot
    /// be written can still be read: then there is no lock, and a warning.
    ///
    /// # Errors
    /// [`RepositoryError::NoSuchBackup`] if the backup was removed before it was locked; any error
    /// of the store
    pub async fn lock_to_read(&self, backup: &BackupRef, run: &Run) -> Result<Option<Lock>, RepositoryError> {
        let (instance, backups) = (backup.instance.as_str(), std::slice::from_ref(&backup.id));
        let wish = Wish { store: &self.store, instance, purpose: Purpose::Read, backups, times: Times::DEFAULT, run };
        let lock = match wish.fulfil().await {
            Ok(lock) => Some(lock),
            Err(error) => {
                let reason = crate::cause::line(&error);
                run.progress
                    .warn(&format!("reading without a lock, so a prune by another process may disturb it: {reason}"));
                None
            }
        };
        // This runs after the claim is stored. A prune that did not see the claim has deleted the
        // manifest by now, or will look again.
        let there = self.store.head(&backup.manifest()).await;
        if matches!(there, Ok(Some(_))) {
            return Ok(lock);
        }
        if let Some(lock) = lock {
            lock.release().await;
        }
        there?;
        let (selector, location) = (backup.to_string(), self.store.location());
        Err(RepositoryError::NoSuchBackup { selector, location })
    }

    /// Returns the claims of one instance, or of all instances.
    ///
    /// # Errors
    /// Any error of the store
    pub async fn claims(&self, instance: Option<&str>) -> Result<Vec<StoredClaim>, RepositoryError> {
        let prefix = match instance {
            Some(instance) => folder(instance, ""),
            None => locks_folder(),
        };
        let listed: Vec<Object> = self.store.list(Some(&prefix)).try_collect().await?;
        let mut claims = Vec::new();
        for object in listed.into_iter().filter(|object| object.key.segments().count() > 2) {
            claims.extend(acquire::read(&self.store, object).await?);
        }
        Ok(claims)
    }

    /// Removes a claim, whatever process owns it.
    ///
    /// # Errors
    /// Any error of the store
    pub async fn remove_claim(&self, claim: &StoredClaim) -> Result<(), StoreError> {
        self.store.delete(&claim.object.key).await
    }

    /// Returns the time by the store's clock, which is read by storing an object.
    ///
    /// # Errors
    /// Any error of the store
    pub async fn store_now(&self) -> Result<Timestamp, RepositoryError> {
        let key = super::member(&locks_folder(), &format!("clock-{:016x}", getrandom::u64()?));
        self.store.put(&key, body_of("now\n"), Mode::CreateNew).await?;
        let head = self.store.head(&key).await;
        self.store.delete(&key).await?;
        let there = head?.ok_or_else(|| self.damaged(&key, "it was gone as soon as it was stored"))?;
        Ok(there.modified)
    }
}

fn locks_folder() -> Key {
    #[expect(clippy::expect_used, reason = "a constant")]
    Key::new(LOCKS).expect("a valid key")
}

#[cfg(test)]
mod tests;
