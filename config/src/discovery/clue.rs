//! The answers of `init`: found, not found, or could not tell.

use serde::Serialize;

/// Whether something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FoundAnswer)]
pub enum Answer {
    /// It was found.
    Found,
    /// It is not there.
    NotFound,
    /// It could not be looked at.
    Unknown,
}

/// What was looked for, and the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = FoundClue)]
pub struct Clue {
    /// What was looked for: `odoo.conf`, `databases`.
    pub what: &'static str,
    /// Whether it was found.
    pub answer: Answer,
    /// What was found; null where nothing was.
    #[schema(required = true)]
    pub value: Option<String>,
    /// Where it was found, where it is not, or why that is unknown.
    pub source: String,
}

impl Clue {
    /// Returns that it was found.
    pub fn found(what: &'static str, value: impl Into<String>, source: impl Into<String>) -> Self {
        Self { what, answer: Answer::Found, value: Some(value.into()), source: source.into() }
    }

    /// Returns that it is not there.
    pub fn not_found(what: &'static str, source: impl Into<String>) -> Self {
        Self { what, answer: Answer::NotFound, value: None, source: source.into() }
    }

    /// Returns that it is unknown, and why.
    pub fn unknown(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, answer: Answer::Unknown, value: None, source: why.into() }
    }
}

/// A value, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it was found, in words.
    pub source: String,
}
