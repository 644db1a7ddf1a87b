//! Notices about the backups: by webhook, by mail, and by a dead man's switch.
//!
//! Notices are derived from the journal and the repository (`watch`), so that events while the
//! daemon was down are not missed. Each message is a delivery in the `state`, which is on the disk
//! before it is sent and until it was accepted: after a crash, a delivery may come twice, and is
//! not lost. No backup waits for a notice.

mod channels;
mod collected;
mod digest;
mod error;
mod figures;
mod mail;
mod notice;
mod quiet;
mod sender;
mod standing;
mod state;
mod text;
mod trial;
mod watch;
mod web;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use config::{Config, NotifyConfig};
use engine::backoff::Backoff;
use engine::error::Explanation;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

pub use notice::Notice;
pub use standing::standings;
pub use state::StateError;
pub use trial::{Preview, Tried, try_all};

use self::digest::Digest;
use self::sender::{Network, Sender};
use self::state::{Delivery, Keeper, Message, Signal, State};
use crate::agenda::Job;
use crate::clock::until;
use crate::handle::Handle;
use crate::view::Event;

/// The time between two checks of the age of the backups, each of which lists the repository.
const LOOK: SignedDuration = SignedDuration::from_hours(1);
/// The pauses after failed deliveries.
const AFTER_FAILURE: Backoff = Backoff::new(Duration::from_secs(15), 2, Duration::from_mins(30));
/// A notice that is not accepted for so long is given up: by then it was reported again, or is
/// over.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(48);
/// How long the daemon waits for running deliveries when it ends.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(5);

/// Sends notices until `stop`.
pub(crate) async fn serve(handle: Handle, stop: CancellationToken) {
    serve_by(handle, Arc::new(Network), stop).await;
}

async fn serve_by(handle: Handle, sender: Arc<dyn Sender>, stop: CancellationToken) {
    let mut events = handle.subscribe();
    let (attempts, mut attempted) = mpsc::unbounded_channel();
    let mut notifier = Notifier::open(&handle, sender, attempts);
    let mut stirred = true;
    loop {
        if stirred {
            notifier.look_after().await;
        }
        stirred = tokio::select! {
            event = events.recv() => match event {
                Ok(event) => notifier.heed(&event),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    notifier.news = true;
                    true
                }
                Err(broadcast::error::RecvError::Closed) => break,
            },
            Some(attempt) = attempted.recv() => {
                notifier.conclude(attempt);
                true
            }
            () = until(&*handle.0.clock, notifier.due()) => true,
            () = stop.cancelled() => break,
        };
    }
    // The last runs have ended at this point.
    notifier.news = true;
    notifier.look_after().await;
    let farewell = async {
        while !notifier.under_way.is_empty()
            && let Some(attempt) = attempted.recv().await
        {
            notifier.conclude(attempt);
        }
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    notifier.keep();
}

/// The result of an attempt to deliver.
struct Attempt {
    delivery: u64,
    to: String,
    result: Result<(), Explanation>,
}

/// Creates deliveries, stores them, and sends them.
struct Notifier {
    handle: Handle,
    sender: Arc<dyn Sender>,
    attempts: mpsc::UnboundedSender<Attempt>,
    state: State,
    keeper: Keeper,
    /// Whether a run has ended since the journal was last read.
    news: bool,
    /// When the ages of the backups are checked next.
    look_at: Timestamp,
    /// Notifiers with a running delivery: one at a time.
    under_way: BTreeSet<String>,
    /// Until when notifiers that did not accept a message are paused.
    paused: HashMap<String, Timestamp>,
}

