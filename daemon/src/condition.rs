//! The condition of an instance: ok, warning or failed, and why.
//!
//! [`ReasonKind`] is the only table of possible problems and their severity. `odoo-backup status`,
//! the dashboard, the API, the metrics and the notices use it. `docs/condition.md` describes it,
//! and a test compares the two.

mod backups;
mod reason;

use engine::error::Explanation;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::backups::{Backups, of_repository};
pub(crate) use self::reason::InstanceState;
pub use self::reason::{ConditionReason, ReasonKind, Severity};
use crate::journal::RunOutcome;
use crate::view::{InstanceView, JobView};

/// How an instance is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Condition {
    severity: Severity,
    /// What is wrong, the worst first; nothing where all is as it should be.
    pub reasons: Vec<ConditionReason>,
}

impl Condition {
    /// Returns how an instance is, by its runs and by what is known of its backups. `unread` says
    /// why the repository cannot be read, where it cannot.
    pub fn of(view: &InstanceView, backups: Option<&Backups>, unread: Option<&Explanation>, now: Timestamp) -> Self {
        let mut reasons: Vec<_> = view.jobs.iter().filter_map(lasting_failure).collect();
        match (backups, unread) {
            (None, None) => reasons
                .push(ConditionReason::new(ReasonKind::RepositoryNotRead, "the repository has not been read yet")),
            (None, Some(error)) => reasons.push(ConditionReason::new(ReasonKind::RepositoryUnread, error.to_string())),
            (Some(backups), unread) => {
                reasons.extend(backups.reasons());
                reasons.extend(backups.lack(view, now));
                reasons.extend(backups.warnings());
                let outdated = |error| {
                    ConditionReason::new(
                        ReasonKind::RepositoryOutdated,
                        format!("the repository cannot be read: {error}"),
                    )
                };
                reasons.extend(unread.map(outdated));
            }
        }
        Self::from(reasons)
    }

    /// Returns the severity of the worst reason.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns the word of the API.
    pub(crate) fn state(&self) -> InstanceState {
        self.reasons.iter().map(|reason| reason.kind.state()).min().unwrap_or(InstanceState::Ok)
    }

    /// Returns the sentence of a kind that there is at most once.
    pub(crate) fn message(&self, kind: ReasonKind) -> Option<&str> {
        self.reasons.iter().find(|reason| reason.kind == kind).map(|reason| reason.message.as_str())
    }
}

impl From<Vec<ConditionReason>> for Condition {
    fn from(mut reasons: Vec<ConditionReason>) -> Self {
        reasons.sort_by_key(|reason| (std::cmp::Reverse(reason.severity()), reason.kind.state()));
        let severity = reasons.first().map(ConditionReason::severity).unwrap_or_default();
        Self { severity, reasons }
    }
}

/// Returns the failure of the job, if no success followed.
fn lasting_failure(job: &JobView) -> Option<ConditionReason> {
    let failure = job.latest_failure.as_ref()?;
    if job.latest_success.as_ref().is_some_and(|success| success.id > failure.id) {
        return None;
    }
    let run = format!("the latest {} (run {}, {:.0})", job.job, failure.id, failure.began_at);
    let outcome = failure.outcome.as_ref()?;
    match outcome {
        RunOutcome::Failed { .. } => Some(ConditionReason::new(ReasonKind::RunFailed, format!("{run} {outcome}"))),
        // A run makes up for it.
        _ if job.running.is_some() => None,
        _ => Some(ConditionReason::new(ReasonKind::RunLost, format!("{run} {outcome}"))),
    }
}

#[cfg(test)]
mod tests;
