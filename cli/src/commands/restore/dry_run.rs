//! `restore --dry-run`: whether a restore would work.

use std::path::PathBuf;

use daemon::sources::Done;
use engine::hooks::Hooks;
use engine::repository::BackupId;
use engine::restore::{Obstacle, Preflight, Target};
use serde::Serialize;
use utoipa::ToSchema;

use crate::exit::Exit;
use crate::output::Output;

/// What `restore --dry-run` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestoreDryRun)]
pub(in crate::commands) struct DryRunDocument {
    /// The backup's id.
    backup: BackupId,
    /// The instance that it is of.
    instance: String,
    /// The name of the repository that it would be read from.
    repository: String,
    /// Why repositories before it and newer backups were passed over, in sentences.
    passed_over: Vec<String>,
    /// The target.
    target: String,
    #[serde(flatten)]
    found: Preflight,
    /// The hooks that would run, in this order; `after` or `failed`, as the restore ends.
    hooks: Vec<WouldRun>,
}

/// A hook that a restore would run.
#[derive(Debug, Serialize, ToSchema)]
struct WouldRun {
    /// Its key.
    hook: &'static str,
    /// Its program.
    #[schema(value_type = String)]
    program: PathBuf,
}

/// Prints the result. Ends in [`Exit::Failed`] if the restore would be refused.
pub(super) fn show(done: &Done<Preflight>, target: &Target, hooks: &Hooks, output: Output) -> Exit {
    let Done { manifest, repository, passed_over, result } = done;
    let document = DryRunDocument {
        backup: manifest.id.clone(),
        instance: manifest.instance.clone(),
        repository: repository.clone(),
        passed_over: passed_over.clone(),
        target: target.name.clone(),
        found: result.clone(),
        hooks: hooks.listed().map(|(hook, command)| WouldRun { hook, program: command.program.clone() }).collect(),
    };
    let Preflight { obstacles, warnings } = result;
    let text = || {
        let lines = |word: &str, found: &[Obstacle]| -> String {
            let line =
                |one: &Obstacle| format!("{word}  {}: {}\n         hint: {}\n", one.check, one.message, one.hint);
            found.iter().map(line).collect()
        };
        let hook = |one: &WouldRun| format!("hook     {}: {} would run\n", one.hook, one.program.display());
        let hooks: String = document.hooks.iter().map(hook).collect();
        let would = if obstacles.is_empty() { "would start" } else { "would be refused" };
        format!(
            "{}{}{hooks}a restore of {}/{} to {} {would}; nothing was changed\n",
            lines("REFUSED", obstacles),
            lines("warning", warnings),
            manifest.instance,
            manifest.id,
            target.name
        )
    };
    output.result(&document, text, if obstacles.is_empty() { Exit::Success } else { Exit::Failed })
}
