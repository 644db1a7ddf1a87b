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

/// What a process is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Read the configuration anew.
    Reload,
    /// Begin nothing new, let what runs finish within `shutdown_grace`, stop it then, and end.
    Stop,
}

/// Runs the daemon until it is told to stop. When this returns, nothing of it runs any more.
///
/// `logs` are kept in the state folder and told to subscribers. A service manager is told of its life by systemd's protocol, once it serves.
///
/// # Errors
/// [`ListenError`], before anything has begun.
pub async fn run(handle: Handle, logs: RunLogs, signals: mpsc::Receiver<Signal>) -> Result<(), ListenError> {
    logs.connect(&handle.0);
    let server = Server::start(&handle).await?;
    let manager = tokio::spawn(systemd::tell(handle.clone()));
    let settling = tokio::spawn(settle_state(handle.clone()));
    let told_everything = CancellationToken::new();
    let notifications = tokio::spawn(crate::notify::serve(handle.clone(), told_everything.clone()));
    work(&handle, signals).await;
    // Behind the last run, whose end is to be told as well.
    told_everything.cancel();
    let _ = notifications.await;
    let _ = manager.await;
    settling.abort();
    // Served to the last, so that the end can be watched.
    server.end().await;
    tracing::info!("daemon stopped");
    Ok(())
}

/// Between two looks whether the state is on the disk, and where it belongs.
const LOOK: Duration = Duration::from_secs(10);

/// Writes what could not be written before, as soon as that is possible, for ever.
async fn settle_state(handle: Handle) {
    loop {
        handle.state_trouble().await;
        tokio::time::sleep(LOOK).await;
    }
}

/// What it does whether or not anybody watches.
pub(crate) async fn work(handle: &Handle, mut signals: mpsc::Receiver<Signal>) {
    let scheduler = tokio::spawn({
        let handle = handle.clone();
        async move { schedule(&handle).await }
    });
    tracing::info!(instances = handle.config().instances.len(), state = %handle.state_dir().display(), "daemon started");
    while let Some(Signal::Reload) = signals.recv().await {
        // What is wrong with it was logged, and told to whoever listens.
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
