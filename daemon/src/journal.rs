//! What ran, and how it ended: a file that survives restarts.
//!
//! `journal.jsonl` in the state folder has an event on each line, flushed before the daemon acts on
//! it. A crash can tear only the last line, which is cut off when the file is opened. If the file
//! cannot be written, the daemon continues with what is in memory: a backup must not wait for the
//! disk of the daemon's own state. [`Journal::trouble`] says so, and unwritten lines are written as
//! soon as possible. A run that started and has no known end is [`RunOutcome::Lost`]: it did not
//! end well, and it is no longer running.

mod error;
mod file;
mod record;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use config::explain;
use jiff::{SignedDuration, Timestamp};

pub use self::error::JournalError;
pub use self::file::{is_in_use, obstacle};
pub use self::record::{PhaseTook, RemovedBackup, RunId, RunOutcome, RunProof, RunRecord, Trigger};

use self::file::{JournalFile, is_full};
use self::record::Event;
use crate::agenda::Job;

/// Runs older than this are forgotten, but for the latest of each job of each instance.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(400 * 24);
/// More runs than this are not kept, whatever their age: the oldest go first.
pub const KEPT_RUNS: usize = 20_000;
/// So many more may gather before they are forgotten, because that rewrites the file.
const SLACK: usize = KEPT_RUNS / 50;

/// The journal of one daemon. Only one process has a state folder's journal open.
#[derive(Debug)]
pub struct Journal {
    /// `None`: the disk was full when it was to be made.
    file: Option<JournalFile>,
    folder: PathBuf,
    history: History,
    /// Events that are not on the disk, the oldest first.
    unwritten: VecDeque<Event>,
    /// Why the last attempt to write failed; `None` where all is written.
    trouble: Option<JournalError>,
}

/// What a journal says: all that follows from its events.
#[derive(Debug, Default)]
pub struct History {
    runs: BTreeMap<RunId, RunRecord>,
    /// The last slot of each job that was served or skipped, or when the job was first seen.
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
    /// Opens the journal in `folder`, which is created if it is missing, and records the runs that
    /// were lost.
    ///
    /// # Errors
    /// [`JournalError::InUse`] where another process has it open; [`JournalError::Io`], but not
    /// where the disk is full: then it is in memory, see [`Self::trouble`].
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, JournalError> {
        let (file, text, trouble) = match JournalFile::open(folder) {
            Ok((file, text)) => (Some(file), text, None),
            Err(JournalError::Io { action, path, source }) if is_full(&source) => {
                (None, Vec::new(), Some(JournalError::Io { action, path, source }))
            }
            Err(error) => return Err(error),
        };
        let (folder, history, unwritten) = (folder.to_owned(), History::of(&text), VecDeque::new());
        let mut journal = Self { file, folder, history, unwritten, trouble };
        drop(text);
        let unfinished: Vec<_> = journal.runs().filter(|run| run.ended_at.is_none()).map(|run| run.id).collect();
        for id in unfinished {
            journal.end(id, now, RunOutcome::Lost);
        }
        if journal.history.forget(now) {
            journal.shorten();
        }
        Ok(journal)
    }

    /// Records that a slot is served or skipped, or that a job counts from `slot` on.
    pub fn set_slot(&mut self, instance: &str, job: Job, slot: Timestamp) {
        self.write(Event::Slot { instance: instance.to_owned(), job, slot });
    }

    /// Records that a run starts, and returns its id. A restore has a target.
    pub fn begin(&mut self, instance: &str, job: Job, target: Option<&str>, trigger: Trigger, at: Timestamp) -> RunId {
        // Otherwise the memory of a daemon would grow for months.
        if self.history.runs.len() >= KEPT_RUNS + SLACK && self.history.forget(at) {
            self.shorten();
        }
        let id = RunId(self.history.next.max(1));
        let (instance, target) = (instance.to_owned(), target.map(Into::into));
        self.write(Event::Began { run: id, instance, job, target, trigger, at });
        id
    }

