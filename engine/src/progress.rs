//! What a long operation says of itself while it runs. The engine counts; whoever watches draws.

mod alive;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use self::alive::Alive;
use crate::text::one_line;

/// Told of what goes on. Called from any thread and often: it must not block.
pub trait Observer: Send + Sync {
    /// A task began. Its counter can be read at any time.
    fn began(&self, task: &Task);
    /// It ended, well or not.
    fn ended(&self, task: &Task);
    /// Something that a person should know, in one sentence.
    fn warned(&self, message: &str);
    /// Something goes on that counts nothing.
    fn beat(&self) {}
}

/// Where a verb reports to. The default reports to nobody.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Observer>>);

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress" } else { "Progress(silent)" })
    }
}

impl Progress {
    /// Reports to `observer`.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self(Some(observer))
    }

    /// Begins a task that counts bytes, of `total` where that is known or can be guessed.
    pub fn task(&self, name: impl Into<String>, total: Option<u64>) -> Task {
        let task = Task(Arc::new(State { name: name.into(), total, done: Arc::default(), observer: self.0.clone() }));
        if let Some(observer) = &self.0 {
            observer.began(&task);
        }
        task
    }

    /// Reports that something goes on that counts nothing.
    pub fn beat(&self) {
        if let Some(observer) = &self.0 {
            observer.beat();
        }
    }

    /// Reports something that a person should know, and logs it.
    pub fn warn(&self, message: &str) {
        // What it quotes may have come from anywhere.
        let message = one_line(message);
        tracing::warn!("{message}");
        if let Some(observer) = &self.0 {
            observer.warned(&message);
        }
    }
}

/// Something under way that counts bytes. Clones count together; the task has ended when the last
/// of them is dropped.
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

    /// Returns bytes counted so far.
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Returns the counter alone, which can be read without keeping the task from ending.
    pub fn counter(&self) -> Counter {
        Counter(Arc::clone(&self.0.done))
    }

    /// Returns bytes that are expected in all, where that is known or can be guessed.
    pub fn total(&self) -> Option<u64> {
        self.0.total
    }

    /// Returns what it is about: `database`, `filestore`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Counts what is read through the returned reader.
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
    /// Returns bytes counted so far.
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
