//! Derives notices: from the journal how each run ended, and from the repository how old the newest
//! backups are.

use std::collections::{HashMap, HashSet};

use config::{Channel, Config, NotifyConfig};
use engine::error::Explanation;
use engine::repository::{RepositoryError, is_future};
use jiff::{SignedDuration, Timestamp};

use super::notice::Notice;
use super::state::{Heeded, Message, Signal, State};
use super::text::Text;
use crate::agenda::Job;
use crate::condition::{Backups, Condition, ReasonKind};
use crate::handle::Handle;
use crate::journal::{RunOutcome, RunRecord};
use crate::staleness::Since;
use crate::view::InstanceView;

/// The time between two reports of the same problem.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// Returns the key of a job of an instance; names of instances have no slash.
fn key(instance: &str, job: Job) -> String {
    format!("{instance}/{job}")
}

/// Returns a state that starts at this moment: runs that ended before are not reported.
pub(super) fn begin(handle: &Handle) -> State {
    let mut state = State::default();
    for run in news(&state, handle) {
        heed(&mut state, &run);
    }
    state
}

/// Notes the runs that ended since the last look. The journal has them all, also those that ended
/// while the daemon was down.
pub(super) fn heed_runs(state: &mut State, handle: &Handle) {
    let (config, now) = (handle.config(), handle.now());
    for run in news(state, handle) {
        let notice = heed(state, &run);
        let Some(notice) = notice.filter(|_| config.instances.contains_key(&run.instance)) else { continue };
        if run.job == Job::Backup {
            let signal = if is_failure(&run) { Signal::Fail } else { Signal::Success };
            let text = |to: &NotifyConfig| Text::of(&notice, to).plain();
            ping(state, &config, &run.instance, signal, text, now);
        }
        tell(state, &config, notice, now);
    }
}

