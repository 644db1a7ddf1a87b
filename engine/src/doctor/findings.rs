//! What trials have found, and how long each may take.

use std::time::Duration;

use super::{Finding, TrialOutcome};
use crate::error::{Error, explain};

/// How long one check may take, where no `stall_timeout` is shorter.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// What was found so far.
#[derive(Default)]
pub(super) struct TrialFindings {
    pub(super) subject: String,
    pub(super) all: Vec<Finding>,
    /// How long a check of this subject may take.
    patience: Duration,
    /// Whether a check has not answered.
    is_silent: bool,
}

impl TrialFindings {
    /// Continues with another subject.
    pub(super) fn begin(&mut self, subject: impl Into<String>, patience: Duration) {
        (self.subject, self.patience, self.is_silent) = (subject.into(), patience, false);
    }

    /// Tries what may never answer, as [`Self::tried`] does. After a check without an answer,
    /// nothing of the same subject is tried.
    pub(super) async fn attempt<T, E: Into<Error>>(
        &mut self,
        trial: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        if self.is_silent {
            return None;
        }
        match tokio::time::timeout(self.patience, work).await {
            Ok(result) => self.tried(trial, result),
            Err(_) => {
                self.is_silent = true;
                let detail = format!("no answer within {} s", self.patience.as_secs());
                self.failed(trial, detail, "check whether the server or the storage hangs, and what it waits for");
                None
            }
        }
    }

    /// Runs what may never answer; other findings report it if it does not.
    pub(super) async fn quietly<T>(&self, work: impl Future<Output = Option<T>>) -> Option<T> {
        if self.is_silent {
            return None;
        }
        tokio::time::timeout(self.patience, work).await.ok().flatten()
    }

    pub(super) fn add(&mut self, trial: &'static str, outcome: TrialOutcome, detail: String, hint: Option<String>) {
        let trial = trial.into();
        self.all.push(Finding { subject: self.subject.clone(), trial, outcome, detail, hint });
    }

    pub(super) fn ok(&mut self, trial: &'static str, detail: impl Into<String>) {
        self.add(trial, TrialOutcome::Ok, detail.into(), None);
    }

    pub(super) fn failed(&mut self, trial: &'static str, detail: impl Into<String>, hint: impl Into<String>) {
        self.add(trial, TrialOutcome::Failed, detail.into(), Some(hint.into()));
    }

    /// Reports a failure, or returns the result of a success.
    pub(super) fn tried<T>(&mut self, trial: &'static str, result: Result<T, impl Into<Error>>) -> Option<T> {
        result
            .map_err(|error| {
                let explanation = explain(&error.into());
                let texts = [vec![explanation.message], explanation.causes].concat();
                self.add(trial, TrialOutcome::Failed, texts.join(": "), explanation.hint);
            })
            .ok()
    }
}
