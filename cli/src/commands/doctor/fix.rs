//! `doctor --fix`: fixes what is safe to fix, and says each.

use engine::doctor::Subjects;
use engine::doctor::fix::{Fix, fixes};
use serde::Serialize;
use utoipa::ToSchema;

use crate::output::Output;

/// Something that was fixed, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Fixed {
    /// What it changes, as a command.
    what: String,
    /// `fixed`, `failed`, or `would fix` with `--dry-run`.
    outcome: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

/// Fixes everything that is safe to fix, or only says what that would be.
pub(super) fn fix(subjects: &Subjects, dry_run: bool, output: Output) -> Vec<Fixed> {
    let fixes = fixes(subjects);
    if fixes.is_empty() {
        output.note("nothing to fix by itself");
    }
    fixes.iter().map(|fix| apply(fix, dry_run, output)).collect()
}

fn apply(fix: &Fix, dry_run: bool, output: Output) -> Fixed {
    let what = fix.to_string();
    if dry_run {
        output.note(&format!("would fix: {what}"));
        return Fixed { what, outcome: "would fix", error: None };
    }
    output.note(&format!("fixing:    {what}"));
    match fix.apply() {
        Ok(()) => {
            output.note(&format!("fixed:     {what}"));
            Fixed { what, outcome: "fixed", error: None }
        }
        Err(error) => {
            let error = engine::cause::line(&error);
            output.note(&format!("failed:    {what}: {error}"));
            Fixed { what, outcome: "failed", error: Some(error) }
        }
    }
}
