//! Formats the verification of a restored copy.

use engine::manifest::{Check, CheckOutcome, Verification};

use crate::table::plural;

/// Formats a line for each check, followed by defects that the source already had.
pub(super) fn verified(verification: &Verification) -> String {
    verification.checks.iter().map(line).collect()
}

fn line(check: &Check) -> String {
    let outcome = match check.outcome {
        CheckOutcome::Passed => "verified",
        CheckOutcome::Failed => "FAILED",
        CheckOutcome::Skipped => "skipped",
    };
    let mut text = format!("  {outcome:<12}  {:<11}  {}\n", check.subject, check.summary);
    if check.known.count > 0 {
        let first = check.known.first.first().map_or("", String::as_str);
        let known = plural(check.known.count, "defect");
        text.push_str(&format!("  {:<12}  {:<11}  {known} of the source: {first}\n", "known", check.subject));
    }
    text
}
