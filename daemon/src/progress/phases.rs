//! The phases of a run: when each began and ended, and how fast it is.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::journal::PhaseTook;

/// What tasks that are named after objects are called together.
const OBJECTS: &str = "objects";
/// The time over which a rate is measured.
const WINDOW: Duration = Duration::from_secs(10);
/// A rate over less time says little.
const SHORTEST: Duration = Duration::from_secs(1);

/// A phase of a run. Phases can run in parallel.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RunPhase)]
pub struct PhaseState {
    /// What it is about: `database`, `filestore`, `verification`; `objects` while many objects are
    /// read.
    pub name: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended; null while it is running.
    #[schema(required = true)]
    pub ended_at: Option<Timestamp>,
    /// Bytes so far.
    pub done_bytes: u64,
    /// Bytes in all; null where that is not known.
    #[schema(required = true)]
    pub total_bytes: Option<u64>,
    /// How fast it is at this moment; null where it has ended, or just began.
    #[schema(required = true)]
    pub bytes_per_second: Option<u64>,
    /// How long it still takes at this rate; null where that is unknown.
    #[schema(required = true)]
    pub eta_seconds: Option<u64>,
}

/// The phases of an attempt.
#[derive(Debug, Default)]
pub(super) struct Phases(Vec<Phase>);

#[derive(Debug)]
struct Phase {
    name: String,
    began: Instant,
    began_at: Timestamp,
    /// How many of its tasks run.
    running: usize,
    /// When the last of its tasks ended.
    ended: Option<(Instant, Timestamp)>,
    /// Bytes of the tasks that ended.
    done: u64,
    /// `None`: not known, or there were several tasks, and more may come.
    total: Option<u64>,
    /// Bytes at moments of the last seconds, the oldest first.
    samples: VecDeque<(Instant, u64)>,
}

fn phase_of(task: &str) -> &str {
    if task.contains('/') { OBJECTS } else { task }
}

impl Phases {
    pub(super) fn began(&mut self, task: &str, total: Option<u64>) {
        let name = phase_of(task);
        if let Some(phase) = self.0.iter_mut().find(|phase| phase.name == name) {
            phase.running += 1;
            (phase.ended, phase.total) = (None, None);
            return;
        }
        let now = Instant::now();
        self.0.push(Phase {
            name: name.to_owned(),
            began: now,
            began_at: Timestamp::now(),
            running: 1,
            ended: None,
            done: 0,
            total: total.filter(|_| name != OBJECTS),
            samples: VecDeque::from([(now, 0)]),
        });
    }

    pub(super) fn ended(&mut self, task: &str, done: u64) {
        let name = phase_of(task);
        let Some(phase) = self.0.iter_mut().find(|phase| phase.name == name) else { return };
        phase.running = phase.running.saturating_sub(1);
        phase.done += done;
        if phase.running == 0 {
            phase.ended = Some((Instant::now(), Timestamp::now()));
        }
    }

    /// Returns the phases; `tasks` are the names and bytes of those that run.
    pub(super) fn seen(&mut self, tasks: &[(&str, u64)]) -> Vec<PhaseState> {
        let seen = |phase: &mut Phase| {
            let own = tasks.iter().filter(|(task, _)| phase_of(task) == phase.name);
            let done = phase.done + own.map(|(_, done)| done).sum::<u64>();
            phase.state(done)
        };
        self.0.iter_mut().map(seen).collect()
    }

    /// Returns how long each took; one that still runs, until now.
    pub(super) fn took(&self) -> Vec<PhaseTook> {
        let took = |phase: &Phase| {
            let took = phase.ended.map_or_else(Instant::now, |(at, _)| at).duration_since(phase.began);
            PhaseTook { name: phase.name.clone(), milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) }
        };
        self.0.iter().map(took).collect()
    }
}

impl Phase {
    fn state(&mut self, done: u64) -> PhaseState {
        let rate = if self.ended.is_some() { None } else { self.rate(done) };
        let left = self.total.and_then(|total| total.checked_sub(done));
        PhaseState {
            name: self.name.clone(),
            began_at: self.began_at,
            ended_at: self.ended.map(|(_, at)| at),
            done_bytes: done,
            total_bytes: self.total,
            bytes_per_second: rate,
            eta_seconds: left.zip(rate.filter(|rate| *rate > 0)).map(|(left, rate)| left.div_ceil(rate)),
        }
    }

    /// Returns how fast it was in the last seconds. A phase that counts nothing has no rate.
    fn rate(&mut self, done: u64) -> Option<u64> {
        let now = Instant::now();
        // However many ask, at most one sample is kept for each second.
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= SHORTEST) {
            self.samples.push_back((now, done));
        }
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.samples.pop_front();
        }
        let (since, before) = *self.samples.front()?;
        let passed = now.duration_since(since);
        let milliseconds = u64::try_from(passed.as_millis()).ok().filter(|_| passed >= SHORTEST && done > 0)?;
        Some(done.saturating_sub(before).saturating_mul(1000) / milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rate_and_eta_follow_last_seconds() {
        let mut phases = Phases::default();
        phases.began("database", Some(2000));
        assert_eq!(phases.seen(&[("database", 0)])[0].bytes_per_second, None);
        let mut done = 0;
        for (seconds, rate) in [(10, 100), (20, 20)] {
            for _ in 0..seconds {
                tokio::time::sleep(SHORTEST).await;
                done += rate;
                phases.seen(&[("database", done)]);
            }
            let state = phases.seen(&[("database", done)]).remove(0);
            let left = (2000 - done).div_ceil(rate);
            assert_eq!((state.bytes_per_second, state.eta_seconds), (Some(rate), Some(left)), "{state:?}");
        }
        phases.ended("database", done);
        let state = phases.seen(&[]).remove(0);
        assert_eq!((state.done_bytes, state.bytes_per_second, state.eta_seconds), (1400, None, None));
        assert!(state.ended_at.is_some());
        assert_eq!(phases.took(), [PhaseTook { name: "database".into(), milliseconds: 30_000 }]);
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_of_objects_are_one_phase() {
        let mut phases = Phases::default();
        for name in ["sales/1/a", "sales/1/b"] {
            phases.began(name, Some(10));
            phases.ended(name, 10);
        }
        phases.began("sales/2/a", Some(10));
        let state = phases.seen(&[("sales/2/a", 3)]);
        assert_eq!(state.len(), 1);
        assert_eq!((state[0].name.as_str(), state[0].done_bytes, state[0].total_bytes), (OBJECTS, 23, None));
        assert_eq!(state[0].ended_at, None);
    }

    #[tokio::test(start_paused = true)]
    async fn phase_without_bytes_has_no_rate() {
        let mut phases = Phases::default();
        phases.began("verification", None);
        tokio::time::sleep(WINDOW).await;
        let state = phases.seen(&[("verification", 0)]).remove(0);
        assert_eq!((state.bytes_per_second, state.eta_seconds), (None, None));
    }
}
