//! `odoo-backup daemon`

use std::io;

use daemon::log::RunLogs;
use daemon::{Handle, Signal};
use engine::error::Error;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::chosen::{Chosen, load};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// What `daemon` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Daemon)]
pub(super) struct DaemonDocument {
    /// Whether the daemon stopped on a signal: always true.
    ended: bool,
}

/// Runs the daemon until a signal stops it.
pub(super) async fn daemon(chosen: Chosen<'_>, logs: RunLogs, output: Output) -> Result<Exit, Failure> {
    let config = load(chosen, output)?.into_config();
    // Listen first: a signal must not find the daemon half started.
    let signals = signals().map_err(|source| Error::Io { action: "listen for signals".into(), source })?;
    // A hardened service can write to few folders. Warn now, before a restore or a drill fails.
    for finding in engine::doctor::unwritable(&config.subjects()) {
        let hint = finding.hint.unwrap_or_default();
        tracing::warn!(hint, "{}: {}", finding.subject, finding.detail);
    }
    let handle = Handle::open(config)?;
    ::daemon::run(handle, logs, signals).await?;
    Ok(output.result(&DaemonDocument { ended: true }, String::new, Exit::Success))
}

fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    let (mut hangup, mut interrupt, mut terminate) =
        (signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        let mut is_stopping = false;
        loop {
            let received = tokio::select! {
                _ = hangup.recv() => Signal::Reload,
                _ = interrupt.recv() => Signal::Stop,
                _ = terminate.recv() => Signal::Stop,
            };
            if received == Signal::Stop && std::mem::replace(&mut is_stopping, true) {
                std::process::exit(Exit::Interrupted as i32);
            }
            // Fails only if the queue is full of signals or the daemon has ended.
            let _ = sender.try_send(received);
        }
    });
    Ok(receiver)
}
