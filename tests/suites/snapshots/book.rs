//! A text file of `tests/snapshots`: sections of lines, each under a title.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::shape::{Parts, Shape};

/// If set to `update`, the files are written, not compared.
pub(super) const UPDATE: &str = "ODOO_BACKUP_SNAPSHOTS";

/// The content for a file.
#[derive(Debug)]
pub(super) struct Book {
    name: &'static str,
    sections: Vec<(String, Section)>,
    parts: Parts,
}

#[derive(Debug)]
enum Section {
    Shape(Shape),
    Lines(Vec<String>),
}

impl Book {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, sections: Vec::new(), parts: Parts::new() }
    }

    /// Adds a document to those of this title.
    pub(super) fn add(&mut self, title: &str, document: &Value) {
        let known = self.sections.iter().position(|(known, _)| known == title);
        let index = known.unwrap_or_else(|| {
            self.sections.push((title.to_owned(), Section::Shape(Shape::default())));
            self.sections.len() - 1
        });
        match &mut self.sections[index].1 {
            Section::Shape(shape) => shape.add(document, &mut self.parts),
            Section::Lines(_) => panic!("{title} is a list of lines"),
        }
    }

    /// Adds lines, sorted and each once.
    pub(super) fn lines(&mut self, title: &str, lines: impl IntoIterator<Item = String>) {
        let mut lines: Vec<_> = lines.into_iter().collect();
        lines.sort();
        lines.dedup();
        self.sections.push((title.to_owned(), Section::Lines(lines)));
    }

    /// Adds a line at the end of a title, in the order of the calls.
    pub(super) fn line(&mut self, title: &str, line: String) {
        match self.sections.iter_mut().find(|(known, _)| known == title) {
            Some((_, Section::Lines(lines))) => lines.push(line),
            _ => self.sections.push((title.to_owned(), Section::Lines(vec![line]))),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let sections = self.sections.iter().map(|(title, section)| match section {
            Section::Shape(shape) => (title.clone(), shape.lines()),
            Section::Lines(lines) => (title.clone(), lines.clone()),
        });
        let parts = self.parts.iter().map(|(name, shape)| (format!("<{name}>"), shape.lines()));
        let mut sections: Vec<_> = sections.chain(parts).collect();
        sections.sort();
        for (title, lines) in sections {
            text.push_str(&format!("## {title}\n\n{}\n\n", lines.join("\n")));
        }
        text.trim_end().to_owned() + "\n"
    }

    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots").join(self.name).with_extension("txt")
    }

    /// Returns the differences from the file, or an empty text.
    fn differences(&self) -> String {
        let (path, text) = (self.path(), self.text());
        if std::env::var(UPDATE).is_ok_and(|value| value == "update") {
            fs::write(&path, &text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        let (was, is) = (titled(&expected), titled(&text));
        let gone = was.iter().filter(|line| !is.contains(line)).map(|line| format!("- {line}\n"));
        let new = is.iter().filter(|line| !was.contains(line)).map(|line| format!("+ {line}\n"));
        let lines: String = gone.chain(new).collect();
        match (lines.is_empty(), expected == text) {
            (true, true) => String::new(),
            (true, false) => format!("{}: the same lines in another order\n", path.display()),
            _ => format!("{}:\n{lines}", path.display()),
        }
    }
}

/// Returns each line with the title above it.
fn titled(text: &str) -> Vec<String> {
    let mut title = "";
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("## ") {
            Some(next) => title = next,
            None => lines.push(format!("{title} │ {line}")),
        }
    }
    lines
}

/// Panics with all differences of all books.
#[track_caller]
pub(super) fn assert_unchanged(books: &[Book]) {
    let differences: String = books.iter().map(Book::differences).collect();
    assert!(differences.is_empty(), "{differences}if this is meant: {UPDATE}=update writes the files again");
}
