//! Renews a claim, and notices when it is lost.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::claim::Claim;
use super::{LockError, Times};
use crate::repository::RepositoryError;
use crate::store::{Key, Mode, Store, StoreError};
use crate::stream::body_of;

/// A claim of this process while it is renewed.
///
/// Another process may take it over when the store's clock has advanced by the lease without a
/// renewal. So each renewal compares the object's new date with the last one. If they are more than
/// the lease apart, another process may have taken the claim over in between, and it counts as
/// lost. The reason for the delay does not matter: the network was down, or the machine slept.
#[derive(Debug)]
pub(super) struct OwnClaim {
    store: Arc<dyn Store>,
    pub(super) key: Key,
    times: Times,
    state: Mutex<State>,
    /// Cancelled when the lock is lost.
    pub(super) lost: CancellationToken,
    reason: OnceLock<String>,
}

#[derive(Debug)]
struct State {
    claim: Claim,
    /// When the object was last written, by the store's clock, and when this process started to
    /// write it.
    modified: Timestamp,
    renewed: Instant,
}

impl OwnClaim {
    /// Stores a claim that does not hold the lock yet.
    pub(super) async fn store(
        store: Arc<dyn Store>,
        key: Key,
        claim: Claim,
        times: Times,
    ) -> Result<Self, RepositoryError> {
        let renewed = Instant::now();
        // Its name is random.
        store.put(&key, body(&claim)?, Mode::CreateAbsent).await?;
        let modified = match store.head(&key).await? {
            Some(object) => object.modified,
            None => return Err(lost(&claim, GONE).into()),
        };
        let state = Mutex::new(State { claim, modified, renewed });
        Ok(Self { store, key, times, state, lost: CancellationToken::new(), reason: OnceLock::new() })
    }

    /// Returns the time by the store's clock.
    pub(super) async fn now(&self) -> Timestamp {
        let state = self.state.lock().await;
        let passed = SignedDuration::try_from(state.renewed.elapsed()).unwrap_or_default();
        state.modified.checked_add(passed).unwrap_or(state.modified)
    }

    /// Tells all waiting processes that this claim, which was just listed, holds the lock.
    pub(super) async fn announce(&self) -> Result<(), RepositoryError> {
        let mut state = self.state.lock().await;
        state.claim.held = true;
        self.store_again(&mut state, Instant::now()).await
    }

    /// Renews the claim. If this returns `Ok`, no process has taken it over.
    pub(super) async fn renew(&self) -> Result<(), RepositoryError> {
        let mut state = self.state.lock().await;
        if self.lost.is_cancelled() {
            return Err(self.loss(&state.claim).into());
        }
        let began = Instant::now();
        // If another process took it over, or an operator removed it, it must not be stored again.
        if self.store.head(&self.key).await?.is_none() {
            return Err(self.lose(&state.claim, GONE).into());
        }
        self.store_again(&mut state, began).await
    }

    async fn store_again(&self, state: &mut State, began: Instant) -> Result<(), RepositoryError> {
        self.store.put(&self.key, body(&state.claim)?, Mode::Replace).await?;
        let Some(object) = self.store.head(&self.key).await? else {
            return Err(self.lose(&state.claim, GONE).into());
        };
        let gap = object.modified.duration_since(state.modified);
        if gap > self.times.lease || state.renewed.elapsed() > self.times.lease.unsigned_abs() {
            return Err(self.lose(&state.claim, "it could not be renewed in time").into());
        }
        (state.modified, state.renewed) = (object.modified, began);
        Ok(())
    }

    /// Renews it repeatedly, until it is lost or `stop` is cancelled.
    pub(super) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        let mut pause = self.times.renew;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = match tokio::time::timeout(self.left().await, self.renew()).await {
                Ok(Ok(())) => self.times.renew,
                Ok(Err(RepositoryError::Lock(_))) => return,
                Ok(Err(error)) if self.left().await > self.times.retry => {
                    tracing::warn!(%error, claim = %self.key, "the lock could not be renewed, and will be tried again");
                    self.times.retry
                }
                Ok(Err(error)) => return self.lose_with(&error.to_string()).await,
                Err(_) => return self.lose_with("the store does not answer").await,
            };
        }
    }

    /// Returns how long it can still be renewed. That is shorter than the lease, so this owner
    /// stops before another starts.
    async fn left(&self) -> std::time::Duration {
        let renewed = self.state.lock().await.renewed;
        (self.times.lease.unsigned_abs() * 9 / 10).saturating_sub(renewed.elapsed())
    }

    async fn lose_with(&self, reason: &str) {
        let claim = self.state.lock().await.claim.clone();
        self.lose(&claim, reason);
    }

    fn lose(&self, claim: &Claim, reason: &str) -> LockError {
        let _ = self.reason.set(reason.to_owned());
        self.lost.cancel();
        self.loss(claim)
    }

    fn loss(&self, claim: &Claim) -> LockError {
        lost(claim, self.reason.get().map_or(GONE, String::as_str))
    }

    /// Returns why it was lost, or `None` if it is not.
    pub(super) async fn lost(&self) -> Option<LockError> {
        let state = self.state.lock().await;
        self.lost.is_cancelled().then(|| self.loss(&state.claim))
    }

    /// Removes the claim. Nothing may renew it afterwards.
    pub(super) async fn remove(&self) -> Result<(), StoreError> {
        self.store.delete(&self.key).await
    }
}

const GONE: &str = "its object is gone: another process took it over, or an operator removed it";

fn lost(claim: &Claim, reason: &str) -> LockError {
    LockError::Lost { instance: claim.instance.clone(), reason: reason.to_owned() }
}

fn body(claim: &Claim) -> Result<crate::stream::Body, RepositoryError> {
    let mut bytes = serde_json::to_vec_pretty(claim).map_err(RepositoryError::Json)?;
    bytes.push(b'\n');
    Ok(body_of(bytes))
}
