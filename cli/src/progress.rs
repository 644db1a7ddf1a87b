//! Shows progress on stderr: bars on a terminal, otherwise one line per finished task.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::progress::{Observer, Progress, Task};
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

use crate::events::Phases;
use crate::output::Output;

/// Returns the progress that the engine reports to. JSON output shows none, except by events.
pub(crate) fn progress(output: Output) -> Progress {
    if let Some(events) = output.events() {
        return Progress::new(Arc::new(Phases(events)));
    }
    if output.is_json() {
        return Progress::default();
    }
    if std::io::stderr().is_terminal() {
        return Progress::new(Arc::new(Bars { bars: MultiProgress::new(), shown: Mutex::default(), output }));
    }
    Progress::new(Arc::new(Lines { began: Mutex::default(), output }))
}

/// Shows a bar for each task, redrawn ten times a second from the counter of the task.
struct Bars {
    bars: MultiProgress,
    shown: Mutex<HashMap<String, ProgressBar>>,
    output: Output,
}

impl Observer for Bars {
    fn began(&self, task: &Task) {
        let template = match task.total() {
            Some(_) => "  {prefix:22} {bar:30} {msg:>10} of {total_bytes:>10}  {elapsed}",
            None => "  {prefix:22} {spinner} {msg:>10}  {elapsed}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = task.total().map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let bar = self.bars.add(
            bar.with_style(style)
                .with_prefix(last_segment(task.name()).to_owned())
                .with_message(task.total().map_or("", |_| "0 B")),
        );
        let (weak, counter) = (bar.downgrade(), task.counter());
        std::thread::spawn(move || {
            while let Some(bar) = weak.upgrade().filter(|bar| !bar.is_finished()) {
                bar.set_position(counter.get());
                // A task that counts no bytes shows only that it is running.
                if counter.get() > 0 {
                    bar.set_message(HumanBytes(counter.get()).to_string());
                }
                bar.tick();
                drop(bar);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        self.lock().insert(task.name().to_owned(), bar);
    }

    fn ended(&self, task: &Task) {
        if let Some(bar) = self.lock().remove(task.name()) {
            bar.finish_and_clear();
        }
    }

    fn warned(&self, message: &str) {
        self.bars.suspend(|| self.output.warning(message));
    }
}

impl Bars {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, ProgressBar>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints a line when a task ends, for logs.
struct Lines {
    /// The start of each running task, by name.
    began: Mutex<HashMap<String, Instant>>,
    output: Output,
}

impl Observer for Lines {
    fn began(&self, task: &Task) {
        self.lock().insert(task.name().to_owned(), Instant::now());
    }

    fn ended(&self, task: &Task) {
        let began = self.lock().remove(task.name());
        // A task that did nothing has failed or had no work. The error says which.
        if task.done() == 0 {
            return;
        }
        let seconds = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        eprintln!("{}: {} in {seconds:.1} s", last_segment(task.name()), HumanBytes(task.done()));
    }

    fn warned(&self, message: &str) {
        self.output.warning(message);
    }
}

impl Lines {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Instant>> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
