//! Decides what runs, and when. Pure functions of schedules, of what ran last, and of the time: no
//! clock, no I/O.
//!
//! A **slot** is a time at which a schedule fires. Each is served at most once, and it names the
//! run wherever daemons must agree on it. The last slot that was served or skipped has to be
//! remembered between two calls.

use std::collections::BTreeMap;
use std::fmt;

use config::Config;
use config::schedule::Schedule;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// What a run does. Of queued runs, those whose job comes first here start first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Job {
    /// A restore into a target. No schedule starts it: somebody waits for it.
    Restore,
    /// The return of a target's state from before the last restore.
    Undo,
    /// A backup, with what follows it: copies, prune.
    Backup,
    /// A check of the repository.
    Check,
    /// A restore into a scratch database, as a proof.
    Drill,
}

impl Job {
    /// What schedules start, in the order in which those of one slot begin.
    pub const SCHEDULED: [Self; 3] = [Self::Backup, Self::Check, Self::Drill];

    /// Returns its word in the journal, in metrics and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Undo => "undo",
            Self::Backup => "backup",
            Self::Check => "check",
            Self::Drill => "drill",
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A job of an instance, with its schedule.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The instance's name.
    pub instance: String,
    /// What the run does.
    pub job: Job,
    /// When it runs.
    pub schedule: Schedule,
    /// The time zone of the schedule.
    pub zone: TimeZone,
    /// Within how long after a slot the run begins, so that many instances do not begin at the same
    /// second.
    pub splay: SignedDuration,
    /// Whether a slot that was missed is served late.
    pub catch_up: bool,
    /// [`Schedule::longest_interval`], kept because each look at what is due needs it.
    interval: SignedDuration,
}

/// A time at which a schedule fires, and the time at which its run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Slot {
    /// When the schedule fires.
    pub time: Timestamp,
    /// When the run begins: within the splay after it.
    pub begins: Timestamp,
}

/// What to do about an entry now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing before this slot begins; `None` at the end of the calendar.
    Later(Option<Slot>),
    /// Serve this slot. With `late`, it was missed, and is caught up: once for all missed ones.
    Now {
        /// The latest slot that has begun.
        slot: Slot,
        /// Whether it is late.
        late: bool,
    },
    /// This slot and those before it were missed, and the entry does not catch up.
    Missed(Slot),
}

/// How late a run may begin and still be on time: a loaded machine, a daemon that is being
/// replaced.
pub const ON_TIME: SignedDuration = SignedDuration::from_mins(5);

/// Returns every job that a configuration has a schedule for.
pub fn entries(config: &Config) -> BTreeMap<(String, Job), Entry> {
    let mut entries = BTreeMap::new();
    for instance in config.instances.values() {
        let routine = &instance.routine;
        let check = routine.check.as_ref().map(|check| &check.schedule);
        let drill = instance.drill.schedule.as_ref();
        for (job, schedule) in [(Job::Backup, routine.backup.as_ref()), (Job::Check, check), (Job::Drill, drill)] {
            let Some(schedule) = schedule else { continue };
            let mut entry = Entry::new(&instance.instance.name, job, schedule.clone(), routine.zone.clone());
            entry.splay = SignedDuration::try_from(routine.splay).unwrap_or(SignedDuration::MAX);
            entry.catch_up = routine.catch_up;
            entries.insert((instance.instance.name.clone(), job), entry);
        }
    }
    entries
}

impl Entry {
    /// Returns a job that starts exactly at its slots and catches up.
    pub fn new(instance: impl Into<String>, job: Job, schedule: Schedule, zone: TimeZone) -> Self {
        let interval = schedule.longest_interval();
        Self { instance: instance.into(), job, schedule, zone, splay: SignedDuration::ZERO, catch_up: true, interval }
    }

    /// Returns the longest time between two slots, not counting changes of clocks.
    pub fn interval(&self) -> SignedDuration {
        self.interval
    }

    /// Returns the first slot after `last`.
    pub fn next_after(&self, last: Timestamp) -> Option<Slot> {
        self.schedule.next_after(last, &self.zone).map(|time| self.slot(time))
    }

    /// Returns what to do at the time `now`. `last` is the last slot that was served or skipped, or
    /// the moment from which the entry counts.
    pub fn due(&self, last: Timestamp, now: Timestamp) -> Due {
        let Some(slot) = self.latest_begun(last, now) else { return Due::Later(self.next_after(last)) };
        let late = now.duration_since(slot.begins) > ON_TIME;
        if late && !self.catch_up { Due::Missed(slot) } else { Due::Now { slot, late } }
    }

    /// Returns the latest slot after `last` whose run should have begun by `now`.
    fn latest_begun(&self, last: Timestamp, now: Timestamp) -> Option<Slot> {
        // A daemon that was down for a year need not count the year's slots. Twice the longest
        // interval holds one for certain, clocks' changes included.
        let window = self.interval.saturating_mul(2).saturating_add(self.splay);
        let from = now.saturating_sub(window).map_or(last, |from| from.max(last));
        let begun = self.schedule.upcoming(from, &self.zone).map(|time| self.slot(time));
        begun.take_while(|slot| slot.begins <= now).last()
    }

    fn slot(&self, time: Timestamp) -> Slot {
        let begins = time.checked_add(self.delay()).unwrap_or(time);
        Slot { time, begins }
    }

    /// Returns the delay of this entry's runs within the splay. It is the same on every machine, so
    /// that operators know when a run starts, and two daemons agree.
    fn delay(&self) -> SignedDuration {
        let span = self.splay.as_secs();
        if span <= 0 {
            return SignedDuration::ZERO;
        }
        let digest = Sha256::new().chain_update(self.instance.as_bytes()).chain_update(self.job.as_str()).finalize();
        let mut number = [0; 8];
        number.copy_from_slice(&digest[..8]);
        SignedDuration::from_secs((u64::from_be_bytes(number) % span.unsigned_abs()).cast_signed())
    }
}

#[cfg(test)]
mod tests;
