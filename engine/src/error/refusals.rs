//! Why a restore or a backup is refused, and what to do about it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::explain;
use crate::manifest::BackupId;

/// One reason to refuse a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Obstacle {
    /// What it is about, in a word that scripts may rely on: `production`, `filestore`, `space`.
    pub check: Cow<'static, str>,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Obstacle {
    pub(crate) fn new(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { check: check.into(), message: message.into(), hint: hint.into() }
    }

    /// Returns the obstacle for what would be an error later.
    pub(crate) fn of(check: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        let explanation = explain(error);
        let message = explanation.to_string();
        Self::new(
            check,
            message,
            explanation.hint.unwrap_or_else(|| "run `odoo-backup doctor`, which checks what a restore needs".into()),
        )
    }
}

/// The database of an instance is another one than that of its latest backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherDatabase {
    /// The instance.
    pub instance: String,
    /// The latest backup.
    pub latest: BackupId,
    /// What shows it.
    pub why: String,
}

impl fmt::Display for OtherDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, latest, why } = self;
        write!(f, "this is not the database of the backup {instance}/{latest}: {why}")
    }
}

impl OtherDatabase {
    /// Returns what the operator can do about it.
    pub fn hint(&self) -> String {
        let instance = &self.instance;
        format!(
            "if both are in use, configure this one under another name than [instance.{instance}]; if it replaces the other, \
             run it once with `--accept-new-identity`: `odoo-backup now {instance} --accept-new-identity`"
        )
    }
}
