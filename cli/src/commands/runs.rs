//! `odoo-backup runs`, `odoo-backup logs`: what the daemon did, read from its state folder.

use std::path::Path;

use config::Config;
use daemon::OpenError;
use daemon::journal::{History, RunRecord, Trigger};
use daemon::view::LogLine;
use engine::text::one_line;
use serde_json::json;

use super::chosen::{Chosen, load};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{table, time};

/// Lists runs, the latest first.
pub(super) fn runs(chosen: Chosen<'_>, names: &[String], limit: usize, output: Output) -> Result<Exit, Failure> {
    let config = load(chosen, output)?;
    let folder = state_dir(&config)?;
    let history = History::read(folder)?;
    let wanted = |run: &&RunRecord| names.is_empty() || names.contains(&run.instance);
    let runs: Vec<_> = history.runs().rev().filter(wanted).take(limit).collect();
    let header = ["RUN", "BEGAN", "INSTANCE", "JOB", "WHY", "TOOK", "RESULT"];
    let text = || match runs.as_slice() {
        [] if !folder.exists() => format!(
            "nothing yet is known: the state folder {} does not exist; no daemon has run here, or it was moved away\n",
            folder.display()
        ),
        [] => "the daemon has run nothing yet\n".to_owned(),
        runs => table(&header, &[0, 5], runs.iter().map(|run| row(run))),
    };
    Ok(output.result(&json!({ "runs": runs }), text, Exit::Success))
}

/// Shows what a run said.
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
            true => format!("there is no run {wanted:?} in {}", folder.display()),
            false => format!("unable to look for run {wanted:?}: the state folder {} does not exist", folder.display()),
        };
        let hint = Some("`odoo-backup runs` lists those that there are".to_owned());
        return Err(Failure { error: error.into(), exit: Exit::Failed, hint });
    };
    let lines = daemon::log::read(folder, run.id)?;
    let text = || match lines.as_slice() {
        [] => "the run said nothing\n".to_owned(),
        lines => lines.iter().map(line).collect(),
    };
    Ok(output.result(&json!({ "run": run, "lines": lines }), text, Exit::Success))
}

/// The daemon's state folder.
pub(super) fn state_dir(config: &Config) -> Result<&Path, Failure> {
    Ok(config.daemon.state_dir.as_deref().ok_or(OpenError::NoStateDir)?)
}

fn line(line: &LogLine) -> String {
    format!("{}  {:5}  {}\n", time(line.at), one_line(&line.level), one_line(&line.message))
}

fn row(run: &RunRecord) -> Vec<String> {
    let why = match &run.trigger {
        Trigger::Schedule { late: false, .. } => "schedule",
        Trigger::Schedule { late: true, .. } => "schedule, late",
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

/// How a run ended, in a few words.
fn result(run: &RunRecord) -> String {
    run.outcome.as_ref().map_or_else(|| "running".to_owned(), ToString::to_string)
}
