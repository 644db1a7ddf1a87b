//! The problems that a backup found with the files of its source.

use std::borrow::Cow;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FilestoreContent, StoredObject, reasonable};
use crate::stream::{Malformed, records};
use crate::text::counted;

/// A path has at most 4096 bytes, each of which may be escaped; the reason why a file could not be
/// read names its path again.
const LONGEST_LINE: usize = 64 * 1024;

/// The fewest bytes of a line.
pub(super) const SHORTEST_LINE: u64 = 30;

/// The problems found with the files of a filestore, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FilestoreFindings {
    /// Named by an attachment, but neither on disk nor in the backup: the source has lost them.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub missing: Vec<String>,
    /// Named by the snapshot's attachments, and deleted with them before they were read.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub deleted: Vec<String>,
    /// On disk, but their content does not match their name.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub damaged: Vec<String>,
    /// Their length changed while they were read.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub changed: Vec<String>,
    /// On disk, but could not be read, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub unreadable: Vec<String>,
    /// Missing, damaged or unreadable at the source, and recovered from an earlier backup.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub rescued: Vec<String>,
    /// Neither file nor folder (links, sockets, devices), and not in the backup.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub skipped: Vec<String>,
    /// How many files no attachment names. They are in the backup.
    #[schema(required = true)]
    pub unreferenced: u64,
    /// The first thousand of them.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "reasonable::names")]
    pub unreferenced_names: Vec<String>,
}

/// How many problems were found with the files of a filestore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FindingCounts {
    /// Files that the source has lost.
    pub missing: u64,
    /// Files that were deleted before they were read.
    pub deleted: u64,
    /// Files whose content does not match their name.
    pub damaged: u64,
    /// Files whose length changed.
    pub changed: u64,
    /// Files that could not be read.
    pub unreadable: u64,
    /// Files recovered from an earlier backup.
    pub rescued: u64,
    /// What is neither file nor folder.
    pub skipped: u64,
    /// Files that no attachment names.
    pub unreferenced: u64,
}

/// The findings of a backup as a manifest of format 2 has them: without names. A manifest is
/// readable by everyone who can read the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFindings {
    /// How many there are.
    pub counts: FindingCounts,
    /// The list of the names, one JSON object a line, in zstd. `None` if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<StoredObject>,
}

/// A line of the list: a file with a problem.
#[derive(Debug, Serialize, Deserialize)]
struct ListedFinding<'a> {
    finding: Finding,
    /// The path, and of what could not be read also the reason.
    name: Cow<'a, str>,
}

/// What was found with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    Missing,
    Deleted,
    Damaged,
    Changed,
    Unreadable,
    Rescued,
    Skipped,
    Unreferenced,
}

impl Finding {
    const ALL: [Self; 8] = [
        Self::Missing,
        Self::Deleted,
        Self::Damaged,
        Self::Changed,
        Self::Unreadable,
        Self::Rescued,
        Self::Skipped,
        Self::Unreferenced,
    ];
}

impl FilestoreFindings {
    /// Returns how many there are.
    pub fn counts(&self) -> FindingCounts {
        let count = |names: &[String]| names.len() as u64;
        FindingCounts {
            missing: count(&self.missing),
            deleted: count(&self.deleted),
            damaged: count(&self.damaged),
            changed: count(&self.changed),
            unreadable: count(&self.unreadable),
            rescued: count(&self.rescued),
            skipped: count(&self.skipped),
            unreferenced: self.unreferenced,
        }
    }

    /// Returns how many names its lists have.
    pub(super) fn names(&self) -> usize {
        Finding::ALL.into_iter().map(|finding| self.of(finding).len()).sum()
    }

    /// Returns the lines of the list, in the order of the kinds. Empty if there are no names.
    pub(crate) fn lines(&self) -> serde_json::Result<String> {
        let mut lines = String::new();
        for finding in Finding::ALL {
            for name in self.of(finding) {
                let line = ListedFinding { finding, name: name.into() };
                lines.push_str(&serde_json::to_string(&line)?);
                lines.push('\n');
            }
        }
        Ok(lines)
    }

    fn of(&self, finding: Finding) -> &[String] {
        match finding {
            Finding::Missing => &self.missing,
            Finding::Deleted => &self.deleted,
            Finding::Damaged => &self.damaged,
            Finding::Changed => &self.changed,
            Finding::Unreadable => &self.unreadable,
            Finding::Rescued => &self.rescued,
            Finding::Skipped => &self.skipped,
            Finding::Unreferenced => &self.unreferenced_names,
        }
    }

