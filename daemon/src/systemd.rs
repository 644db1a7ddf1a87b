//! Notifies a service manager by the protocol of systemd, sd_notify(3). Does nothing without one.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::handle::Handle;
use crate::view::{Event, Phase};

/// How often the status is sent without a watchdog.
const STATUS: Duration = Duration::from_mins(1);
/// How long the manager may take for a message before others are skipped.
const PATIENCE: Duration = Duration::from_millis(500);

/// Notifies the manager until the daemon is stopping.
pub(crate) async fn tell(handle: Handle) {
    if std::env::var_os("NOTIFY_SOCKET").is_none_or(|name| name.is_empty()) {
        return;
    }
    // Half of the time after which it would consider the daemon dead.
    let watchdog = sd_notify::watchdog_enabled().map(|time| time / 2).filter(|time| !time.is_zero());
    let mut manager = Manager { sending: None };
    let mut events = handle.subscribe();
    manager.send(vec![NotifyState::Ready], Some(status(&handle))).await;
    let mut ticks = tokio::time::interval(watchdog.unwrap_or(STATUS));
    loop {
        // This point is reached only if the locks are free and the tasks alive, which is what the
        // watchdog checks.
        let states = tokio::select! {
            () = handle.stopping().cancelled() => break,
            _ = ticks.tick() => vec![NotifyState::Watchdog],
            event = events.recv() => match event {
                Ok(Event::Reloaded | Event::ReloadFailed { .. }) => {
                    let mut reloading = vec![NotifyState::Reloading];
                    reloading.extend(NotifyState::monotonic_usec_now());
                    manager.send(reloading, None).await;
                    vec![NotifyState::Ready]
                }
                Ok(Event::Began { .. } | Event::Ended { .. }) | Err(RecvError::Lagged(_)) => Vec::new(),
                Ok(_) => continue,
                Err(RecvError::Closed) => break,
            },
        };
        manager.send(states, Some(status(&handle))).await;
    }
    manager.send(vec![NotifyState::Stopping], Some("stopping once all runs have finished".to_owned())).await;
    // A long end is not a hang.
    while watchdog.is_some() && !handle.live().is_empty() {
        ticks.tick().await;
        manager.send(vec![NotifyState::Watchdog], None).await;
    }
}

/// Returns in one line what is running, and what is next.
fn status(handle: &Handle) -> String {
    let live = handle.live();
    let working = live.iter().filter(|run| run.phase == Phase::Working).count();
    let instances = handle.instances();
    let next = instances.iter().flat_map(|instance| {
        instance.jobs.iter().filter_map(|job| Some((job.next?.begins, job.job, instance.name.as_str())))
    });
    let next = match next.min() {
        Some((at, job, instance)) => format!("next {job} of {instance} at {at}"),
        None => "no runs scheduled".to_owned(),
    };
    match live.len() {
        0 => next,
        all => format!("{working} running, {} waiting; {next}", all - working),
    }
}

struct Manager {
    /// The message that it has not taken yet.
    sending: Option<JoinHandle<()>>,
}

impl Manager {
    /// Sends a message, unless the manager has not accepted the previous one. A slow manager has no
    /// other effect.
    async fn send(&mut self, states: Vec<NotifyState<'static>>, status: Option<String>) {
        if !self.has_taken_all().await {
            return;
        }
        // On a thread, because a manager that does not read lets the sender wait.
        self.sending = Some(spawn_blocking(move || {
            let mut message: Vec<NotifyState<'_>> = states;
            message.extend(status.as_deref().map(NotifyState::Status));
            let _ = sd_notify::notify(&message);
        }));
        self.has_taken_all().await;
    }

    async fn has_taken_all(&mut self) -> bool {
        let Some(sending) = &mut self.sending else { return true };
        let has_taken = tokio::time::timeout(PATIENCE, sending).await.is_ok();
        if has_taken {
            self.sending = None;
        }
        has_taken
    }
}
