//! `--report FILE`: everything known about a restored copy.

use std::io::Write as _;
use std::path::Path;

use config::explain;
use engine::error::Error;
use engine::manifest::Manifest;
use engine::manifest::{Check, CheckOutcome, Notes, Verification};
use engine::odoo::{Anonymized, Left, Means, Neutralized};
use engine::repository::{ProofName, Timings};
use serde::Serialize;

use super::failure::Failure;
use super::show::covers;
use crate::new_file::NewFile;
use crate::table::{bytes, count, plural, time};

/// The file of a report.
pub(super) struct ReportFile {
    file: NewFile,
    is_json: bool,
}

impl ReportFile {
    /// Creates the file before anything else is done, so that an error is known at once.
    pub(super) fn create(path: Option<&Path>) -> Result<Option<Self>, Failure> {
        let Some(path) = path else { return Ok(None) };
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        Ok(Some(Self { file: NewFile::create(path)?, is_json }))
    }

    /// Writes the report, or `document` if the name ends in `.json`.
    ///
    /// Returns a warning if that fails, because the restore itself is done.
    pub(super) fn write(self, report: &ReportPage<'_>, document: &impl Serialize) -> Option<String> {
        let path = self.file.path().display().to_string();
        let write = || -> Result<(), Error> {
            let text = if self.is_json {
                serde_json::to_value(document).map(|document| format!("{document:#}\n")).map_err(Into::into)
            } else {
                Ok(report.to_markdown())
            };
            let mut sink = self.file.sink()?;
            let written = text.and_then(|text| sink.write_all(text.as_bytes()));
            written.map_err(|source| Error::Io { action: format!("write {path}"), source })?;
            self.file.keep().map(|_| ())
        };
        write().err().map(|error| format!("the report was not written: {}", explain(&error)))
    }
}

/// The content of a report.
pub(super) struct ReportPage<'a> {
    pub(super) title: String,
    pub(super) manifest: &'a Manifest,
    /// The repository it was restored from.
    pub(super) location: &'a str,
    /// Rows about the copy.
    pub(super) copy: Vec<(&'static str, String)>,
    pub(super) verification: &'a Verification,
    pub(super) neutralized: Option<&'a Neutralized>,
    pub(super) anonymized: Option<&'a Anonymized>,
    pub(super) timings: &'a Timings,
    pub(super) proof: Option<&'a ProofName>,
    pub(super) warnings: &'a [String],
}

