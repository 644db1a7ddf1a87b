//! pg_dump's archives: their table of contents as pg_restore lists it, and what can be read of one
//! while it streams.

mod allowed;
mod entries;
#[cfg(test)]
mod forged;
mod format;
mod guard;
mod objects;
mod parts;
mod rows;
mod tables;

use std::collections::HashSet;
use std::io;
use std::process::Stdio;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::programs::process::Running;
use super::{PostgresError, Section, Tool};
use crate::stream::{Body, Malformed};

pub(crate) use entries::{ArchiveEntry, LeftOut, read_entries, with_dependents};
pub(crate) use format::Misunderstood;
pub(crate) use guard::{GuardedFor, guarded};
pub(crate) use objects::{ArchiveObjects, ObjectKind, Qualified, SequenceValue, read_encoding, read_objects};
pub(crate) use rows::{RowCounts, TableRows, count_rows};
pub(crate) use tables::{ArchiveError, ArchiveTables};
pub(in crate::postgres) use tables::{DumpedTable, TableData};

/// The content of an archive, in pg_restore's own list format.
#[derive(Debug, Clone)]
pub struct ArchiveToc {
    text: String,
    left_out: HashSet<i64>,
}

impl ArchiveToc {
    /// Returns the name of its database.
    pub fn database(&self) -> Option<&str> {
        self.head("dbname: ")
    }

    /// Returns when it was made. An archive contains its maker's local time without a zone, which
    /// is assumed to be this machine's.
    pub fn created_at(&self) -> Option<Timestamp> {
        // `2026-11-21 08:28:22 UTC`
        let time = self.head("Archive created at ")?.get(..19)?;
        let civil = DateTime::strptime("%Y-%m-%d %H:%M:%S", time).ok()?;
        civil.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp())
    }

    fn head(&self, name: &str) -> Option<&str> {
        let mut head = self.text.lines().take_while(|line| line.starts_with(';'));
        head.find_map(|line| line.trim_start_matches(';').trim_start().strip_prefix(name))
    }

    /// Returns how many entries it has.
    pub fn entries(&self) -> usize {
        self.text.lines().filter(|line| !line.starts_with(';')).count()
    }

    /// Returns how many tables it has data of.
    pub fn tables(&self) -> usize {
        self.text.lines().filter(|line| kind_of(line).is_some_and(|kind| kind.starts_with("TABLE DATA "))).count()
    }

    /// Leaves out the entries with these numbers from now on.
    pub fn leave_out(&mut self, entries: impl IntoIterator<Item = i64>) {
        self.left_out.extend(entries);
    }

    /// Returns whether it creates any extension.
    pub fn has_extensions(&self) -> bool {
        self.text.lines().any(is_extension)
    }

    /// Returns the list to restore from (`pg_restore --use-list`): the section's entries without
    /// those that were [left out](Self::leave_out). Comments on extensions are left out too: only
    /// an extension's owner may write them, and `CREATE EXTENSION` has written them already.
    pub(in crate::postgres) fn restorable(&self, section: Section) -> String {
        let left_out = |line: &str| {
            kind_of(line).is_some_and(|kind| {
                kind.starts_with("COMMENT - EXTENSION ")
                    || section == Section::DataWithoutRows && kind.starts_with("TABLE DATA ")
            }) || number_of(line).is_some_and(|number| self.left_out.contains(&number))
        };
        let lines: Vec<_> = self.text.lines().collect();
        let behind_extensions = lines.iter().rposition(|line| is_extension(line)).map_or(0, |last| last + 1);
        let lines = match section {
            Section::Extensions => &lines[..behind_extensions],
            Section::BehindExtensions | Section::PreData => &lines[behind_extensions..],
            Section::All | Section::Data | Section::DataWithoutRows | Section::PostData => &lines,
        };
        lines.iter().filter(|line| !left_out(line)).flat_map(|line| [line, "\n"]).collect()
    }
}

fn is_extension(line: &str) -> bool {
    kind_of(line).is_some_and(|kind| kind.starts_with("EXTENSION - "))
}

/// Returns the number of an entry: `9807; 0 0 COMMENT - EXTENSION pg_trgm ` → 9807.
fn number_of(line: &str) -> Option<i64> {
    line.split_once("; ")?.0.parse().ok()
}

/// Returns what follows the numbers: `9807; 0 0 COMMENT - EXTENSION pg_trgm ` →
/// `COMMENT - EXTENSION pg_trgm `.
fn kind_of(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once("; ")?;
    number.parse::<u64>().ok()?;
    rest.splitn(3, ' ').nth(2)
}

