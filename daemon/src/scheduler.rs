//! The loop that starts due runs.

use std::time::Duration;

use engine::repository::is_future;
use jiff::Timestamp;

use crate::agenda::{Due, Job};
use crate::clock::until;
use crate::handle::{Handle, RefusedStart};
use crate::journal::{JournalError, Trigger};
use crate::view::Event;
use crate::work::Order;

/// The pause after a failure to write the journal, without which no run may start.
const PAUSE: Duration = Duration::from_secs(30);

/// Starts due runs until the daemon ends.
pub(crate) async fn schedule(handle: &Handle) {
    let shared = &handle.0;
    loop {
        let next = match begin_due(handle).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!("unable to start due runs: {}", config::explain(&error));
                shared.clock.now().checked_add(PAUSE).ok()
            }
        };
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = shared.changed.notified() => {}
            () = until(&*shared.clock, next) => {}
        }
    }
}

/// Starts the runs that are due now, and returns when the next one is due.
async fn begin_due(handle: &Handle) -> Result<Option<Timestamp>, JournalError> {
    let shared = &handle.0;
    let agenda = shared.agenda();
    let mut next: Option<Timestamp> = None;
    let mut sooner = |time: Option<Timestamp>| next = next.into_iter().chain(time).min();
    for entry in agenda.values() {
        // Whether the next slot is due is looked at when this run has ended.
        if shared.live().values().any(|run| run.is(&entry.instance, entry.job)) {
            continue;
        }
        let (instance, job, now) = (entry.instance.clone(), entry.job, shared.clock.now());
        let seen = shared.journal().last_slot(&instance, job);
        let last = match seen {
            // The clock was ahead when the slot was served, and was set back since. If it counted,
            // nothing would start until then.
            Some(last) if is_future(last, now) => {
                tracing::warn!(instance, %job, slot = %last, "the last slot is in the future, so the clock was wrong; continuing with slots from now on");
                let_go(handle, &instance, job, now).await?
            }
            Some(last) => last,
            // Slots before the daemon first saw the job do not count.
            None => let_go(handle, &instance, job, now).await?,
        };
        match entry.due(last, now) {
            Due::Later(slot) => sooner(slot.map(|slot| slot.begins)),
            Due::Now { slot, late } => {
                let Some(order) = Order::of_schedule(job) else { continue };
                match handle.begin(&instance, order, Trigger::Schedule { slot: slot.time, late }).await {
                    Ok(_) => {}
                    Err(RefusedStart::Journal(error)) => return Err(error),
                    // Another request was faster, or the daemon ends; both wake this loop again.
                    Err(RefusedStart::AlreadyRunning { .. } | RefusedStart::Stopping) => {}
                    // Taken out of the configuration at this moment, which wakes it, too.
                    Err(RefusedStart::NoSuchInstance(_)) => {}
                }
            }
            Due::Missed(slot) => {
                tracing::warn!(instance, %job, slot = %slot.time, "slot missed, and `catch_up` is off");
                let last = let_go(handle, &instance, job, slot.time).await?;
                shared.tell(Event::Missed { instance, job, slot: slot.time });
                sooner(entry.next_after(last).map(|slot| slot.begins));
            }
        }
    }
    Ok(next)
}

/// Skips slots up to `slot`.
async fn let_go(handle: &Handle, instance: &str, job: Job, slot: Timestamp) -> Result<Timestamp, JournalError> {
    let instance = instance.to_owned();
    handle.0.write(move |journal| journal.set_slot(&instance, job, slot)).await?;
    Ok(slot)
}

#[cfg(test)]
mod tests;
