//! The logs of runs: the lines of each run in a file of its own, and sent to subscribers.
//!
//! `logs/<run>.jsonl` in the state folder has a [`LogLine`] on each line. If a log cannot be
//! written, the run continues, and its lines are on stderr.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use engine::folder::{inherit, make_all};
use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::journal::{RunId, RunRecord};
use crate::shared::Shared;
use crate::view::{self, LogLine};

/// The name and the target of the span around a run, by which its log is known.
const SPAN: &str = "run";
const TARGET: &str = "daemon::run";

/// Returns the span around a run: what is logged in it belongs to the run's log.
pub(crate) fn span(run: &RunRecord) -> Span {
    let RunRecord { id, instance, job, .. } = run;
    tracing::info_span!(target: TARGET, SPAN, id = id.number(), instance, %job)
}

/// Takes the runs' lines out of all that is logged. Clones are the same.
#[derive(Clone, Default)]
pub struct RunLogs(Arc<Sink>);

impl fmt::Debug for RunLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunLogs")
    }
}

#[derive(Default)]
struct Sink {
    /// Nothing is kept before there is a daemon.
    daemon: OnceLock<Arc<Shared>>,
    open: Mutex<HashMap<RunId, File>>,
}

impl RunLogs {
    /// Returns the layer for the subscriber of the process, of which there must be only one.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let targets = Targets::new().with_target("daemon", Level::INFO).with_target("engine", Level::INFO);
        RunLayer(self.0.clone()).with_filter(targets)
    }

    /// Keeps the lines in the daemon's folder from now on, and removes the logs of runs that the
    /// journal has forgotten.
    pub(crate) fn connect(&self, daemon: &Arc<Shared>) {
        if let Err(error) = tidy(daemon) {
            tracing::warn!("unable to remove old logs: {error}");
        }
        // Only the first daemon of a process is logged.
        let _ = self.0.daemon.set(daemon.clone());
    }
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("logs")
}

fn path(state_dir: &Path, run: RunId) -> PathBuf {
    folder(state_dir).join(format!("{run}.jsonl"))
}

fn tidy(daemon: &Shared) -> io::Result<()> {
    let folder = folder(&daemon.state_dir);
    make_all(&folder, 0o700)?;
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let name = file.file_name();
        let run: Option<RunId> = name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse().ok());
        if run.is_some_and(|run| daemon.journal().run(run).is_none()) {
            std::fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// Returns the lines of a run's log in a daemon's state folder. A half line at its end is left out;
/// one that cannot be understood, too.
///
/// # Errors
/// [`LogError`]; a file that is not there is empty.
pub fn read(state_dir: &Path, run: RunId) -> Result<Vec<LogLine>, LogError> {
    let path = path(state_dir, run);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(LogError { run, path, source }),
    }
}

/// The log of a run cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("unable to read the log of run {run}, {}", path.display())]
pub struct LogError {
    run: RunId,
    path: PathBuf,
    source: io::Error,
}

impl Sink {
    fn take(&self, run: RunId, line: LogLine) {
        let Some(daemon) = self.daemon.get() else { return };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.get_mut(&run) {
            Some(file) => Some(file),
            None => {
                let path = path(&daemon.state_dir, run);
                let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
                let file = file.and_then(|file| {
                    inherit(&file, path.parent().unwrap_or(&path))?;
                    Ok(file)
                });
                file.ok().map(|file| open.entry(run).or_insert(file))
            }
        };
        if let (Some(file), Ok(mut bytes)) = (file, serde_json::to_vec(&line)) {
            bytes.push(b'\n');
            // The module says why nothing comes of a failure.
            let _ = file.write_all(&bytes);
        }
        drop(open);
        daemon.tell(view::Event::Log { run, line });
    }
}

/// Looks for the run that an event belongs to: the [`span`] around it.
struct RunLayer(Arc<Sink>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RunLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if metadata.name() != SPAN || metadata.target() != TARGET {
            return;
        }
        let mut number = RunNumber(None);
        attributes.record(&mut number);
        if let (Some(span), Some(number)) = (context.span(id), number.0) {
            span.extensions_mut().insert(RunId::from(number));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut spans = context.event_scope(event).into_iter().flatten();
        let Some(run) = spans.find_map(|span| span.extensions().get::<RunId>().copied()) else { return };
        let mut text = Text::default();
        event.record(&mut text);
        let level = event.metadata().level().as_str().to_lowercase();
        self.0.take(run, LogLine { at: Timestamp::now(), level, message: text.message + &text.fields });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let run = context.span(&id).and_then(|span| span.extensions().get::<RunId>().copied());
        if let Some(run) = run {
            self.0.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        }
    }
}

struct RunNumber(Option<u64>);

impl Visit for RunNumber {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "id" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            name => _ = write!(self.fields, " {name}={value:?}"),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
