//! The names that a restore gives next to the target's own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::restore::target::Target;

/// PostgreSQL truncates longer names.
const LONGEST_DATABASE_NAME: usize = 63;

/// The suffix of a database's and a folder's names next to the target: `_restoring_1a2b3c4d`,
/// `_before_20261121_142143`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::restore) struct Suffix(String);

impl Suffix {
    /// Returns a unique suffix for what is being restored.
    pub(in crate::restore) fn restoring() -> Result<Self, Error> {
        let number = getrandom::u32().map_err(crate::repository::RepositoryError::from)?;
        Ok(Self(format!("_restoring_{number:08x}")))
    }

    /// Returns the suffix for what was the target until this second, UTC. They sort by time.
    pub(in crate::restore) fn before(time: jiff::Timestamp) -> Self {
        Self(time.strftime("_before_%Y%m%d_%H%M%S").to_string())
    }

    /// Returns whether it belongs to an unfinished restore.
    pub(in crate::restore) fn is_restoring(&self) -> bool {
        self.0.starts_with("_restoring_")
    }

    /// Returns the time in the name of a former state.
    pub(in crate::restore) fn time(&self) -> Option<jiff::Timestamp> {
        let time = jiff::civil::DateTime::strptime("_before_%Y%m%d_%H%M%S", &self.0).ok()?;
        time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|time| time.timestamp())
    }

    pub(in crate::restore) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Suffix> for String {
    fn from(suffix: Suffix) -> Self {
        suffix.0
    }
}

impl TryFrom<String> for Suffix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let has = |form: &str, part: &str, is: fn(char) -> bool| {
            part.chars().count() == form.len()
                && form.chars().zip(part.chars()).all(|(form, c)| if form == '_' { c == '_' } else { is(c) })
        };
        let restoring =
            text.strip_prefix("_restoring_").is_some_and(|part| has("xxxxxxxx", part, |c| c.is_ascii_hexdigit()));
        let before =
            text.strip_prefix("_before_").is_some_and(|part| has("yyyymmdd_hhmmss", part, |c| c.is_ascii_digit()));
        if restoring || before { Ok(Self(text)) } else { Err(format!("{text:?} is not a suffix of a restore")) }
    }
}

/// The names of a database and a folder that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) struct TargetNames {
    pub(in crate::restore) database: String,
    pub(in crate::restore) filestore: PathBuf,
}

impl TargetNames {
    /// Returns the target's own names.
    pub(in crate::restore) fn of(target: &Target) -> Self {
        Self { database: target.database.name.clone(), filestore: target.filestore.clone() }
    }

    /// Returns these names with a suffix.
    pub(in crate::restore) fn with(&self, suffix: &Suffix) -> Self {
        let mut folder = self.filestore.file_name().unwrap_or_default().to_owned();
        folder.push(&suffix.0);
        Self { database: shortened(&self.database, &suffix.0), filestore: self.filestore.with_file_name(folder) }
    }
}

/// Cuts the name, not the suffix that makes it unique.
fn shortened(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(LONGEST_DATABASE_NAME - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_name_keeps_suffix_and_characters() {
        assert_eq!(shortened("staging", "_restoring_00000001"), "staging_restoring_00000001");
        let long = shortened(&"ä".repeat(31), "_restoring_00000001");
        assert_eq!(long, format!("{}_restoring_00000001", "ä".repeat(22)));
        assert!(long.len() <= LONGEST_DATABASE_NAME);
    }

    #[test]
    fn suffixes_parse_as_written() {
        let before = Suffix::before("2026-11-21T14:21:43.9Z".parse().unwrap());
        assert_eq!(before.0, "_before_20261121_142143");
        assert_eq!(before.time(), "2026-11-21T14:21:43Z".parse().ok());
        assert_eq!(Suffix::restoring().unwrap().time(), None);
        for suffix in [before, Suffix::restoring().unwrap()] {
            assert_eq!(Suffix::try_from(suffix.0.clone()), Ok(suffix));
        }
    }
}