    /// Returns the findings that a list has, which must have as many of each kind as the manifest
    /// states; of unreferenced files only the first thousand are listed.
    ///
    /// # Errors
    /// [`Malformed`], and what reading the list reports.
    pub(crate) fn read(list: impl Read, counts: FindingCounts) -> io::Result<Self> {
        let mut read = Self { unreferenced: counts.unreferenced, ..Self::default() };
        for line in records(list, b'\n', LONGEST_LINE) {
            let line = line?;
            let line: ListedFinding<'_> =
                serde_json::from_slice(&line).map_err(|error| Malformed(error.to_string()))?;
            let names = read.of_mut(line.finding);
            if names.len() as u64 >= counts.of(line.finding) {
                return Err(Malformed("it lists more files than the manifest states".to_owned()).into());
            }
            names.push(line.name.into_owned());
        }
        let lacks = |finding: &Finding| (read.of(*finding).len() as u64) < counts.of(*finding);
        match Finding::ALL.iter().filter(|finding| **finding != Finding::Unreferenced).any(lacks) {
            true => Err(Malformed("it lists fewer files than the manifest states".to_owned()).into()),
            false => Ok(read),
        }
    }

    fn of_mut(&mut self, finding: Finding) -> &mut Vec<String> {
        match finding {
            Finding::Missing => &mut self.missing,
            Finding::Deleted => &mut self.deleted,
            Finding::Damaged => &mut self.damaged,
            Finding::Changed => &mut self.changed,
            Finding::Unreadable => &mut self.unreadable,
            Finding::Rescued => &mut self.rescued,
            Finding::Skipped => &mut self.skipped,
            Finding::Unreferenced => &mut self.unreferenced_names,
        }
    }
}

impl FindingCounts {
    /// Returns warnings as sentences, without names: they stand in the manifest. Unreferenced files
    /// cause none: Odoo's collector removes them.
    pub fn warnings(self) -> Vec<String> {
        let findings = [
            (self.missing, "file", "named by an attachment and not on disk: lost at the source"),
            (self.deleted, "file", "deleted after the snapshot, before being read"),
            (self.damaged, "file", "damaged at the source: content and name do not match"),
            (self.changed, "file", "changed while being read"),
            (self.unreadable, "file", "could not be read"),
            (self.rescued, "file", "recovered from an earlier backup"),
            (self.skipped, "path", "neither file nor folder, and not backed up"),
        ];
        let found = findings.into_iter().filter(|(count, ..)| *count > 0);
        found.map(|(count, noun, what)| format!("{} {what}", counted(count, noun))).collect()
    }

    /// Returns their number. `None` if it is larger than any number.
    pub(super) fn total(self) -> Option<u64> {
        let Self { missing, deleted, damaged, changed, unreadable, rescued, skipped, unreferenced } = self;
        let all = [missing, deleted, damaged, changed, unreadable, rescued, skipped, unreferenced];
        all.into_iter().try_fold(0_u64, u64::checked_add)
    }

    fn of(self, finding: Finding) -> u64 {
        match finding {
            Finding::Missing => self.missing,
            Finding::Deleted => self.deleted,
            Finding::Damaged => self.damaged,
            Finding::Changed => self.changed,
            Finding::Unreadable => self.unreadable,
            Finding::Rescued => self.rescued,
            Finding::Skipped => self.skipped,
            Finding::Unreferenced => self.unreferenced,
        }
    }
}

impl FilestoreContent {
    /// Returns how many problems were found with the files.
    pub fn counts_of_findings(&self) -> FindingCounts {
        match (&self.found, &self.findings) {
            (Some(found), _) => found.counts,
            (None, Some(findings)) => findings.counts(),
            (None, None) => FindingCounts::default(),
        }
    }

    /// Returns the names. `None` in format 2, where they are in the list; see
    /// [`crate::repository::Repository::findings`].
    pub fn names_of_findings(&self) -> Option<&FilestoreFindings> {
        self.findings.as_ref()
    }

    /// Returns the list of the names. `None` if there are none, or in format 1.
    pub(crate) fn list_of_findings(&self) -> Option<&StoredObject> {
        self.found.as_ref()?.list.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> FilestoreFindings {
        FilestoreFindings {
            missing: vec!["ab/abcdef".into()],
            unreadable: vec!["cd/a \"name\"\n: permission denied".into(), "x: gone".into()],
            unreferenced: 5000,
            unreferenced_names: vec!["zz/nobody's".into()],
            ..FilestoreFindings::default()
        }
    }

    #[test]
    fn listed_findings_are_read_again() {
        let findings = findings();
        let lines = findings.lines().unwrap();
        assert_eq!(lines.lines().count(), 4);
        assert!(lines.lines().all(|line| line.len() as u64 + 1 >= SHORTEST_LINE));
        assert_eq!(FilestoreFindings::read(lines.as_bytes(), findings.counts()).unwrap(), findings);
        assert_eq!(FilestoreFindings::default().lines().unwrap(), "");
    }

    #[test]
    fn shortest_line_is_not_shorter() {
        let shortest = FilestoreFindings { missing: vec![String::new()], ..FilestoreFindings::default() };
        assert!(shortest.lines().unwrap().len() as u64 >= SHORTEST_LINE);
    }

    #[test]
    fn warnings_count_and_name_nothing() {
        let warnings = findings().counts().warnings();
        assert_eq!(
            warnings,
            ["1 file named by an attachment and not on disk: lost at the source", "2 files could not be read"]
        );
    }
}
