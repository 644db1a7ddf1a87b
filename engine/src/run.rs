//! What every verb is given: whom it reports to, and how it is stopped.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::progress::Progress;

/// One run of a verb.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Whom it reports to.
    pub progress: Progress,
    /// Cancelled to stop it. It then cleans up after itself and returns [`Error::Interrupted`].
    pub cancel: CancellationToken,
}

impl Run {
    /// Does `work` until it is done or the run is stopped. What it had begun is dropped; what outlives that is for the caller to clean up.
    pub(crate) async fn until_cancelled<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self.cancel.run_until_cancelled(work).await {
            Some(result) => result,
            None => Err(Error::Interrupted),
        }
    }
}
