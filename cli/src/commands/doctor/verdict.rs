//! What the findings of `doctor` mean for the operator.

use engine::doctor::{Finding, TrialOutcome};
use engine::text::counted;

/// Returns the last line: whether backups and restores will work, or what to fix first.
pub(super) fn verdict(findings: &[Finding]) -> String {
    let of = |outcome| findings.iter().filter(move |finding| finding.outcome == outcome);
    let number = |outcome| of(outcome).count() as u64;
    let warnings = match number(TrialOutcome::Warning) {
        0 => String::new(),
        number => format!("; {} to look at", counted(number, "warning")),
    };
    if let Some(first) = of(TrialOutcome::Failed).next() {
        let things = counted(number(TrialOutcome::Failed), "thing");
        let place = format!("{}, {}", first.subject, first.trial);
        let what = first.hint.as_deref().unwrap_or(&first.detail);
        return format!("{things} to fix, first ({place}): {what}{warnings}");
    }
    match number(TrialOutcome::Unknown) {
        0 => format!("ready: backups and restores will work{warnings}"),
        unknown => format!("ready, except for {} without an answer{warnings}", counted(unknown, "check")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(trial: &'static str, outcome: TrialOutcome, hint: Option<&str>) -> Finding {
        let (subject, detail) = ("repository".into(), format!("detail of {trial}"));
        Finding { subject, trial: trial.into(), outcome, detail, hint: hint.map(Into::into) }
    }

    #[test]
    fn verdict_names_first_thing_to_fix() {
        use TrialOutcome::{Failed, Ok, Unknown, Warning};
        let of = |outcomes: &[TrialOutcome]| {
            verdict(&outcomes.iter().map(|&outcome| finding("open", outcome, None)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[Ok]), "ready: backups and restores will work");
        assert_eq!(of(&[Ok, Warning]), "ready: backups and restores will work; 1 warning to look at");
        assert_eq!(of(&[Ok, Unknown]), "ready, except for 1 check without an answer");
        assert_eq!(
            of(&[Failed, Failed, Warning]),
            "2 things to fix, first (repository, open): detail of open; 1 warning to look at"
        );
        let hinted = [finding("open", Ok, None), finding("list", Failed, Some("run `x`"))];
        assert_eq!(verdict(&hinted), "1 thing to fix, first (repository, list): run `x`");
    }
}
