//! Describes what a verification of a restored copy found, as proofs store it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much is read to verify a copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Every table, and for every file whether it exists and its length. What was unpacked had the
    /// digests of the backup.
    #[default]
    Quick,
    /// Every file is also read from the disk, and must have the SHA-1 in its name.
    Full,
}

impl Depth {
    /// All depths, from the least to the most.
    pub const ALL: [Self; 2] = [Self::Quick, Self::Full];

    /// Returns the depth as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a check examines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Each file of the backup exists with its length and, in [`Depth::Full`], its SHA-1.
    Files,
    /// Each file that the restored attachments name is part of the backup.
    Attachments,
    /// Each table has as many rows as the dump, and there are as many large objects.
    Rows,
    /// There are as many tables, views, indexes, keys, triggers and functions as the dump creates.
    Objects,
    /// Constraints are validated.
    Constraints,
    /// Indexes are valid.
    Indexes,
    /// Sequences have the values in the dump, and are not behind their columns.
    Sequences,
    /// Odoo's series, identity and modules are those of the backup.
    Modules,
    /// There is an active internal user who can log in.
    Users,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Files => "files",
            Self::Attachments => "attachments",
            Self::Rows => "rows",
            Self::Objects => "objects",
            Self::Constraints => "constraints",
            Self::Indexes => "indexes",
            Self::Sequences => "sequences",
            Self::Modules => "modules",
            Self::Users => "users",
        })
    }
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It is as it was backed up.
    Passed,
    /// It is not.
    Failed,
    /// There was nothing to compare with.
    Skipped,
}

/// A list of sentences, of which the first are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notes {
    /// How many there are.
    pub count: u64,
    /// The first hundred.
    pub first: Vec<String>,
}

impl Notes {
    pub(crate) fn add(&mut self, text: impl Into<String>) {
        self.count += 1;
        if self.first.len() < 100 {
            // A name is data. Characters that could manipulate a terminal or a log are escaped.
            let visible = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
            self.first.push(text.into().chars().map(visible).collect());
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.count == 0
    }
}

/// One check of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was examined.
    pub subject: Subject,
    /// The result.
    pub outcome: CheckOutcome,
    /// How many were examined: files, tables, sequences.
    pub looked_at: u64,
    /// The figures, or why there are none, in one line.
    pub summary: String,
    /// What differs from what was backed up.
    #[serde(default, skip_serializing_if = "Notes::is_none")]
    pub findings: Notes,
    /// Problems that the source had already.
    #[serde(default, skip_serializing_if = "Notes::is_none")]
    pub known: Notes,
}

impl Check {
    pub(crate) fn of(subject: Subject, looked_at: u64, summary: String, findings: Notes, known: Notes) -> Self {
        let outcome = if findings.is_none() { CheckOutcome::Passed } else { CheckOutcome::Failed };
        Self { subject, outcome, looked_at, summary, findings, known }
    }

    pub(crate) fn skipped(subject: Subject, why: impl Into<String>) -> Self {
        let (findings, known) = Default::default();
        Self { subject, outcome: CheckOutcome::Skipped, looked_at: 0, summary: why.into(), findings, known }
    }
}

/// The result of verifying a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// How much was read.
    pub depth: Depth,
    /// The version of the server that the copy was restored into: `15.18`.
    pub server: String,
    /// The checks. Those of Odoo's tables are missing if the database is not Odoo's.
    pub checks: Vec<Check>,
    /// How long it took.
    #[serde(with = "seconds", rename = "seconds")]
    #[schema(value_type = f64)]
    pub duration: Duration,
}

impl Verification {
    /// Returns whether no difference from the backup was found.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != CheckOutcome::Failed)
    }

    /// Returns the checks that had nothing to compare with.
    pub fn skipped(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.outcome == CheckOutcome::Skipped)
    }

    /// Returns the failed checks in one sentence.
    pub fn failures(&self) -> String {
        let failed = self.checks.iter().filter(|check| check.outcome == CheckOutcome::Failed);
        let texts = failed.map(|check| {
            const SHOWN: usize = 3;
            let shown = check.findings.first.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let more = check.findings.count.saturating_sub(SHOWN as u64);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            format!("{}: {shown}{more}", check.subject)
        });
        texts.collect::<Vec<_>>().join("; ")
    }
}

pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        // Milliseconds are precise enough.
        serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}
