//! Programs of the operator that run before and after a backup or a restore.

mod call;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::error::HookError;
use crate::error::{Error, explain};
use crate::manifest::BackupId;
use crate::run::Run;

/// How long a hook may run if nothing else is configured.
pub const TIMEOUT: Duration = Duration::from_mins(10);

/// The hooks of an instance or a target. Each is a program with its arguments; no shell reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Runs first. If it fails, the work is not done.
    pub before: Option<HookCommand>,
    /// Runs after the work succeeded.
    pub after: Option<HookCommand>,
    /// Runs after the work, or `before`, failed.
    pub failed: Option<HookCommand>,
    /// Runs last, however the work ended.
    pub finally: Option<HookCommand>,
    /// How long each may run. Then its whole process group is killed.
    pub timeout: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { before: None, after: None, failed: None, finally: None, timeout: TIMEOUT }
    }
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCommand {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// When a hook runs. Its name is the key in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
    Failed,
    Finally,
}

impl When {
    fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Failed => "failed",
            Self::Finally => "finally",
        }
    }
}

/// What hooks are about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The section of the configuration: `instance.production`.
    pub section: &'a str,
    /// The instance, if it is known.
    pub instance: Option<&'a str>,
    /// The target of a restore.
    pub target: Option<&'a str>,
}

/// How work ended, for the hooks after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The instance, if the work found out which it is.
    pub instance: Option<String>,
    /// The backup that was made or restored.
    pub backup: Option<BackupId>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Done {
    /// Returns an end without a backup.
    pub fn without_backup(outcome: Outcome) -> Self {
        Self { instance: None, backup: None, outcome }
    }

    /// Returns a success, with a backup of `instance` if there is one.
    pub fn with(instance: &str, backup: Option<BackupId>, is_clean: bool) -> Self {
        let outcome = if is_clean { Outcome::Done } else { Outcome::Warnings };
        Self { instance: Some(instance.to_owned()), backup, outcome }
    }
}

/// How work ended. Hooks get it as `ODOO_BACKUP_OUTCOME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It succeeded, with warnings.
    Warnings,
    /// It failed, or `before` did.
    Failed,
    /// It was stopped.
    Cancelled,
    /// Another process makes the backup, or has made it.
    Elsewhere,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Warnings => "warnings",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl Hooks {
    /// Returns those that are configured, each with its key, in the order in which they run.
    pub fn listed(&self) -> impl Iterator<Item = (&'static str, &HookCommand)> {
        let all = [
            (When::Before, &self.before),
            (When::After, &self.after),
            (When::Failed, &self.failed),
            (When::Finally, &self.finally),
        ];
        all.into_iter().filter_map(|(when, command)| Some((when.as_str(), command.as_ref()?)))
    }

    /// Does `work` between the hooks. Returns its result, and warnings about hooks that failed
    /// after it. If the work failed, those warnings go to the progress of the run. `ended` says how
    /// the work ended; a failure of a cancelled run is a cancellation without asking.
    ///
    /// The time limit for a stalled run must be part of `work`: a hook has its own.
    ///
    /// # Errors
    /// [`Error::Hook`] if `before` failed: then the work was not begun. [`Error::Interrupted`] if
    /// the run was cancelled before: then no hook ran. Those of the work.
    pub async fn around<T, E: From<Error>>(
        &self,
        about: About<'_>,
        run: &Run,
        work: impl Future<Output = Result<T, E>>,
        ended: impl Fn(Result<&T, &E>) -> Done,
    ) -> Result<(T, Vec<String>), E> {
        if run.cancel.is_cancelled() {
            return Err(Error::Interrupted.into());
        }
        let begun = match &self.before {
            Some(before) => self.call(When::Before, before, about, None, run).await,
            None => Ok(()),
        };
        let result = match begun {
            Ok(()) => work.await,
            Err(error) => Err(error.into()),
        };
        let done = match &result {
            Err(_) if run.cancel.is_cancelled() => Done::without_backup(Outcome::Cancelled),
            result => ended(result.as_ref()),
        };
        let second = match done.outcome {
            Outcome::Done | Outcome::Warnings => self.after.as_ref().map(|after| (When::After, after)),
            Outcome::Failed => self.failed.as_ref().map(|failed| (When::Failed, failed)),
            Outcome::Cancelled | Outcome::Elsewhere => None,
        };
        let last = self.finally.as_ref().map(|finally| (When::Finally, finally));
        let mut warnings = Vec::new();
        for (when, command) in second.into_iter().chain(last) {
            if let Err(error) = self.call(when, command, about, Some(&done), run).await {
                warnings.push(explain(&error).with_hint());
            }
        }
        match result {
            Ok(value) => Ok((value, warnings)),
            Err(error) => {
                warnings.iter().for_each(|warning| run.progress.warn(warning));
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
