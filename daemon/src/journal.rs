//! What ran, and how it ended: a file that survives restarts.
//!
//! `journal.jsonl` in the state folder has an event a line, each written and flushed before anything is done because of it. What
//! a crash tears is the last line alone, and that is cut off when the file is opened. A run that began and of which
//! no end is known then is [`Outcome::Lost`]: whoever asks learns that it did not end well, rather than that it still goes on.

mod error;
mod file;
mod record;

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

pub use self::error::JournalError;
use self::file::JournalFile;
pub use self::file::is_in_use;
use self::record::Event;
pub use self::record::{Outcome, RunId, RunRecord, Trigger};
use crate::agenda::Job;

/// Runs older than this are forgotten, but for the latest of each job of each instance.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(400 * 24);
/// More runs than this are not kept, whatever their age: the oldest go first.
pub const KEPT_RUNS: usize = 20_000;
/// So many more may gather before they are forgotten: that writes the file anew.
const SLACK: usize = KEPT_RUNS / 50;

/// The journal of one daemon. Only one process has a state folder's journal open.
#[derive(Debug)]
pub struct Journal {
    file: JournalFile,
    history: History,
}

/// What a journal says: all that follows from its events.
#[derive(Debug, Default)]
pub struct History {
    runs: BTreeMap<RunId, RunRecord>,
    /// The last slot of each job that was served or let go, or when the job was first seen.
    slots: HashMap<(String, Job), Timestamp>,
    next: u64,
    /// Lines that could not be read, by their numbers; see [`Self::damaged_lines`].
    damaged: Vec<usize>,
}

impl Deref for Journal {
    type Target = History;

    fn deref(&self) -> &History {
        &self.history
    }
}

impl Journal {
    /// Opens the journal in `folder`, which is made where it is missing, and writes down the runs that were lost.
    ///
    /// # Errors
    /// [`JournalError::InUse`] where another process has it open; [`JournalError::Io`]
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, JournalError> {
        let (file, text) = JournalFile::open(folder)?;
        let mut journal = Self { file, history: History::of(&text) };
        drop(text);
        let unfinished: Vec<_> = journal.runs().filter(|run| run.ended_at.is_none()).map(|run| run.id).collect();
        for id in unfinished {
            journal.end(id, now, Outcome::Lost)?;
        }
        if journal.history.forget(now) {
            journal.file.replace(&journal.history.events())?;
        }
        Ok(journal)
    }

    /// Writes down that a slot is served or let go, or that a job is heeded from `slot` on.
    ///
    /// # Errors
    /// [`JournalError::Io`]; nothing is then taken to be written.
    pub fn set_slot(&mut self, instance: &str, job: Job, slot: Timestamp) -> Result<(), JournalError> {
        self.write(Event::Slot { instance: instance.to_owned(), job, slot })
    }

    /// Writes down that a run begins, and names it. A restore has a target.
    ///
    /// # Errors
    /// [`JournalError::Io`]; the run must then not begin.
    pub fn begin(
        &mut self,
        instance: &str,
        job: Job,
        target: Option<&str>,
        trigger: Trigger,
        at: Timestamp,
    ) -> Result<RunId, JournalError> {
        // Else a daemon that runs for months would know more and more.
        if self.history.runs.len() >= KEPT_RUNS + SLACK && self.history.forget(at) {
            self.file.replace(&self.history.events())?;
        }
        let id = RunId(self.history.next.max(1));
        let (instance, target) = (instance.to_owned(), target.map(Into::into));
        self.write(Event::Began { run: id, instance, job, target, trigger, at })?;
        Ok(id)
    }

    /// Writes down how a run ended. One that ended before keeps its first end.
    ///
    /// # Errors
    /// [`JournalError::Io`]
    pub fn end(&mut self, run: RunId, at: Timestamp, outcome: Outcome) -> Result<(), JournalError> {
        self.write(Event::Ended { run, at, outcome })
    }

    fn write(&mut self, event: Event) -> Result<(), JournalError> {
        self.file.append(&event)?;
        self.history.apply(event);
        Ok(())
    }
}

impl History {
    /// Reads the journal in `folder` and leaves it as it is: beside a daemon that writes it, or without one. A journal that is not
    /// there is empty.
    ///
    /// # Errors
    /// [`JournalError::Io`]
    pub fn read(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self::of(&file::read(folder)?))
    }

    fn of(text: &[u8]) -> Self {
        let mut history = Self::default();
        for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
            match serde_json::from_slice::<Event>(line) {
                Ok(event) => history.apply(event),
                // Each line stands for itself: what the others say still holds.
                Err(_) => history.damaged.push(number),
            }
        }
        history
    }

    /// Numbers, from 1, of the lines that could not be read when the journal was opened. What they said is unknown.
    pub fn damaged_lines(&self) -> &[usize] {
        &self.damaged
    }

    /// Every run that is known, oldest first.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &RunRecord> {
        self.runs.values()
    }

    /// A run, by its id.
    pub fn run(&self, id: RunId) -> Option<&RunRecord> {
        self.runs.get(&id)
    }

    /// The last slot of a job that was served or let go, or when it was first seen; `None` for a job that was never seen.
    pub fn last_slot(&self, instance: &str, job: Job) -> Option<Timestamp> {
        self.slots.get(&(instance.to_owned(), job)).copied()
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Slot { instance, job, slot } => {
                self.slots.insert((instance, job), slot);
            }
            Event::Began { run, instance, job, target, trigger, at } => {
                self.next = self.next.max(run.0.saturating_add(1));
                let record =
                    RunRecord { id: run, instance, job, target, trigger, began_at: at, ended_at: None, outcome: None };
                self.runs.insert(run, record);
            }
            Event::Ended { run, at, outcome } => {
                if let Some(record) = self.runs.get_mut(&run).filter(|record| record.ended_at.is_none()) {
                    record.ended_at = Some(at);
                    record.outcome = Some(outcome);
                }
            }
        }
    }

    /// Forgets what is old or too much; returns whether there was any. The latest run of each job, and the latest that
    /// ended well, stay: what watches asks for their age. So do those that go on.
    fn forget(&mut self, now: Timestamp) -> bool {
        let mut latest = HashMap::new();
        for run in self.runs.values() {
            for well in [false, run.outcome.as_ref().is_some_and(Outcome::is_success)] {
                latest.insert((run.instance.clone(), run.job, well), run.id);
            }
        }
        let before = self.runs.len();
        let newest = before.saturating_sub(KEPT_RUNS);
        let limit = self.runs.keys().nth(newest).copied();
        let too_old = |run: &RunRecord| now.duration_since(run.began_at) > KEPT_FOR;
        let is_latest: std::collections::HashSet<_> = latest.into_values().collect();
        self.runs.retain(|id, run| {
            let is_recent = !too_old(run) && limit.is_none_or(|limit| *id >= limit);
            is_recent || is_latest.contains(id) || run.ended_at.is_none()
        });
        self.runs.len() < before
    }

    /// The events from which this state follows.
    fn events(&self) -> Vec<Event> {
        let slots = self.slots.iter().map(|((instance, job), slot)| Event::Slot {
            instance: instance.clone(),
            job: *job,
            slot: *slot,
        });
        slots.chain(self.runs.values().flat_map(RunRecord::events)).collect()
    }
}

#[cfg(test)]
mod tests;