impl ReportPage<'_> {
    /// Formats the report as Markdown.
    pub(super) fn to_markdown(&self) -> String {
        let mut page = Page { text: format!("# {}\n", escaped(&self.title)) };
        self.summary(&mut page);
        self.recovery(&mut page);
        self.verification(&mut page);
        match self.neutralized {
            Some(neutralized) => neutralization(&mut page, neutralized),
            None => page
                .section("Neutralization", "None: the copy sends mail and runs scheduled actions like its original."),
        }
        if let Some(anonymized) = self.anonymized {
            anonymization(&mut page, anonymized);
        }
        if !self.warnings.is_empty() {
            page.section("Warnings", "");
            self.warnings.iter().for_each(|warning| page.item(warning));
        }
        page.text
    }

    fn summary(&self, page: &mut Page) {
        let Manifest { instance, id, created_at, database, filestore, .. } = self.manifest;
        let mut rows = vec![
            ("Backup", format!("{instance}/{id}")),
            ("Created", time(*created_at)),
            ("Covers", covers(self.manifest)),
            ("Dump", bytes(database.dump.plain().size)),
            ("Files", format!("{} in {}", bytes(filestore.bytes), plural(filestore.files, "file"))),
            ("Restored from", self.location.to_owned()),
        ];
        rows.extend(self.copy.iter().cloned());
        rows.extend([
            ("PostgreSQL of the copy", self.verification.server.clone()),
            ("Written", time(jiff::Timestamp::now())),
            ("By", format!("odoo-backup {}", env!("CARGO_PKG_VERSION"))),
            ("Proof", super::proofs::stored(self.proof).to_owned()),
        ]);
        page.rows(["", ""], rows.into_iter().map(|(name, value)| [name.to_owned(), value]));
    }

    fn recovery(&self, page: &mut Page) {
        let Timings { total, database, filestore, verification, neutralization, anonymization } = self.timings;
        page.section(
            "Time to recover",
            "From the first connection to a usable copy. Database and filestore are restored in parallel.",
        );
        let parts = [
            ("Database", database),
            ("Filestore", filestore),
            ("Verification", verification),
            ("Neutralization", neutralization),
            ("Anonymization", anonymization),
            ("Total", total),
        ];
        page.rows(
            ["part", "seconds"],
            parts.into_iter().map(|(name, took)| [name.to_owned(), format!("{:.1}", took.as_secs_f64())]),
        );
    }

    fn verification(&self, page: &mut Page) {
        let depth = self.verification.depth;
        let read = match depth {
            engine::verify::Depth::Quick => "each file's length was compared",
            engine::verify::Depth::Full => "each file was read and compared with the SHA-1 in its name",
        };
        page.section(
            "Verification",
            &format!("Depth {depth}: {read}. The digest of every object matches the manifest."),
        );
        let word = |outcome| match outcome {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Failed => "FAILED",
            CheckOutcome::Skipped => "skipped",
        };
        let row = |check: &Check| [check.subject.to_string(), word(check.outcome).to_owned(), check.summary.clone()];
        page.rows(["check", "outcome", "figures"], self.verification.checks.iter().map(row));
        for check in &self.verification.checks {
            page.notes(&format!("Different from the backup: {}", check.subject), &check.findings);
            page.notes(&format!("Already wrong at the source: {}", check.subject), &check.known);
        }
    }
}

fn anonymization(page: &mut Page, report: &Anonymized) {
    let key = if report.seeded {
        "They are derived from a seed."
    } else {
        "They are derived from a random key that was not stored."
    };
    page.section("Anonymization", &format!("Fake values replace the original ones in these columns. {key}"));
    let columns = report.tables.iter().flat_map(|table| table.columns.iter().map(|column| (&table.table, column)));
    page.rows(
        ["table", "column", "kind", "values", "exception"],
        columns.map(|(table, column)| {
            let except = column.except.unwrap_or_default().to_owned();
            [table.clone(), column.column.clone(), column.kind.as_str().to_owned(), count(column.rows), except]
        }),
    );
    let emptied: Vec<_> =
        report.emptied.iter().map(|one| format!("{} ({})", one.table, plural(one.rows, "row"))).collect();
    let left: Vec<_> = report.addresses_left.iter().map(ToString::to_string).collect();
    let in_columns = |columns: &[Left]| list(&columns.iter().map(ToString::to_string).collect::<Vec<_>>());
    let rows = [
        ("Emptied tables", list(&emptied)),
        ("Kept columns", list(&report.kept)),
        ("Names, addresses and numbers searched for in all other columns", count(report.net.sought)),
        ("Too short or too common to search for", count(report.net.not_sought)),
        ("Found and replaced in", in_columns(&report.net.replaced)),
        ("Found and left in", in_columns(&report.net.left)),
        ("Not searched", list(&report.net.not_searched)),
        ("Contain e-mail addresses of others", list(&left)),
        ("Removed roles and passwords for other servers", list(&report.user_mappings_removed)),
    ];
    page.rows(["", ""], rows.into_iter().map(|(name, value)| [name.to_owned(), value]));
}

