//! `--json-progress`: what a command is doing, as lines of JSON on stderr.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::progress::{Counter, Observer, Task};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::exit::Exit;

/// How often running tasks are reported.
const PAUSE: Duration = Duration::from_secs(1);

/// A line of `--json-progress`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProgressEvent)]
pub(crate) struct EventDocument {
    /// When.
    time: Timestamp,
    #[serde(flatten)]
    event: Event,
}

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// The command began. It is the first event.
    Start {
        /// The command.
        command: &'static str,
        /// The version of the program.
        version: &'static str,
    },
    /// A phase began. Several can run in parallel.
    Phase {
        /// The number of the phase in this run, from 1.
        phase: u64,
        /// What it works on.
        name: String,
        /// The bytes of the phase; null if they are not known.
        #[schema(required = true)]
        total_bytes: Option<u64>,
    },
    /// How far a phase is: once a second while it advances, and at its end.
    Progress {
        /// The number of the phase.
        phase: u64,
        /// What it works on.
        name: String,
        /// Bytes so far.
        done_bytes: u64,
        /// The bytes of the phase; null if they are not known.
        #[schema(required = true)]
        total_bytes: Option<u64>,
        /// Whether the phase has ended.
        ended: bool,
    },
    /// A warning.
    Warning {
        /// What somebody should know.
        message: String,
    },
    /// The command ended, and printed its result. It is the last event.
    End {
        /// The exit code.
        exit_code: u8,
        /// How long it took.
        seconds: f64,
    },
}

/// Prints the events of one run of the program.
#[derive(Debug)]
pub(crate) struct Events {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<u64, Running>,
    phases: u64,
    /// Nothing is printed after the last event.
    has_ended: bool,
}

/// A phase that runs.
#[derive(Debug)]
struct Running {
    name: String,
    total: Option<u64>,
    counter: Counter,
    /// What was reported last.
    reported: u64,
}

impl Running {
    fn event(&self, phase: u64, done_bytes: u64, ended: bool) -> Event {
        Event::Progress { phase, name: self.name.clone(), done_bytes, total_bytes: self.total, ended }
    }
}

impl Events {
    /// Prints the first event, and reports running phases from now on. The events last as long as
    /// the program.
    pub(crate) fn start(command: &'static str) -> &'static Self {
        let events: &'static Self = Box::leak(Box::new(Self { began: Instant::now(), state: Mutex::default() }));
        events.print(&events.lock(), Event::Start { command, version: env!("CARGO_PKG_VERSION") });
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(PAUSE);
                events.report();
            }
        });
        events
    }

    /// Prints a warning.
    pub(crate) fn warn(&self, message: &str) {
        self.print(&self.lock(), Event::Warning { message: message.to_owned() });
    }

    /// Prints the last event.
    pub(crate) fn end(&self, exit: Exit) {
        let mut state = self.lock();
        let seconds = self.began.elapsed().as_secs_f64();
        self.print(&state, Event::End { exit_code: exit as u8, seconds });
        state.has_ended = true;
    }

    /// Prints how far the phases are that advanced since the last time.
    fn report(&self) {
        let mut state = self.lock();
        let mut advanced = Vec::new();
        for (phase, running) in &mut state.running {
            let done = running.counter.get();
            if done != running.reported {
                running.reported = done;
                advanced.push(running.event(*phase, done, false));
            }
        }
        advanced.into_iter().for_each(|event| self.print(&state, event));
    }

    /// Prints one line. The lock keeps lines apart and in order.
    fn print(&self, state: &MutexGuard<'_, State>, event: Event) {
        if state.has_ended {
            return;
        }
        let document = EventDocument { time: Timestamp::now(), event };
        let Ok(line) = serde_json::to_string(&document) else { return };
        let line = format!("{}\n", engine::text::json(&line));
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the tasks of the engine as phases.
pub(crate) struct Phases(pub(crate) &'static Events);

impl Observer for Phases {
    fn began(&self, task: &Task) {
        let mut state = self.0.lock();
        state.phases += 1;
        let phase = state.phases;
        let (name, total) = (task.name().to_owned(), task.total());
        self.0.print(&state, Event::Phase { phase, name: name.clone(), total_bytes: total });
        state.running.insert(phase, Running { name, total, counter: task.counter(), reported: 0 });
    }

    fn ended(&self, task: &Task) {
        let mut state = self.0.lock();
        // Several tasks may have one name. Those with the same bytes are interchangeable.
        let is_same = |running: &Running| running.name == task.name() && running.counter.get() == task.done();
        let found = state.running.iter().find(|(_, running)| is_same(running)).map(|(phase, _)| *phase);
        let Some(phase) = found else { return };
        if let Some(running) = state.running.remove(&phase) {
            self.0.print(&state, running.event(phase, task.done(), true));
        }
    }

    fn warned(&self, message: &str) {
        self.0.warn(message);
    }
}
