//! What there is to tell: from the journal what became of each run, and from the repository how old the newest backups are.

use std::collections::{HashMap, HashSet};

use engine::config::{Channel, Config};
use engine::repository::RepositoryError;
use jiff::{SignedDuration, Timestamp};

use super::notice::Notice;
use super::state::{Heeded, Message, Signal, State};
use crate::agenda::Job;
use crate::handle::Handle;
use crate::journal::{Outcome, RunRecord};
use crate::staleness::Since;

/// Between two times that it is told that an instance is stale.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// The key of a job of an instance; names of instances have no slash.
fn key(instance: &str, job: Job) -> String {
    format!("{instance}/{job}")
}

/// Goes on from this moment: what ended before is not told.
pub(super) fn begin(handle: &Handle) -> State {
    let mut state = State::default();
    for run in news(&state, handle) {
        heed(&mut state, &run);
    }
    state
}

/// Heeds the runs that ended since it last looked. The journal knows them all, also those that ended while nobody listened.
pub(super) fn heed_runs(state: &mut State, handle: &Handle) {
    let (config, now) = (handle.config(), handle.now());
    for run in news(state, handle) {
        let notice = heed(state, &run);
        let Some(notice) = notice.filter(|_| config.instances.contains_key(&run.instance)) else { continue };
        if run.job == Job::Backup {
            let signal = if is_failure(&run) { Signal::Fail } else { Signal::Success };
            ping(state, &config, &run.instance, signal, notice.text(), now);
        }
        tell(state, &config, notice, now);
    }
}

/// The runs that have ended and were not heeded, oldest first.
fn news(state: &State, handle: &Handle) -> Vec<RunRecord> {
    let journal = handle.0.journal();
    let mut heeded = HashSet::new();
    // One job of an instance never runs twice at once: what was heeded of it is all that began before the last that was.
    let is_new = |run: &&RunRecord| {
        // A restore is watched by whoever began it.
        if run.job == Job::Restore {
            return false;
        }
        let key = key(&run.instance, run.job);
        if heeded.contains(&key) {
            return false;
        }
        let is_new = state.heeded.get(&key).is_none_or(|last| last.is_before(run));
        if !is_new {
            heeded.insert(key);
        }
        is_new && run.ended_at.is_some()
    };
    let mut news: Vec<_> = journal.runs().rev().filter(is_new).cloned().collect();
    news.reverse();
    news
}

fn is_failure(run: &RunRecord) -> bool {
    matches!(run.outcome, Some(Outcome::Failed { .. } | Outcome::Lost))
}

/// Notes what became of a run; returns what there is to tell of it.
fn heed(state: &mut State, run: &RunRecord) -> Option<Notice> {
    let key = key(&run.instance, run.job);
    state.heeded.insert(key.clone(), Heeded::new(run));
    let had_failed = match run.outcome.as_ref()? {
        Outcome::Failed { .. } | Outcome::Lost => {
            state.failing.insert(key);
            false
        }
        Outcome::Done { .. } | Outcome::Elsewhere => {
            let was_stale = run.job == Job::Backup && state.stale.remove(&run.instance).is_some();
            state.failing.remove(&key) || was_stale
        }
        Outcome::Cancelled => false,
    };
    Notice::of_run(run, had_failed)
}

/// Tells every switch of the instance that a backup begins or has ended.
pub(super) fn ping(state: &mut State, config: &Config, instance: &str, signal: Signal, text: String, now: Timestamp) {
    let switches = config.notify.iter().filter(|it| matches!(it.channel, Channel::Ping { .. }) && it.covers(instance));
    for notifier in switches {
        let ping = Message::Ping { instance: instance.to_owned(), signal, text: text.clone() };
        state.write(&notifier.name, ping, now);
    }
}

/// Writes a letter to each who wants to be told.
fn tell(state: &mut State, config: &Config, notice: Notice, now: Timestamp) {
    for notifier in &config.notify {
        if matches!(notifier.channel, Channel::Ping { .. }) || notice.occasion_for(notifier).is_none() {
            continue;
        }
        state.write(&notifier.name, Message::Notice(Box::new(notice.clone())), now);
    }
}

/// The moment of each instance's newest good backup. What the repository has is what counts, whoever made it; where it cannot be asked, the
/// journal says what this daemon knows.
pub(super) async fn newest_backups(handle: &Handle) -> HashMap<String, Timestamp> {
    match listed(handle).await {
        Ok(newest) => newest,
        Err(error) => {
            tracing::warn!("unable to see how old the backups are: {}", engine::error::explain(&error));
            let views = handle.instances().into_iter();
            let latest = views.filter_map(|view| {
                let backup = view.jobs.into_iter().find(|job| job.job == Job::Backup)?;
                Some((view.name, backup.latest_success?.began_at))
            });
            latest.collect()
        }
    }
}

async fn listed(handle: &Handle) -> Result<HashMap<String, Timestamp>, RepositoryError> {
    let (config, repository) = (handle.config(), handle.repository().await?);
    let mut newest = HashMap::new();
    // One after the other: the manifests of one are in memory at a time.
    for name in config.instances.keys() {
        let listing = repository.list(Some(name)).await?;
        newest.extend(listing.newest_good().get(name.as_str()).map(|backup| (name.clone(), backup.created_at)));
    }
    Ok(newest)
}

/// Tells of instances that are stale, and of those that are so no longer.
pub(super) fn heed_ages(state: &mut State, handle: &Handle, newest: &HashMap<String, Timestamp>) {
    let (config, now) = (handle.config(), handle.now());
    state.watched.retain(|name, _| config.instances.contains_key(name));
    state.stale.retain(|name, _| config.instances.contains_key(name));
    for view in handle.instances().iter().filter(|view| view.stale_after_seconds.is_some()) {
        let name = &view.name;
        // One that was just configured has nothing yet.
        let watched = *state.watched.entry(name.clone()).or_insert(now);
        let newest = newest.get(name).copied();
        let staleness = view.staleness(newest.map_or(Since::Watched(watched), Since::Backup), now);
        match (staleness, state.stale.get(name).copied()) {
            (Some(_), Some(told)) if now.duration_since(told) < AGAIN => {}
            (Some(staleness), _) => {
                state.stale.insert(name.clone(), now);
                tell(state, &config, Notice::of_staleness(name, &staleness, now), now);
            }
            (None, Some(_)) => {
                state.stale.remove(name);
                state.failing.remove(&key(name, Job::Backup));
                if let Some(newest) = newest {
                    tell(state, &config, Notice::of_freshness(name, newest, now), now);
                }
            }
            (None, None) => {}
        }
    }
}
