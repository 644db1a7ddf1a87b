//! `odoo-backup doctor`

use std::path::Path;

use engine::config::Config;
use engine::doctor::{Finding, Outcome};
use serde_json::json;

use super::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// Tries everything that the configuration names.
pub(super) async fn doctor(config: Option<&Path>, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&Config::locate(config)?)?;
    let findings = engine::doctor::doctor(&config).await;
    let failed = findings.iter().any(|finding| finding.outcome == Outcome::Failed);
    output.result(&json!({ "healthy": !failed, "findings": findings }), || text(&findings));
    Ok(if failed { Exit::Failed } else { Exit::Success })
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut subject = "";
    for finding in findings {
        if finding.subject != subject {
            subject = &finding.subject;
            text.push_str(&format!("{subject}\n"));
        }
        let outcome = match finding.outcome {
            Outcome::Ok => "ok     ",
            Outcome::Warning => "warning",
            Outcome::Failed => "FAILED ",
        };
        text.push_str(&format!("  {outcome}  {}: {}\n", finding.trial, finding.detail));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("           hint: {hint}\n"));
        }
    }
    let number = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count();
    text.push_str(&match (number(Outcome::Failed), number(Outcome::Warning)) {
        (0, 0) => "everything is as it should be\n".to_owned(),
        (0, warnings) => format!("it will work; {warnings} to look at\n"),
        (failed, _) => format!("{failed} to mend\n"),
    });
    text
}
