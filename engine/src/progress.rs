//! Reports the progress of long operations. The engine counts; an observer displays.

mod alive;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use self::alive::Alive;
use crate::text::one_line;

/// Receives reports. It is called from any thread and often, so it must not block.
pub trait Observer: Send + Sync {
    /// Receives a task that started. Its counter can be read at any time.
    fn began(&self, task: &Task);
    /// Receives a task that ended, successfully or not.
    fn ended(&self, task: &Task);
    /// Receives a warning for the operator, in one sentence.
    fn warned(&self, message: &str);
    /// Receives that something advances that is not counted.
    fn beat(&self) {}
}

/// Where an operation reports to. The default discards reports.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Observer>>);

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress" } else { "Progress(silent)" })
    }
}

impl Progress {
    /// Creates a progress that reports to `observer`.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self(Some(observer))
    }

    /// Starts a task that counts bytes, of `total` if that is known or can be estimated.
    pub fn task(&self, name: impl Into<String>, total: Option<u64>) -> Task {
        let task = Task(Arc::new(State { name: name.into(), total, done: Arc::default(), observer: self.0.clone() }));
        if let Some(observer) = &self.0 {
            observer.began(&task);
        }
        task
    }

    /// Reports that something advances that is not counted.
    pub fn beat(&self) {
        if let Some(observer) = &self.0 {
            observer.beat();
        }
    }

    /// Reports a warning for the operator, and logs it.
    pub fn warn(&self, message: &str) {
        // The message may quote text from anywhere.
        let message = one_line(message);
        tracing::warn!("{message}");
        if let Some(observer) = &self.0 {
            observer.warned(&message);
        }
    }
}

/// A running task that counts bytes. Its clones share one counter. The task ends when the last of
/// them is dropped.
#[derive(Clone, Default)]
pub struct Task(Arc<State>);

#[derive(Default)]
struct State {
    name: String,
    total: Option<u64>,
    done: Arc<AtomicU64>,
    observer: Option<Arc<dyn Observer>>,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(observer) = self.observer.take() {
            let ended = Self {
                name: std::mem::take(&mut self.name),
                total: self.total,
                done: self.done.clone(),
                observer: None,
            };
            observer.ended(&Task(Arc::new(ended)));
        }
    }
}

impl Task {
    /// Counts further bytes.
    pub fn advance(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the bytes counted so far.
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Returns the counter alone. Reading it does not keep the task from ending.
    pub fn counter(&self) -> Counter {
        Counter(Arc::clone(&self.0.done))
    }

    /// Returns the expected bytes, if they are known or can be estimated.
    pub fn total(&self) -> Option<u64> {
        self.0.total
    }

    /// Returns the name: `database`, `filestore`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns a reader that counts what is read through it.
    pub fn reader<R: Read>(&self, inner: R) -> TaskReader<R> {
        TaskReader { inner, task: self.clone() }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({:?}, {} of {:?})", self.name(), self.done(), self.total())
    }
}

/// See [`Task::counter`].
#[derive(Debug, Clone)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Returns the bytes counted so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// See [`Task::reader`].
#[derive(Debug)]
pub struct TaskReader<R> {
    inner: R,
    task: Task,
}

impl<R: Read> Read for TaskReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.task.advance(read as u64);
        Ok(read)
    }
}
