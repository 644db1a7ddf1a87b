//! `odoo-backup doctor`

use std::path::Path;

use config::Config;
use engine::doctor::{Finding, TrialOutcome};
use engine::text::{lines, one_line};
use serde_json::json;

use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// Tries everything that the configuration names.
pub(super) async fn doctor(config: Option<&Path>, output: Output) -> Result<Exit, Failure> {
    let config = Config::find_and_load(config)?;
    let findings = engine::doctor::doctor(&config.subjects()).await;
    let failed = findings.iter().any(|finding| finding.outcome == TrialOutcome::Failed);
    let exit = if failed { Exit::Failed } else { Exit::Success };
    Ok(output.result(&json!({ "healthy": !failed, "findings": findings }), || text(&findings), exit))
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut subject = "";
    for finding in findings {
        if finding.subject != subject {
            subject = &finding.subject;
            text.push_str(&format!("{}\n", one_line(subject)));
        }
        let outcome = match finding.outcome {
            TrialOutcome::Ok => "ok     ",
            TrialOutcome::Warning => "warning",
            TrialOutcome::Failed => "FAILED ",
        };
        text.push_str(&format!("  {outcome}  {}: {}\n", one_line(finding.trial), lines(&finding.detail)));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("           hint: {}\n", lines(hint)));
        }
    }
    let number = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count();
    text.push_str(&match (number(TrialOutcome::Failed), number(TrialOutcome::Warning)) {
        (0, 0) => "everything is as it should be\n".to_owned(),
        (0, 1) => "it will work; 1 thing to look at\n".to_owned(),
        (0, warnings) => format!("it will work; {warnings} things to look at\n"),
        (1, _) => "1 thing to mend\n".to_owned(),
        (failed, _) => format!("{failed} things to mend\n"),
    });
    text
}
