//! `odoo-backup doctor`

mod fix;
mod service;
mod verdict;

use std::path::Path;

use config::Config;
use engine::doctor::{Finding, TrialOutcome};
use engine::text::{lines, one_line};
use serde::Serialize;
use utoipa::ToSchema;

use self::fix::Fixed;
use self::verdict::verdict;
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// What `doctor` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Doctor)]
pub(super) struct DoctorDocument {
    /// Whether nothing failed.
    healthy: bool,
    /// What it means: whether backups and restores will work, or what to fix first.
    verdict: String,
    /// What was fixed before, or would be with `--fix`. Empty without `--fix`.
    fixes: Vec<Fixed>,
    /// What was tried.
    findings: Vec<Finding>,
}

/// What `doctor` is asked to do besides its checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct DoctorRequest {
    /// Whether to fix what is safe to fix, before the checks.
    pub(super) fix: bool,
    /// Whether to say only what would be fixed.
    pub(super) dry_run: bool,
}

/// Tests everything that the configuration names.
pub(super) async fn doctor(config: Option<&Path>, request: DoctorRequest, output: Output) -> Result<Exit, Failure> {
    let file = Config::locate(config)?;
    let mut config = file.load()?;
    let fixes = if request.fix { fix::fix(&config.subjects(), request.dry_run, output) } else { Vec::new() };
    if request.fix && !request.dry_run {
        // Its warnings may be gone.
        config = file.load()?;
    }
    let subjects = config.subjects();
    let findings = service::findings(&subjects).await;
    let failed = findings.iter().any(|finding| finding.outcome == TrialOutcome::Failed);
    let exit = if failed { Exit::Failed } else { Exit::Success };
    let document = DoctorDocument { healthy: !failed, verdict: verdict(&findings), fixes, findings };
    Ok(output.result(&document, || text(&document), exit))
}

fn text(document: &DoctorDocument) -> String {
    let mut text = String::new();
    let mut subject = "";
    for finding in &document.findings {
        if finding.subject != subject {
            subject = &finding.subject;
            text.push_str(&format!("{}\n", one_line(subject)));
        }
        let outcome = match finding.outcome {
            TrialOutcome::Ok => "ok     ",
            TrialOutcome::Warning => "warning",
            TrialOutcome::Failed => "FAILED ",
            TrialOutcome::Unknown => "unknown",
        };
        text.push_str(&format!("  {outcome}  {}: {}\n", one_line(&finding.trial), lines(&finding.detail)));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("           hint: {}\n", lines(hint)));
        }
    }
    text + &one_line(&document.verdict)
}
