//! The daemon as a whole, from its start to its end.

use tokio::sync::mpsc;

use crate::handle::Handle;
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
/// `logs` are kept in the state folder and told to subscribers. A service manager is told of its life by systemd's protocol.
pub async fn run(handle: Handle, logs: RunLogs, mut signals: mpsc::Receiver<Signal>) {
    logs.connect(&handle);
    let manager = tokio::spawn(systemd::tell(handle.clone()));
    let scheduler = tokio::spawn({
        let handle = handle.clone();
        async move { schedule(&handle).await }
    });
    tracing::info!(instances = handle.config().instances.len(), state = %handle.state_dir().display(), "the daemon has begun");
    while let Some(Signal::Reload) = signals.recv().await {
        // What is wrong with it was logged, and told to whoever listens.
        let _ = handle.reload().await;
    }
    stop(&handle).await;
    // It ends by itself when the daemon is stopping.
    let _ = scheduler.await;
    let _ = manager.await;
    tracing::info!("the daemon has ended");
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
            "the daemon ends when its runs have, at the latest when the grace is over"
        );
    }
    if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
        tracing::warn!("the grace is over, what runs is stopped");
        shared.live().values().for_each(|run| run.interrupt());
        shared.tasks.wait().await;
    }
}
