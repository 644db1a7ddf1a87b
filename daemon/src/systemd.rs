//! What a service manager is told: systemd's notification protocol, sd_notify(3). Where there is none, nothing is done.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::broadcast::error::RecvError;

use crate::handle::Handle;
use crate::view::{Event, Phase};

/// How often the status is looked at where there is no watchdog.
const STATUS: Duration = Duration::from_mins(1);

/// Tells of the daemon's life until it is about to end.
pub(crate) async fn tell(handle: Handle) {
    let Some(manager) = Manager::of_process() else { return };
    let mut events = handle.subscribe();
    manager.send(&format!("READY=1\nSTATUS={}", status(&handle)));
    let mut ticks = tokio::time::interval(manager.watchdog.unwrap_or(STATUS));
    loop {
        // Whoever gets here has found the locks free and the tasks alive: what the watchdog is for.
        let state = tokio::select! {
            () = handle.stopping().cancelled() => break,
            _ = ticks.tick() => format!("WATCHDOG=1\nSTATUS={}", status(&handle)),
            event = events.recv() => match event {
                Ok(Event::Reloaded | Event::ReloadFailed { .. }) => {
                    manager.send(&reloading());
                    format!("READY=1\nSTATUS={}", status(&handle))
                }
                Ok(Event::Began { .. } | Event::Ended { .. }) | Err(RecvError::Lagged(_)) => {
                    format!("STATUS={}", status(&handle))
                }
                Ok(_) => continue,
                Err(RecvError::Closed) => break,
            },
        };
        manager.send(&state);
    }
    manager.send("STOPPING=1\nSTATUS=ends when its runs have");
    // A long end is no hang.
    while manager.watchdog.is_some() && !handle.live().is_empty() {
        ticks.tick().await;
        manager.send("WATCHDOG=1");
    }
}

fn reloading() -> String {
    let now = clock_gettime(ClockId::Monotonic);
    format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)
}

/// In a line: what runs, and what comes next.
fn status(handle: &Handle) -> String {
    let live = handle.live();
    let working = live.iter().filter(|run| run.phase == Phase::Working).count();
    let instances = handle.instances();
    let next = instances.iter().flat_map(|instance| {
        instance.jobs.iter().filter_map(|job| Some((job.next?.begins, job.job, instance.name.as_str())))
    });
    let next = match next.min() {
        Some((at, job, instance)) => format!("next {job} of {instance} at {at}"),
        None => "nothing is scheduled".to_owned(),
    };
    match live.len() {
        0 => next,
        all => format!("{working} running, {} waiting; {next}", all - working),
    }
}

struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants to hear of the daemon, at half of the time after which it would take it for dead.
    watchdog: Option<Duration>,
}

impl Manager {
    fn of_process() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let name = variable("NOTIFY_SOCKET")?;
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&name),
        };
        let for_us = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").filter(|_| for_us).and_then(|microseconds| microseconds.parse().ok());
        let watchdog = watchdog.filter(|microseconds| *microseconds > 1).map(|time| Duration::from_micros(time) / 2);
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, address: address.ok()?, watchdog })
    }

    fn send(&self, state: &str) {
        // A manager that does not listen is no reason to do anything else.
        let _ = self.socket.send_to_addr(state.as_bytes(), &self.address);
    }
}