    /// Records how a run ended. A run that ended before keeps its first end.
    pub fn end(&mut self, run: RunId, at: Timestamp, outcome: RunOutcome) {
        self.end_after(run, at, outcome, Vec::new());
    }

    /// Records how a run ended, and how long its phases took.
    pub fn end_after(&mut self, run: RunId, at: Timestamp, outcome: RunOutcome, phases: Vec<PhaseTook>) {
        self.write(Event::Ended { run, at, outcome, phases });
    }

    /// Returns why the journal on the disk differs from this one; `None` if it does not.
    pub fn trouble(&self) -> Option<&JournalError> {
        self.trouble.as_ref()
    }

    /// Writes what is not on the disk yet, if possible, and checks that the file was not moved.
    pub fn settle(&mut self) {
        let had_trouble = self.trouble.is_some();
        self.trouble = self.write_all().and_then(|()| self.check_place()).err();
        match &self.trouble {
            Some(error) if !had_trouble => {
                tracing::error!(hint = error.hint(), "the daemon's state is kept in memory alone: {}", explain(error));
            }
            None if had_trouble => tracing::info!("the daemon's state is on the disk again"),
            _ => {}
        }
    }

    fn check_place(&self) -> Result<(), JournalError> {
        self.file.as_ref().map_or(Ok(()), JournalFile::check_place)
    }

    fn write(&mut self, event: Event) {
        self.unwritten.push_back(event.clone());
        self.history.apply(event);
        self.settle();
    }

    fn write_all(&mut self) -> Result<(), JournalError> {
        if self.file.is_none() {
            self.file = Some(JournalFile::open(&self.folder)?.0);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        while let Some(event) = self.unwritten.front() {
            file.append(event)?;
            self.unwritten.pop_front();
        }
        Ok(())
    }

    /// Rewrites the file without the forgotten runs. If that fails, the file stays longer than
    /// needed.
    fn shorten(&mut self) {
        let Some(file) = &mut self.file else { return };
        match file.replace(&self.history.events()) {
            // All that was not written yet is in it.
            Ok(()) => self.unwritten.clear(),
            Err(error) => tracing::warn!("the journal was not shortened: {}", explain(&error)),
        }
    }
}

impl History {
    /// Reads the journal in `folder` without changing it, while a daemon writes it or without one.
    /// A missing journal is empty.
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
                // Lines are independent: the others still count.
                Err(_) => history.damaged.push(number),
            }
        }
        history
    }

    /// Returns the numbers, from 1, of lines that could not be read when the journal was opened.
    /// Their content is unknown.
    pub fn damaged_lines(&self) -> &[usize] {
        &self.damaged
    }

    /// Returns every run that is known, oldest first.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &RunRecord> {
        self.runs.values()
    }

    /// Returns a run, by its id.
    pub fn run(&self, id: RunId) -> Option<&RunRecord> {
        self.runs.get(&id)
    }

    /// Returns the last slot of a job that was served or skipped, or when it was first seen; `None`
    /// for a job that was never seen.
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
                self.runs.insert(run, RunRecord::begun(run, (instance, job, target), trigger, at));
            }
            Event::Ended { run, at, outcome, phases } => {
                if let Some(record) = self.runs.get_mut(&run).filter(|record| record.ended_at.is_none()) {
                    record.ended_at = Some(at);
                    record.outcome = Some(outcome);
                    record.phases = phases;
                }
            }
        }
    }

    /// Forgets what is old or too much; returns whether there was any. The latest run of each job,
    /// and the latest that ended well, stay, because monitoring asks for their age. So do running
    /// ones.
    fn forget(&mut self, now: Timestamp) -> bool {
        let mut latest = HashMap::new();
        for run in self.runs.values() {
            for well in [false, run.outcome.as_ref().is_some_and(RunOutcome::is_success)] {
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

    /// Returns the events from which this state follows.
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