/// pg_restore keeps a table of contents in memory. That of a database with a hundred thousand
/// tables has some 50 MiB.
const LARGEST_CONTENTS: usize = 256 * 1024 * 1024;

/// Reads the table of contents at the start of an archive. Reads the body only as far as pg_restore
/// does.
///
/// # Errors
/// [`PostgresError::Failed`] if this pg_restore cannot read the archive; [`PostgresError::Read`] if
/// the body failed.
pub(crate) async fn read_toc(tool: &Tool, mut archive: Body, subject: &str) -> Result<ArchiveToc, PostgresError> {
    let failed = |source: io::Error| PostgresError::Run { program: tool.path.clone(), source };
    let mut command = Command::new(&tool.path);
    command.args(["--list", "--format=custom"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(&mut command, subject)?;
    let (Some(mut stdin), Some(mut stdout)) = (running.child.stdin.take(), running.child.stdout.take()) else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    let mut text = Vec::new();
    let feed = async {
        let mut buffer = vec![0; 64 * 1024];
        let mut fed = 0;
        loop {
            let read = archive.read(&mut buffer).await?;
            fed += read;
            if fed > LARGEST_CONTENTS {
                drop(stdin);
                let reason = format!("its table of contents is larger than {} MiB", LARGEST_CONTENTS >> 20);
                return Err(Malformed(reason).into());
            }
            // It stops reading where the table of contents ends.
            if read == 0 || stdin.write_all(&buffer[..read]).await.is_err() {
                drop(stdin);
                return Ok(());
            }
        }
    };
    let (fed, listed) = tokio::join!(feed, stdout.read_to_end(&mut text));
    let ended = running.wait().await;
    // The source's failure is the cause, whatever pg_restore reports about half an archive.
    fed.map_err(|source| PostgresError::Read { subject: subject.to_owned(), source })?;
    ended?;
    listed.map_err(failed)?;
    // Names are in the dump's encoding. pg_restore uses the numbers.
    Ok(ArchiveToc { text: String::from_utf8_lossy(&text).into_owned(), left_out: HashSet::new() })
}

/// Passes an archive in pieces to every parser of archives.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8], piece: usize) {
    rows::fuzz(bytes, piece);
    tables::fuzz(bytes, piece);
    objects::fuzz(bytes, piece);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io;

    use super::{ArchiveToc, read_toc};
    use crate::postgres::{PostgresError, Section, Tool};
    use crate::stream::produce;

    #[tokio::test]
    async fn failed_body_is_the_cause() {
        let path = harness::postgres::Binaries::find(None).program("pg_restore");
        let tool = Tool { path, version: String::new(), major: 0 };
        let (body, _) = produce::<(), _>(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "connection lost")));
        match read_toc(&tool, body, "a test").await.unwrap_err() {
            PostgresError::Read { source, .. } => assert_eq!(source.to_string(), "connection lost"),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn list_leaves_out_extension_comments() {
        let text = "\
;\n; Archive created at 2026-11-21 08:28:22 UTC\n;     dbname: production\n;\n\
2; 3079 51677 EXTENSION - pg_trgm \n\
9807; 0 0 COMMENT - EXTENSION pg_trgm \n\
9808; 0 0 COMMENT public TABLE account_account odoo\n\
754; 1259 59565 TABLE public account_account odoo\n\
9; 0 59565 TABLE DATA public account_account odoo\n";
        let mut toc = ArchiveToc { text: text.into(), left_out: HashSet::new() };
        assert_eq!((toc.entries(), toc.tables()), (5, 1));
        assert!(toc.created_at().is_some());
        assert_eq!(toc.database(), Some("production"));
        let restorable = text.replace("9807; 0 0 COMMENT - EXTENSION pg_trgm \n", "");
        assert_eq!(toc.restorable(Section::All), restorable);
        let without_rows = restorable.replace("9; 0 59565 TABLE DATA public account_account odoo\n", "");
        assert_eq!(toc.restorable(Section::DataWithoutRows), without_rows);
        let extensions = restorable.find("9808; ").unwrap();
        assert_eq!(toc.restorable(Section::Extensions), restorable[..extensions]);
        assert_eq!(toc.restorable(Section::PreData), restorable[extensions..]);
        assert!(toc.has_extensions());
        toc.leave_out([9808, 9]);
        assert!(toc.restorable(Section::BehindExtensions).starts_with("754; ") && toc.entries() == 5);
    }
}
