//! How many runs may be running at once, and which is next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::agenda::Job;
use crate::journal::RunId;

/// Permits to work. Unlike a semaphore's, they go to backups first, and their number can change.
#[derive(Debug, Clone)]
pub(crate) struct Permits(Arc<Mutex<State>>);

/// The right to work; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Permits);

#[derive(Debug)]
struct State {
    limit: u32,
    taken: u32,
    /// A job's place in [`Job`] is its rank.
    waiting: BTreeMap<(Job, RunId), oneshot::Sender<Permit>>,
}

impl Permits {
    pub(crate) fn new(limit: u32) -> Self {
        Self(Arc::new(Mutex::new(State { limit, taken: 0, waiting: BTreeMap::new() })))
    }

    /// Sets the limit from now on. Running work is not stopped.
    pub(crate) fn set_limit(&self, limit: u32) {
        self.lock().limit = limit;
        self.hand_out();
    }

    /// Waits for a permit, until the future is dropped.
    pub(crate) async fn acquire(&self, job: Job, run: RunId) -> Permit {
        loop {
            let (sender, receiver) = oneshot::channel();
            self.lock().waiting.insert((job, run), sender);
            self.hand_out();
            if let Ok(permit) = receiver.await {
                return permit;
            }
        }
    }

    fn hand_out(&self) {
        loop {
            let next = {
                let mut state = self.lock();
                if state.taken >= state.limit {
                    return;
                }
                let Some((_, next)) = state.waiting.pop_first() else { return };
                state.taken += 1;
                next
            };
            // Dropped here, outside of the lock, if its receiver is gone.
            drop(next.send(Permit(self.clone())));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.lock().taken -= 1;
        self.0.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64) -> RunId {
        number.to_string().parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn permits_prefer_backups_within_limit() {
        let permits = Permits::new(1);
        let first = permits.acquire(Job::Drill, run(1)).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks = [(Job::Check, 2), (Job::Backup, 4), (Job::Backup, 3)].map(|(job, number)| {
            let (permits, order) = (permits.clone(), order.clone());
            tokio::spawn(async move {
                let _permit = permits.acquire(job, run(number)).await;
                order.lock().unwrap().push(number);
            })
        });
        tokio::task::yield_now().await;
        assert!(order.lock().unwrap().is_empty());
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [3, 4, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_request_takes_no_permit() {
        let permits = Permits::new(1);
        let first = permits.acquire(Job::Backup, run(1)).await;
        let given_up = tokio::time::timeout(std::time::Duration::from_secs(1), permits.acquire(Job::Backup, run(2)));
        assert!(given_up.await.is_err());
        permits.set_limit(2);
        let second = permits.acquire(Job::Backup, run(3)).await;
        drop((first, second));
        assert_eq!(permits.lock().taken, 0);
    }
}