impl Notifier {
    fn open(handle: &Handle, sender: Arc<dyn Sender>, attempts: mpsc::UnboundedSender<Attempt>) -> Self {
        let kept = State::read(handle.state_dir()).unwrap_or_else(|error| {
            tracing::error!(
                "the record of sent notices is lost, runs that have ended are not reported again: {}",
                config::explain(&error)
            );
            None
        });
        let state = kept.unwrap_or_else(|| watch::begin(handle));
        handle.0.set_notifiers(standing::of(&handle.config(), &state));
        Self {
            state,
            keeper: Keeper::new(handle.state_dir()),
            look_at: handle.now(),
            handle: handle.clone(),
            sender,
            attempts,
            news: true,
            under_way: BTreeSet::new(),
            paused: HashMap::new(),
        }
    }

    /// Notes an event; returns whether it needs an action.
    fn heed(&mut self, event: &Event) -> bool {
        match event {
            Event::Began { run } if run.job == Job::Backup => {
                let (config, now) = (self.handle.config(), self.handle.now());
                let text = format!("{}: backup started, run {}\n", run.instance, run.id);
                watch::ping(&mut self.state, &config, &run.instance, Signal::Start, |_| text.clone(), now);
            }
            Event::Ended { .. } => self.news = true,
            Event::Reloaded => self.look_at = self.handle.now(),
            // These come every second.
            _ => return false,
        }
        true
    }

    /// Writes new notices, and sends those that are due.
    async fn look_after(&mut self) {
        let now = self.handle.now();
        let digests = self.digests_due();
        // A time further away than one interval was set by a wrong clock. Runs are noted without
        // notifiers, too: a notifier that is added later gets no notices about earlier runs.
        let seen = if !digests.is_empty() {
            Some(watch::look(&self.handle).await)
        } else if (self.look_at <= now || self.look_at.duration_since(now) > LOOK)
            && !self.handle.config().notify.is_empty()
        {
            self.look_at = now.saturating_add(LOOK).unwrap_or(Timestamp::MAX);
            Some(watch::look(&self.handle).await)
        } else {
            None
        };
        // The runs first: a good run is reported as such, and not as a backup of another machine.
        if std::mem::take(&mut self.news) || seen.is_some() {
            watch::heed_runs(&mut self.state, &self.handle);
        }
        if let Some(seen) = seen {
            watch::heed_conditions(&mut self.state, &self.handle, &seen.backups);
            watch::heed_state(&mut self.state, &self.handle).await;
            for (notifier, from) in digests {
                let digest = Digest::of(&self.handle, &notifier, &seen, from, now);
                self.state.digests.insert(notifier.name.clone(), now);
                self.state.write(&notifier.name, Message::Digest(Box::new(digest)), now);
            }
        }
        self.heed_quiet();
        self.keep();
        self.hand_out();
    }

    fn heed_quiet(&mut self) {
        let (config, now) = (self.handle.config(), self.handle.now());
        for notifier in config.notify.iter().filter(|notifier| !self.under_way.contains(&notifier.name)) {
            self.state.heed_quiet(notifier, now);
        }
    }

    /// Returns the notifiers that get a digest now, and since when. One that is new gets its first
    /// one at the next time that it names. Several missed ones are one.
    fn digests_due(&mut self) -> Vec<(NotifyConfig, Timestamp)> {
        let (config, now) = (self.handle.config(), self.handle.now());
        let digests = &mut self.state.digests;
        digests.retain(|name, _| config.notify.iter().any(|it| it.name == *name && it.digest.is_some()));
        let due = |notifier: &NotifyConfig| {
            let last = digests.entry(notifier.name.clone()).or_insert(now);
            // A clock was set back.
            *last = (*last).min(now);
            let slot = notifier.digest?.until(now, &notifier.zone);
            (slot > *last).then(|| (notifier.clone(), *last))
        };
        let daily = config.notify.iter().filter(|notifier| notifier.digest.is_some());
        daily.filter_map(due).collect()
    }

    fn keep(&mut self) {
        self.handle.0.set_notifiers(standing::of(&self.handle.config(), &self.state));
        if let Err(error) = self.keeper.keep(&self.state) {
            tracing::error!("unable to write the queue of notices in {}: {error}", self.handle.state_dir().display());
        }
    }

