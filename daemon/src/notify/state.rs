//! The state of notifications across restarts: which runs were noted, what is failing, and what is
//! still to be delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use engine::folder::{Durability, write_atomically};
use engine::text::counted;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::collected::Collected;
use super::digest::Digest;
use super::notice::Notice;
use crate::journal::{RunId, RunRecord};
use crate::view::Health;

/// The file in the state folder.
const FILE: &str = "notify.json";

/// The most deliveries in the queue of one notifier; the oldest are dropped first.
pub(super) const MOST_DELIVERIES: usize = 100;

/// What is to be delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum Message {
    /// To a person.
    Notice(Box<Notice>),
    /// To a person: the notices of quiet hours, as one.
    Collected(Collected),
    /// To a person: what happened in a day.
    Digest(Box<Digest>),
    /// To a dead man's switch.
    Ping {
        /// About which instance.
        instance: String,
        /// What happened to its backup.
        signal: Signal,
        /// What the switch shows to a person.
        text: String,
    },
}

/// What a dead man's switch understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Signal {
    Start,
    Success,
    Fail,
}

/// A message on its way to a notifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Delivery {
    /// A number that rises.
    pub(super) id: u64,
    /// The name of the notifier.
    pub(super) to: String,
    pub(super) message: Message,
    pub(super) written_at: Timestamp,
    /// The number of failed attempts.
    #[serde(default)]
    pub(super) attempts: u32,
    /// Whether it waits for the end of quiet hours, and still grows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) held: bool,
}

/// The file in the state folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("unable to read {path}")]
pub struct StateError {
    path: PathBuf,
    source: io::Error,
}

/// A run that was noted. Its number alone is not enough: after a journal was lost, numbers start
/// again at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heeded {
    run: RunId,
    began_at: Timestamp,
}

impl Heeded {
    pub(super) fn new(run: &RunRecord) -> Self {
        Self { run: run.id, began_at: run.began_at }
    }

    /// Returns whether `run`, of the same instance and job, came later.
    pub(super) fn is_before(&self, run: &RunRecord) -> bool {
        run.id > self.run || run.began_at > self.began_at
    }
}

/// All of it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The latest run that was heeded, by instance and job.
    #[serde(default)]
    pub(super) heeded: BTreeMap<String, Heeded>,
    /// Instances and jobs whose latest run failed.
    #[serde(default)]
    pub(super) failing: BTreeSet<String>,
    /// Since when an instance is watched for its age.
    #[serde(default)]
    pub(super) watched: BTreeMap<String, Timestamp>,
    /// When an instance was last reported as stale.
    #[serde(default)]
    pub(super) stale: BTreeMap<String, Timestamp>,
    /// When something wrong with an instance's backups was last reported.
    #[serde(default)]
    pub(super) alarmed: BTreeMap<String, Timestamp>,
    /// When the daemon's own state was last reported as not on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state_alarmed: Option<Timestamp>,
    /// Until when each notifier got a digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) digests: BTreeMap<String, Timestamp>,
    #[serde(default, rename = "letters")]
    pub(super) deliveries: Vec<Delivery>,
    #[serde(default)]
    pub(super) health: BTreeMap<String, Health>,
    #[serde(default, rename = "next_letter")]
    next_delivery: u64,
}

impl State {
    /// Reads the file; `None` where there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, StateError> {
        let path = folder.join(FILE);
        let failed = |path, source| StateError { path, source };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(path, error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(path, error)),
        }
    }

    /// Adds a message for a notifier. A new ping replaces those of the same instance that were not
    /// sent yet.
    pub(super) fn write(&mut self, to: &str, message: Message, now: Timestamp) {
        if let Message::Ping { instance: about, .. } = &message {
            self.deliveries.retain(|delivery| {
                let same = matches!(&delivery.message, Message::Ping { instance, .. } if instance == about);
                !(same && delivery.to == to)
            });
        }
        // What is held is one message, and is not dropped.
        let waiting = || self.deliveries.iter().filter(|delivery| delivery.to == to && !delivery.held);
        if waiting().count() >= MOST_DELIVERIES {
            let oldest = waiting().next().map(|delivery| delivery.id);
            tracing::error!(notifier = to, "too many queued notices: dropping the oldest");
            self.give_up(|delivery| Some(delivery.id) == oldest);
        }
        let id = self.next_delivery;
        self.next_delivery += 1;
        self.deliveries.push(Delivery { id, to: to.to_owned(), message, written_at: now, attempts: 0, held: false });
    }
}

impl State {
    /// Drops deliveries that were not accepted.
    pub(super) fn give_up(&mut self, is_hopeless: impl Fn(&Delivery) -> bool) {
        for delivery in self.deliveries.extract_if(.., |delivery| is_hopeless(delivery)) {
            let what = match &delivery.message {
                Message::Notice(notice) => notice.summary.clone(),
                Message::Collected(collected) => counted(collected.notices.len() as u64, "notice"),
                Message::Digest(digest) => digest.headline(),
                Message::Ping { text, .. } => text.trim_end().to_owned(),
            };
            tracing::error!(notifier = delivery.to, "gave up a notice that was not accepted: {what}");
            self.health.entry(delivery.to).or_default().given_up += 1;
        }
    }
}

/// The state as it is on the disk, written only when it has changed.
pub(super) struct Keeper {
    folder: PathBuf,
    written: Vec<u8>,
}

impl Keeper {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), written: Vec::new() }
    }

    /// Writes the state atomically. It is small, and changes a few times a day.
    pub(super) fn keep(&mut self, state: &State) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(state)?;
        if text == self.written {
            return Ok(());
        }
        // After a power loss, no accepted message is sent again, and no queued one is lost.
        write_atomically(&self.folder.join(FILE), Durability::Flushed, |file| file.write_all(&text))?;
        self.written = text;
        Ok(())
    }
}
