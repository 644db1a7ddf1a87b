//! What every verb receives: where it reports to, and how it is stopped.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::progress::{Alive, Progress};

/// How long a stopped run may clean up: it may have stalled there, too. Less if a shorter patience
/// was given.
const CLEANUP: Duration = Duration::from_mins(2);

/// A run was stopped by the operator or the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// There was no progress any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no progress for {seconds} seconds, so the run was stopped")]
pub struct Stalled {
    /// How long.
    pub seconds: u64,
}

/// An error that can be an interruption.
pub trait Interruptible: From<Interrupted> {
    /// Returns whether it was stopped rather than that it failed.
    fn is_interruption(&self) -> bool;
}

/// One run of a verb.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Where it reports to.
    pub progress: Progress,
    /// Cancelled to stop it. The run then cleans up and fails with [`Interrupted`].
    pub cancel: CancellationToken,
}

impl Run {
    /// Does `work`, and stops it when there is no progress for `timeout`: no byte, no task that
    /// starts or ends, and no other sign of life.
    ///
    /// # Errors
    /// [`Stalled`], and whatever the work fails with.
    pub async fn unless_stalled<T, E: From<Stalled>>(
        &self,
        timeout: Duration,
        work: impl AsyncFnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let alive = Arc::new(Alive::over(self.progress.clone()));
        let run = Self { progress: Progress::new(alive.clone()), cancel: self.cancel.child_token() };
        let mut work = std::pin::pin!(work(&run));
        tokio::select! {
            done = &mut work => return done,
            () = alive.stalled(timeout) => {}
        }
        run.cancel.cancel();
        match tokio::time::timeout(CLEANUP.min(timeout.saturating_mul(10)), work).await {
            // It succeeded after all.
            Ok(Ok(done)) => Ok(done),
            _ => Err(Stalled { seconds: timeout.as_secs() }.into()),
        }
    }

    /// Does `work` until it is done or the run is stopped. Drops what it started; the caller cleans
    /// up what outlives that.
    pub(crate) async fn until_cancelled<T, E: From<Interrupted>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match self.cancel.run_until_cancelled(work).await {
            Some(result) => result,
            None => Err(Interrupted.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const TIMEOUT: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn progressing_work_is_not_stopped() {
        let run = Run::default();
        let done = run.unless_stalled(TIMEOUT, async |run| {
            let task = run.progress.task("database", None);
            for _ in 0..10 {
                tokio::time::sleep(TIMEOUT - Duration::from_secs(7)).await;
                task.advance(1);
            }
            Ok::<_, Error>(())
        });
        done.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn stalled_work_is_cancelled() {
        let mut cleaned = false;
        let run = Run::default();
        let stalled = run.unless_stalled(TIMEOUT, async |run| {
            let never = run.until_cancelled(std::future::pending::<Result<(), Error>>()).await;
            cleaned = true;
            never
        });
        let error = stalled.await.unwrap_err();
        assert_eq!(error.to_string(), "no progress for 60 seconds, so the run was stopped");
        assert!(cleaned);
    }

    #[tokio::test(start_paused = true)]
    async fn stuck_cleanup_is_abandoned() {
        let run = Run::default();
        let stalled = run.unless_stalled(TIMEOUT, async |_| std::future::pending::<Result<(), Error>>().await);
        assert!(matches!(stalled.await, Err(Error::Stalled { seconds: 60 })));
    }
}
