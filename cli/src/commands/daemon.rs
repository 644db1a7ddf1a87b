//! `odoo-backup daemon`

use std::io;

use daemon::log::RunLogs;
use daemon::{Handle, Signal};
use engine::error::Error;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::chosen::{Chosen, load};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// Runs the daemon until a signal ends it.
pub(super) async fn daemon(chosen: Chosen<'_>, logs: RunLogs, output: Output) -> Result<Exit, Failure> {
    let config = load(chosen, output)?.into_config();
    // Listened to before there is anything that a signal could stop halfway.
    let signals = signals().map_err(|source| Error::Io { action: "listen to signals".into(), source })?;
    // Better known now than when a restore or a drill fails: a hardened service may write in few folders.
    for finding in engine::doctor::unwritable(&config.subjects()) {
        let hint = finding.hint.unwrap_or_default();
        tracing::warn!(hint, "{}: {}", finding.subject, finding.detail);
    }
    let handle = Handle::open(config)?;
    ::daemon::run(handle, logs, signals).await?;
    Ok(output.result(&json!({ "ended": true }), String::new, Exit::Success))
}

fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    let (mut hangup, mut interrupt, mut terminate) =
        (signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        let mut told_to_stop = false;
        loop {
            let told = tokio::select! {
                _ = hangup.recv() => Signal::Reload,
                _ = interrupt.recv() => Signal::Stop,
                _ = terminate.recv() => Signal::Stop,
            };
            if told == Signal::Stop && std::mem::replace(&mut told_to_stop, true) {
                std::process::exit(Exit::Interrupted as i32);
            }
            // Full of the same, or the daemon ends: nothing is missed.
            let _ = sender.try_send(told);
        }
    });
    Ok(receiver)
}