    /// Starts every delivery that is due.
    fn hand_out(&mut self) {
        let (config, now) = (self.handle.config(), self.handle.now());
        self.state.deliveries.retain(|delivery| {
            let known = config.notify.iter().any(|notifier| notifier.name == delivery.to);
            if !known {
                tracing::warn!(
                    notifier = delivery.to,
                    "dropped a notice, because its notifier is no longer configured"
                );
            }
            known
        });
        self.state.give_up(|delivery| !delivery.held && now.duration_since(delivery.written_at) > GIVE_UP);
        for notifier in &config.notify {
            let is_paused = self.paused.get(&notifier.name).is_some_and(|until| *until > now);
            // A message that is refused repeatedly does not delay the others.
            let may_go = |delivery: &&Delivery| !delivery.held && quiet::may_go(notifier, &delivery.message, now);
            let deliveries = self.state.deliveries.iter().filter(|delivery| delivery.to == notifier.name);
            let deliveries = deliveries.filter(may_go);
            let Some(delivery) = deliveries.min_by_key(|delivery| (delivery.attempts, delivery.id)) else { continue };
            if is_paused || !self.under_way.insert(notifier.name.clone()) {
                continue;
            }
            let (sender, attempts) = (self.sender.clone(), self.attempts.clone());
            let (notifier, Delivery { id, to, message, .. }) = (notifier.clone(), delivery.clone());
            tokio::spawn(async move {
                let result = sender.send(&notifier, &message).await;
                // There is no receiver once the daemon has ended; the delivery is kept.
                let _ = attempts.send(Attempt { delivery: id, to, result });
            });
        }
    }

    /// Returns the next time at which something is due without an event.
    fn due(&self) -> Option<Timestamp> {
        let config: Arc<Config> = self.handle.config();
        if config.notify.is_empty() {
            return None;
        }
        let now = self.handle.now();
        let moments = config.notify.iter().filter(|notifier| !self.under_way.contains(&notifier.name));
        let moments = moments.flat_map(|notifier| {
            let own = self.state.deliveries.iter().filter(|delivery| delivery.to == notifier.name);
            let (ready, waiting): (Vec<_>, Vec<_>) =
                own.partition(|it| !it.held && quiet::may_go(notifier, &it.message, now));
            // Of notifiers that are not paused, what is ready has been started.
            let paused = self.paused.get(&notifier.name).copied().filter(|_| !ready.is_empty());
            paused.into_iter().chain(quiet::end(notifier, now).filter(|_| !waiting.is_empty()))
        });
        let digests = config.notify.iter().filter_map(|it| Some(it.digest?.after(now, &it.zone)));
        Some(moments.chain(digests).fold(self.look_at, Timestamp::min))
    }

    /// Notes the result of an attempt.
    fn conclude(&mut self, Attempt { delivery: id, to, result }: Attempt) {
        self.under_way.remove(&to);
        let now = self.handle.now();
        let health = self.state.health.entry(to.clone()).or_default();
        match result {
            Ok(()) => {
                health.delivered_at = Some(now);
                health.sent += 1;
                health.failing_since = None;
                health.error = None;
                health.failures = 0;
                self.paused.remove(&to);
                self.state.deliveries.retain(|delivery| delivery.id != id);
            }
            Err(error) => {
                tracing::warn!(notifier = to, hint = error.hint, "a notice was not accepted: {error}");
                health.failing_since.get_or_insert(now);
                health.error = Some(error);
                health.failed += 1;
                health.failures = health.failures.saturating_add(1);
                let until = now.checked_add(AFTER_FAILURE.after(health.failures)).unwrap_or(Timestamp::MAX);
                self.paused.insert(to, until);
                if let Some(delivery) = self.state.deliveries.iter_mut().find(|delivery| delivery.id == id) {
                    delivery.attempts += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;
