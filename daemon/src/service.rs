//! The daemon as a whole, from its start to its end.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::handle::Handle;
use crate::http::{ListenError, Server};
use crate::log::RunLogs;
use crate::scheduler::schedule;
use crate::systemd;
use crate::view::Event;

/// A signal to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Reload the configuration.
    Reload,
    /// Start nothing new, wait for runs until `shutdown_grace` is over, stop the others, and end.
    Stop,
}

/// Runs the daemon until it is asked to stop. When this returns, all of its tasks have ended.
///
/// Keeps `logs` in the state folder and sends them to subscribers. Notifies a service manager by
/// the protocol of systemd once it serves.
///
/// # Errors
/// [`ListenError`], before anything has begun.
pub async fn run(handle: Handle, logs: RunLogs, signals: mpsc::Receiver<Signal>) -> Result<(), ListenError> {
    logs.connect(&handle.0);
    let server = Server::start(&handle).await?;
    let manager = tokio::spawn(systemd::tell(handle.clone()));
    let settling = tokio::spawn(settle_state(handle.clone()));
    let all_reported = CancellationToken::new();
    let notifications = tokio::spawn(crate::notify::serve(handle.clone(), all_reported.clone()));
    work(&handle, signals).await;
    // After the last run, whose end is reported as well.
    all_reported.cancel();
    let _ = notifications.await;
    let _ = manager.await;
    settling.abort();
    // Served until the end, so that it can be watched.
    server.end().await;
    tracing::info!("daemon stopped");
    Ok(())
}

/// The time between two checks that the state is on the disk, in its place.
const LOOK: Duration = Duration::from_secs(10);

/// Writes what could not be written before as soon as possible, until it is dropped.
async fn settle_state(handle: Handle) {
    loop {
        handle.state_trouble().await;
        tokio::time::sleep(LOOK).await;
    }
}

/// Runs the schedules until a signal to stop.
pub(crate) async fn work(handle: &Handle, mut signals: mpsc::Receiver<Signal>) {
    let scheduler = tokio::spawn({
        let handle = handle.clone();
        async move { schedule(&handle).await }
    });
    tracing::info!(instances = handle.config().instances.len(), state = %handle.state_dir().display(), "daemon started");
    while let Some(Signal::Reload) = signals.recv().await {
        // A problem was logged, and sent to subscribers.
        let _ = handle.reload().await;
    }
    stop(handle).await;
    // It ends by itself when the daemon is stopping.
    let _ = scheduler.await;
}

async fn stop(handle: &Handle) {
    let shared = &handle.0;
    shared.stopping.cancel();
    shared.tell(Event::Stopping);
    shared.tasks.close();
    let (running, grace) = (shared.live().len(), shared.config().daemon.shutdown_grace);
    if running > 0 {
        tracing::info!(
            running,
            grace = grace.as_secs(),
            "stopping once all runs have finished, or when the shutdown grace period is over"
        );
    }
    if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
        tracing::warn!("the shutdown grace period is over: stopping the runs");
        shared.live().values().for_each(|run| run.interrupt());
        shared.tasks.wait().await;
    }
}
