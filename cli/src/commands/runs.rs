//! `odoo-backup runs` and `odoo-backup logs`: what the daemon did, from its state folder.

use std::path::Path;

use config::Config;
use daemon::OpenError;
use daemon::journal::{History, RunRecord, Trigger};
use daemon::view::LogLine;
use engine::text::one_line;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{table, time};

/// What `runs` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Runs)]
pub(super) struct RunsDocument {
    /// The runs, the latest first.
    runs: Vec<RunRecord>,
}

/// What `logs` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Logs)]
pub(super) struct LogsDocument {
    /// The run.
    run: RunRecord,
    /// What it logged.
    lines: Vec<LogLine>,
}

/// Lists runs, newest first.
pub(super) fn runs(chosen: Chosen<'_>, names: &[String], limit: usize, output: Output) -> Result<Exit, Failure> {
    let config = load(chosen, output)?;
    let folder = state_dir(&config)?;
    let history = History::read(folder)?;
    let wanted = |run: &&RunRecord| names.is_empty() || names.contains(&run.instance);
    let document = RunsDocument { runs: history.runs().rev().filter(wanted).take(limit).cloned().collect() };
    let header = ["RUN", "STARTED", "INSTANCE", "JOB", "TRIGGER", "DURATION", "RESULT"];
    let text = || match document.runs.as_slice() {
        [] if !folder.exists() => format!(
            "no runs: the state folder {} does not exist; no daemon has run here, or the folder was moved\n",
            folder.display()
        ),
        [] => "no runs yet\n".to_owned(),
        runs => table(&header, &[0, 5], runs.iter().map(row)),
    };
    Ok(output.result(&document, text, Exit::Success))
}

/// Shows the log of a run.
pub(super) fn logs(chosen: Chosen<'_>, wanted: &str, output: Output) -> Result<Exit, Failure> {
    let config = load(chosen, output)?;
    let folder = state_dir(&config)?;
    let history = History::read(folder)?;
    let run = match wanted {
        "latest" => history.runs().next_back(),
        number => number.parse().ok().and_then(|id| history.run(id)),
    };
    let Some(run) = run else {
        let error = match folder.exists() {
            true => format!("no run {wanted:?} in {}", folder.display()),
            false => format!("no run {wanted:?}: the state folder {} does not exist", folder.display()),
        };
        let hint = Some("run `odoo-backup runs` to list the runs".to_owned());
        return Err(Failure { error: error.into(), exit: Exit::Failed, hint });
    };
    let document = LogsDocument { run: run.clone(), lines: daemon::log::read(folder, run.id)? };
    let text = || match document.lines.as_slice() {
        [] => "the log of this run is empty\n".to_owned(),
        lines => lines.iter().map(line).collect(),
    };
    Ok(output.result(&document, text, Exit::Success))
}

/// Returns the daemon's state folder.
pub(super) fn state_dir(config: &Config) -> Result<&Path, Failure> {
    Ok(config.daemon.state_dir.as_deref().ok_or(OpenError::NoStateDir)?)
}

fn line(line: &LogLine) -> String {
    format!("{}  {:5}  {}\n", time(line.at), one_line(&line.level), one_line(&line.message))
}

fn row(run: &RunRecord) -> Vec<String> {
    let why = match &run.trigger {
        Trigger::Schedule { late: false, .. } => "schedule",
        Trigger::Schedule { late: true, .. } => "schedule (late)",
        Trigger::Request => "request",
    };
    let took = run.ended_at.map(|ended| format!("{} s", ended.duration_since(run.began_at).as_secs()));
    vec![
        run.id.to_string(),
        time(run.began_at),
        run.instance.clone(),
        run.target.as_ref().map_or(run.job.to_string(), |target| format!("{} to {target}", run.job)),
        why.to_owned(),
        took.unwrap_or_default(),
        result(run),
    ]
}

/// Returns how a run ended, in a few words.
fn result(run: &RunRecord) -> String {
    run.outcome.as_ref().map_or_else(|| "running".to_owned(), ToString::to_string)
}
