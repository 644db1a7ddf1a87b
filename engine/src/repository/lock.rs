//! Locks, by plain objects and nothing that only some stores can do.
//!
//! Whoever wants a lock stores a *claim* under a name of its own, then lists the claims of the
//! instance. If no other that excludes it is there, it holds the lock, and keeps its claim until it
//! is done. Of two that exclude each other, each stored its claim before it listed, so at least the
//! later one saw the other: never do both hold. All that this needs of a store is that an object is
//! listed once `put` has returned. Create-only puts, which some servers ignore without a word, are
//! not relied upon. Of two that wait, the one with the lower name stays and the other withdraws, so
//! that one of them always gets on.
//!
//! A claim is renewed, and lapses when it was not for its lease. No two machines' clocks are
//! compared: a claim's age is reckoned between two dates that the store gave, and is believed only
//! if no renewal came while this process watched. The owner reckons in the same way and stops by
//! itself, before another may begin.

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

pub(crate) use claim::Purpose;
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

/// How long a claim holds without being renewed. Long, since losing it costs a backup of hours, and
/// only one whose owner died together with its machine makes anybody wait.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// How long a lock may take to be given back.
const LONGEST_RELEASE: Duration = Duration::from_secs(15);

/// The times that locks go by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    lease: SignedDuration,
    renew: Duration,
    /// After a renewal that failed.
    retry: Duration,
    /// Between two looks at what is in the way.
    poll: Duration,
    /// How long what is soon over is waited for: longer than a dead owner's lease.
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

    /// Returns how long a claim of this lease must be seen unchanged: a live owner renews it five
    /// times as often as it must.
    fn watch(self, lease: SignedDuration) -> Duration {
        lease.unsigned_abs() / 4
    }
}

/// A lock that is held. It must be [finished](Lock::finish): dropped, it lapses.
#[derive(Debug)]
pub struct Lock {
    own: Arc<OwnClaim>,
    run: Run,
    stop: CancellationToken,
    keeping: Option<JoinHandle<()>>,
}

impl Lock {
    /// Renews a claim from now on.
    fn keep(own: OwnClaim, purpose: Purpose, run: &Run) -> Self {
        let (own, stop) = (Arc::new(own), CancellationToken::new());
        let held = Run { cancel: run.cancel.child_token(), ..run.clone() };
        let (keep, cancel) = (own.clone().keep(stop.clone()), held.cancel.clone());
        let (lost, progress) = (own.lost.clone(), run.progress.clone());
        let watch = async move {
            keep.await;
            match (lost.is_cancelled(), purpose) {
                (false, _) => {}
                // Its digests say whether what is read is whole; to stop a restore for a lock would
                // help nobody.
                (true, Purpose::Read) => progress.warn("the lock against a prune was lost; reading continues"),
                (true, _) => cancel.cancel(),
            }
        };
        let keeping = tokio::spawn(watch.in_current_span());
        Self { own, run: held, stop, keeping: Some(keeping) }
    }

    /// Returns the run of whoever holds the lock: it is stopped when the lock is lost.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Returns what the store's clock shows.
    pub async fn now(&self) -> Timestamp {
        self.own.now().await
    }

    /// Makes sure that the lock is held still: before something that cannot be undone.
    ///
    /// # Errors
    /// [`LockError::Lost`], or why it could not be found out.
    pub async fn confirm(&self) -> Result<(), RepositoryError> {
        self.own.renew().await
    }

    /// Gives the lock back, and the outcome of what was done under it: where that was stopped
    /// because the lock was lost, it says so.
    ///
    /// # Errors
    /// The outcome's.
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

    /// Removes the claim. A renewal under way is waited for, as it would bring the claim back, but
    /// not for long: what does not answer must not keep a program that was stopped.
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
    /// Does `work` while an instance is locked. The work stops by itself, and cleans up, when the
    /// lock's run is cancelled.
    ///
    /// # Errors
    /// Those of [`Self::lock`]; that the lock was lost, where the work was stopped for it; the
    /// work's.
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

    /// Does `work` while an instance is locked. The work is dropped when the lock's run is
    /// cancelled.
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

    /// Does `work` while a backup is kept from a prune, as far as the repository can be written to.
    ///
    /// # Errors
    /// Those of [`Self::lock_to_read`]; the work's.
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

    /// Locks an instance. What is over soon is waited for; behind a backup in the making nobody
    /// waits.
    ///
    /// # Errors
    /// [`LockError::Held`]; the store's; [`RepositoryError::Interrupted`]
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

    /// Keeps a prune from the objects of a backup while it is read. A repository that cannot be
    /// written to can be read all the same: then there is no lock, and a warning.
    ///
    /// # Errors
    /// [`RepositoryError::NoSuchBackup`] where it was removed before it was locked; the store's.
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
        // Behind the claim: a prune that did not see it has deleted the manifest by now, or will
        // look again.
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

    /// Returns the claims of an instance, or of all.
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

    /// Removes a claim, whoever's it is.
    ///
    /// # Errors
    /// Any error of the store
    pub async fn remove_claim(&self, claim: &StoredClaim) -> Result<(), StoreError> {
        self.store.delete(&claim.object.key).await
    }

    /// Returns what the store's clock shows, found out by storing an object.
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