fn neutralization(page: &mut Page, report: &Neutralized) {
    let means = match report.means {
        Means::OdooBin => "By Odoo's own neutralization, then by the statements of odoo-backup.".to_owned(),
        Means::Modules => {
            let modules = plural(report.modules.len() as u64, "module");
            format!("By the SQL of {modules}, then by the statements of odoo-backup: {}.", report.modules.join(", "))
        }
        Means::Own => "By the statements of odoo-backup.".to_owned(),
    };
    page.section("Neutralization", &means);
    let rows = [
        ("database.uuid", report.database_uuid.clone()),
        ("web.base.url", report.base_url.clone()),
        ("Password set for", report.administrator.clone().unwrap_or_else(|| "no user".into())),
        ("Own scripts that ran", count(report.scripts as u64)),
        ("Modules without SQL on this machine", list(&report.modules_not_found)),
        ("Removed parameters", list(&report.parameters_removed)),
        ("Removed roles and passwords for other servers", list(&report.user_mappings_removed)),
    ];
    page.rows(["", ""], rows.into_iter().map(|(name, value)| [name.to_owned(), value]));
    if !report.applied.is_empty() {
        page.section("Changes", "");
        let rows = report.applied.iter();
        page.rows(
            ["area", "what", "table", "rows"],
            rows.map(|one| [one.area.into(), one.about.into(), one.table.into(), count(one.rows)]),
        );
    }
    if !report.credentials.is_empty() {
        page.section("Removed credentials", "");
        let rows = report.credentials.iter();
        page.rows(
            ["table", "columns", "rows"],
            rows.map(|one| [one.table.clone(), one.columns.join(", "), count(one.rows)]),
        );
    }
    page.section("Assertions", "Checked in the database after all changes.");
    let outcome = |applies| if applies { "passed" } else { "not applicable: no such tables or columns" };
    let rows = report.assertions.iter();
    page.rows(["asserted", "outcome"], rows.map(|one| [one.asserted.clone(), outcome(one.applies).to_owned()]));
    report.warnings.iter().for_each(|warning| page.item(warning));
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// A page of Markdown that is being written.
struct Page {
    text: String,
}

impl Page {
    fn section(&mut self, title: &str, text: &str) {
        self.text.push_str(&format!("\n## {}\n", escaped(title)));
        if !text.is_empty() {
            self.text.push_str(&format!("\n{}\n", escaped(text)));
        }
    }

    fn item(&mut self, text: &str) {
        // Markdown starts a list only after a blank line.
        if !self.text.ends_with("\n\n") && !self.text.lines().last().is_some_and(|line| line.starts_with("- ")) {
            self.text.push('\n');
        }
        self.text.push_str(&format!("- {}\n", escaped(text)));
    }

    fn notes(&mut self, title: &str, notes: &Notes) {
        if notes.count == 0 {
            return;
        }
        self.text.push_str(&format!("\n{} ({})\n", escaped(title), count(notes.count)));
        notes.first.iter().for_each(|note| self.item(note));
        let more = notes.count - notes.first.len() as u64;
        if more > 0 {
            self.item(&format!("and {} more", count(more)));
        }
    }

    fn rows<const N: usize>(&mut self, header: [&str; N], rows: impl Iterator<Item = [String; N]>) {
        let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
        self.text.push('\n');
        self.text.push_str(&line(header.map(str::to_owned)));
        self.text.push_str(&line([(); N].map(|()| "---".to_owned())));
        rows.for_each(|row| self.text.push_str(&line(row.map(|cell| escaped(&cell)))));
    }
}

/// Escapes text for Markdown. Names are data: none may become a column, a link, a tag or a line.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '[' | ']' | '*' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_stays_in_its_cell() {
        let mut page = Page { text: String::new() };
        page.rows(["a", "b"], [["x|y\n".to_owned(), "<script>".to_owned()]].into_iter());
        assert_eq!(page.text, "\n| a | b |\n| --- | --- |\n| x\\|y\\n | \\<script\\> |\n");
        page.item("one");
        page.item("two");
        assert!(page.text.ends_with("|\n\n- one\n- two\n"));
    }
}
