//! `restore --dry-run`: whether a restore would work.

use daemon::sources::Done;
use engine::restore::{Obstacle, Preflight, Target};
use serde_json::json;

use crate::exit::Exit;
use crate::output::Output;

/// Prints the result. Ends in [`Exit::Failed`] if the restore would be refused.
pub(super) fn show(done: &Done<Preflight>, target: &Target, output: Output) -> Exit {
    let Done { manifest, repository, passed_over, result: Preflight { obstacles, warnings } } = done;
    let document = json!({
        "backup": manifest.id,
        "instance": manifest.instance,
        "repository": repository,
        "passed_over": passed_over,
        "target": target.name,
        "obstacles": obstacles,
        "warnings": warnings,
    });
    let text = || {
        let lines = |word: &str, found: &[Obstacle]| -> String {
            let line =
                |one: &Obstacle| format!("{word}  {}: {}\n         hint: {}\n", one.check, one.message, one.hint);
            found.iter().map(line).collect()
        };
        let would = if obstacles.is_empty() { "would start" } else { "would be refused" };
        format!(
            "{}{}a restore of {}/{} to {} {would}; nothing was changed\n",
            lines("REFUSED", obstacles),
            lines("warning", warnings),
            manifest.instance,
            manifest.id,
            target.name
        )
    };
    output.result(&document, text, if obstacles.is_empty() { Exit::Success } else { Exit::Failed })
}