/// Returns the runs that have ended and were not noted, oldest first.
fn news(state: &State, handle: &Handle) -> Vec<RunRecord> {
    let journal = handle.0.journal();
    let mut heeded = HashSet::new();
    // One job of an instance never runs twice at once: all runs before the last noted one were
    // noted.
    let is_new = |run: &&RunRecord| {
        // The user who started it watches it.
        if matches!(run.job, Job::Restore | Job::Undo) {
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
    matches!(run.outcome, Some(RunOutcome::Failed { .. } | RunOutcome::Lost))
}

/// Notes how a run ended; returns the notice about it.
fn heed(state: &mut State, run: &RunRecord) -> Option<Notice> {
    let key = key(&run.instance, run.job);
    state.heeded.insert(key.clone(), Heeded::new(run));
    let had_failed = match run.outcome.as_ref()? {
        RunOutcome::Failed { .. } | RunOutcome::Lost => {
            state.failing.insert(key);
            false
        }
        RunOutcome::Done { .. } | RunOutcome::Elsewhere => {
            let was_stale = run.job == Job::Backup && state.stale.remove(&run.instance).is_some();
            state.failing.remove(&key) || was_stale
        }
        RunOutcome::Cancelled => false,
    };
    Notice::of_run(run, had_failed)
}

/// Queues a ping to every switch of the instance: a backup started or ended.
pub(super) fn ping(
    state: &mut State,
    config: &Config,
    instance: &str,
    signal: Signal,
    text: impl Fn(&NotifyConfig) -> String,
    now: Timestamp,
) {
    let switches = config.notify.iter().filter(|it| matches!(it.channel, Channel::Ping { .. }) && it.covers(instance));
    for notifier in switches {
        let ping = Message::Ping { instance: instance.to_owned(), signal, text: text(notifier) };
        state.write(&notifier.name, ping, now);
    }
}

/// Adds a delivery for each notifier that wants the notice.
fn tell(state: &mut State, config: &Config, notice: Notice, now: Timestamp) {
    for notifier in &config.notify {
        if matches!(notifier.channel, Channel::Ping { .. }) || notice.occasion_for(notifier).is_none() {
            continue;
        }
        state.notify(notifier, notice.clone(), now);
    }
}

/// What is known about the backups.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Of each instance.
    pub(super) backups: HashMap<String, Backups>,
    /// Why the repository cannot be read.
    pub(super) unread: Option<Explanation>,
}

/// Returns what is known about the backups of each instance. The repository counts, whichever
/// machine made the backup. If it does not answer, the journal says what this daemon knows.
pub(super) async fn look(handle: &Handle) -> Seen {
    match listed(handle).await {
        Ok(backups) => Seen { backups, unread: None },
        Err(error) => {
            let error = config::explain(&error);
            tracing::warn!("unable to find out the age of the backups: {error}");
            let made = |view: InstanceView| {
                let backup = view.jobs.into_iter().find(|job| job.job == Job::Backup);
                let newest_good = backup.and_then(|job| job.latest_success).map(|run| run.began_at);
                (view.name, Backups { newest_good, ..Backups::default() })
            };
            Seen { backups: handle.instances().into_iter().map(made).collect(), unread: Some(error) }
        }
    }
}

async fn listed(handle: &Handle) -> Result<HashMap<String, Backups>, RepositoryError> {
    let (config, repository) = (handle.config(), handle.repository().await?);
    let mut seen = HashMap::new();
    // One after the other: the manifests of one are in memory at a time.
    for name in config.instances.keys() {
        seen.insert(name.clone(), Backups::of(name, &repository.list(Some(name)).await?));
    }
    Ok(seen)
}

/// Reports problems with an instance's backups, once a day while they last.
fn heed_wrongs(state: &mut State, config: &Config, name: &str, condition: &Condition, now: Timestamp) {
    let alarms = condition.reasons.iter().filter(|reason| reason.kind.is_alarm());
    let alarms: Vec<_> = alarms.map(|reason| reason.message.as_str()).collect();
    let [first, rest @ ..] = alarms.as_slice() else {
        state.alarmed.remove(name);
        return;
    };
    if state.alarmed.get(name).is_some_and(|reported| was_lately(*reported, now)) {
        return;
    }
    state.alarmed.insert(name.to_owned(), now);
    let more = if rest.is_empty() { String::new() } else { format!("; and {} more", rest.len()) };
    tell(state, config, Notice::of_alarm(name, &format!("{first}{more}"), now), now);
}

/// Reports that the daemon's own state is not on the disk, once a day while it lasts.
pub(super) async fn heed_state(state: &mut State, handle: &Handle) {
    let Some(trouble) = handle.state_trouble().await else {
        state.state_alarmed = None;
        return;
    };
    let (config, now) = (handle.config(), handle.now());
    if state.state_alarmed.is_some_and(|reported| was_lately(reported, now)) {
        return;
    }
    state.state_alarmed = Some(now);
    // Each notifier gets one notice, whatever the number of instances.
    for notifier in config.notify.iter().filter(|notifier| !matches!(notifier.channel, Channel::Ping { .. })) {
        let Some(instance) = config.instances.keys().find(|name| notifier.covers(name)) else { continue };
        let notice = Notice::of_state(instance, &trouble, now);
        if notice.occasion_for(notifier).is_some() {
            state.notify(notifier, notice, now);
        }
    }
}

/// Returns whether it was reported so recently that it need not be reported again. A report in the
/// future has the time of a wrong clock, and does not count.
fn was_lately(reported: Timestamp, now: Timestamp) -> bool {
    !is_future(reported, now) && now.duration_since(reported) < AGAIN
}

/// Reports instances with problems or without a recent backup, and those that are no longer stale.
pub(super) fn heed_conditions(state: &mut State, handle: &Handle, seen: &HashMap<String, Backups>) {
    let (config, now) = (handle.config(), handle.now());
    state.watched.retain(|name, _| config.instances.contains_key(name));
    state.stale.retain(|name, _| config.instances.contains_key(name));
    state.alarmed.retain(|name, _| config.instances.contains_key(name));
    for view in handle.instances() {
        let name = &view.name;
        let Some(backups) = seen.get(name) else { continue };
        let condition = Condition::of(&view, Some(backups), None, now);
        heed_wrongs(state, &config, name, &condition, now);
        if view.stale_after_seconds.is_none() {
            continue;
        }
        // One that was just configured has nothing yet.
        let watched = state.watched.entry(name.clone()).or_insert(now);
        *watched = (*watched).min(now);
        let watched = *watched;
        let newest = backups.newest_good;
        let staleness = match newest {
            Some(_) => condition.message(ReasonKind::Stale).map(ToOwned::to_owned),
            None => view.staleness(Since::Watched(watched), now).map(|staleness| staleness.to_string()),
        };
        match (staleness, state.stale.get(name).copied()) {
            (Some(_), Some(reported)) if was_lately(reported, now) => {}
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
