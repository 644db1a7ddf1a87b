//! `odoo-backup doctor`

use std::path::Path;

use config::Config;
use engine::doctor::{Finding, TrialOutcome};
use engine::text::{lines, one_line};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::problems_found;

/// What `doctor` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Doctor)]
pub(super) struct DoctorDocument {
    /// Whether nothing failed.
    healthy: bool,
    /// What was tried.
    findings: Vec<Finding>,
}

/// Tests everything that the configuration names.
pub(super) async fn doctor(config: Option<&Path>, output: Output) -> Result<Exit, Failure> {
    let config = Config::find_and_load(config)?;
    let findings = engine::doctor::doctor(&config.subjects()).await;
    let failed = findings.iter().any(|finding| finding.outcome == TrialOutcome::Failed);
    let exit = if failed { Exit::Failed } else { Exit::Success };
    let document = DoctorDocument { healthy: !failed, findings };
    Ok(output.result(&document, || text(&document.findings), exit))
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
    let number = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count() as u64;
    text.push_str(&problems_found(number(TrialOutcome::Failed), number(TrialOutcome::Warning)));
    text
}
