//! `restore --dry-run`: what a restore would meet.

use daemon::sources::Done;
use engine::restore::{Obstacle, Preflight, Target};
use serde_json::json;

use crate::exit::Exit;
use crate::output::Output;

/// Prints it; a restore that would be refused is a failure.
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
        let end = if obstacles.is_empty() { "nothing is in the way of" } else { "refused is" };
        format!(
            "{}{}{end} a restore of {}/{} to {}; nothing was touched\n",
            lines("REFUSED", obstacles),
            lines("warning", warnings),
            manifest.instance,
            manifest.id,
            target.name
        )
    };
    output.result(&document, text, if obstacles.is_empty() { Exit::Success } else { Exit::Failed })
}
