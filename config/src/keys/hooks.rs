//! The keys of hooks.

use super::Key;

const fn hook(name: &'static str, about: &'static str, example: &'static str, also: &'static [&'static str]) -> Key {
    Key { name, kind: "array of strings", default: "–", about, example, also }
}

pub(crate) const CALLS: &[Key] = &[
    hook(
        "before",
        "Program with its arguments that runs first; if it fails, nothing else is done",
        "[\"/usr/local/bin/announce\", \"backup\"]",
        &["pre", "run_before", "before_backup", "pre_backup"],
    ),
    hook(
        "after",
        "Program that runs after success; if it fails, that is a warning",
        "[\"/usr/local/bin/announce\", \"done\"]",
        &["post", "run_after", "after_backup", "post_backup", "success"],
    ),
    hook(
        "failed",
        "Program that runs after a failure, also one of `before`",
        "[\"/usr/local/bin/announce\", \"failed\"]",
        &["on_error", "error", "failure", "run_after_fail"],
    ),
    hook(
        "finally",
        "Program that runs last, however it ended, also after a cancellation",
        "[\"/usr/bin/systemctl\", \"start\", \"odoo-staging\"]",
        &["always", "run_finally", "cleanup"],
    ),
    Key {
        name: "timeout",
        kind: "string",
        default: "`\"10 minutes\"`",
        about: "How long each of them may run; then it is killed with all that it started",
        example: "\"10 minutes\"",
        also: &["limit", "time_limit"],
    },
];
