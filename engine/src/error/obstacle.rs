//! A reason to refuse a restore, and what to do about it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::explain;

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
