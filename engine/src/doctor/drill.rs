//! Tries whether an instance's latest backup could be drilled as configured.

use super::{Subjects, TrialFindings, TrialOutcome, try_target_folder, try_target_server};
use crate::manifest::Manifest;
use crate::postgres::{self, Endpoint};
use crate::restore::{Obstacle, Preflight, Target, TargetIdentity, examine};

/// Checks what a drill would need: privileges, extensions, pg_restore, and space for database and
/// files.
pub(super) async fn try_place(subjects: &Subjects, instance: &str, place: &Target, findings: &mut TrialFindings) {
    let endpoint = Endpoint::resolve(&place.database);
    let Some(latest) = findings.quietly(latest(subjects, instance)).await else {
        if let Some(server) = findings.attempt("connect", postgres::connect_maintenance(&endpoint)).await {
            findings.ok("connect", server.endpoint().to_string());
            try_target_server(&server, place, findings).await;
        }
        try_target_folder(place, findings);
        return;
    };
    let protected = subjects.protected();
    let looked = examine(&protected, &latest, place, TargetIdentity::Copy, None);
    let Some(Preflight { obstacles, warnings }) = findings.attempt("restore", looked).await else { return };
    if obstacles.is_empty() {
        let folder = place.filestore.display();
        findings.ok("restore", format!("{} can be drilled: {endpoint}, and {folder}", latest.id));
    }
    for (outcome, found) in [(TrialOutcome::Failed, obstacles), (TrialOutcome::Warning, warnings)] {
        for Obstacle { message, hint, .. } in found {
            findings.add("restore", outcome, message, Some(hint));
        }
    }
}

/// Returns the latest backup; `None` if there is none yet or the repository cannot be read, which
/// its own findings report.
async fn latest(subjects: &Subjects, instance: &str) -> Option<Manifest> {
    let repository = subjects.open_main().await?.ok()?;
    repository.find("latest", Some(instance)).await.ok()
}
