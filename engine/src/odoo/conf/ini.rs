//! Python's `RawConfigParser` with its defaults, as far as Odoo uses it: the options of one
//! section.
//!
//! Options are `key = value` or `key: value`, and keys ignore case. Lines that begin with `#` or
//! `;` are comments, also within a value, but what follows a value on its line belongs to it. A
//! deeper indented line continues the value above it. `%` has no meaning. `[DEFAULT]` contains what
//! other sections omit. A key or section given twice is refused.

use std::collections::{BTreeMap, BTreeSet};

/// The section that Odoo reads.
const SECTION: &str = "options";
/// The section whose options apply to every other.
const DEFAULTS: &str = "DEFAULT";

/// A value and its line.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: String,
    line: usize,
}

impl Entry {
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::at(self.line, message)
    }
}

/// What is wrong, and the line if it is one.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

impl Fault {
    fn at(line: usize, message: impl Into<String>) -> Self {
        Self { line: Some(line), message: message.into() }
    }
}

/// The options of `[options]`, by key in lower case.
#[derive(Debug, Default)]
pub(super) struct Options(BTreeMap<String, Entry>);

impl Options {
    /// Returns the option, unless one of Odoo's words unsets it.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        let unset = |value: &str| matches!(value, "" | "False" | "false" | "None");
        self.0.get(key).filter(|entry| !unset(&entry.value))
    }
}

/// Reads `[options]`.
pub(super) fn options(bytes: &[u8]) -> Result<Options, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        Fault::at(line, "not UTF-8 text")
    })?;
    // Editors on Windows put an invisible mark there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::default();
    for (number, line) in (1..).zip(text.lines()) {
        parser.line(number, line)?;
    }
    parser.finish()
}

#[derive(Default)]
struct Parser {
    /// The section of the current line.
    section: Option<String>,
    sections_seen: BTreeSet<String>,
    entries: BTreeMap<(String, String), Entry>,
    /// The option whose value the next line may continue.
    open: Option<(String, String)>,
    /// Columns of indentation of the last key or section header.
    indent: usize,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Fault> {
        let content = line.trim();
        if content.starts_with(['#', ';']) {
            return Ok(());
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let continues = content.is_empty() || indent > self.indent;
        if let Some(entry) = self.open.as_ref().filter(|_| continues).and_then(|open| self.entries.get_mut(open)) {
            entry.value.push('\n');
            entry.value.push_str(content);
            return Ok(());
        }
        if content.is_empty() {
            return Ok(());
        }
        self.indent = indent;
        match header(content) {
            Some(name) => self.start_section(number, name),
            None => self.start_option(number, content),
        }
    }

    fn start_section(&mut self, number: usize, name: &str) -> Result<(), Fault> {
        if name != DEFAULTS && !self.sections_seen.insert(name.into()) {
            return Err(Fault::at(number, format!("the section [{name}] appears a second time")));
        }
        self.section = Some(name.into());
        self.open = None;
        Ok(())
    }

    fn start_option(&mut self, number: usize, content: &str) -> Result<(), Fault> {
        let Some(section) = &self.section else {
            return Err(Fault::at(number, format!("expected the section header [{SECTION}] before any option")));
        };
        // The line is not quoted: it may be half of a password.
        let (key, value) = match content.split_once(['=', ':']) {
            Some((key, value)) if !key.trim().is_empty() => (key.trim().to_lowercase(), value.trim()),
            _ => return Err(Fault::at(number, "expected `key = value`")),
        };
        let place = (section.clone(), key);
        if let Some(earlier) = self.entries.get(&place) {
            let message = format!("`{}` appears a second time, first on line {}", place.1, earlier.line);
            return Err(Fault::at(number, message));
        }
        self.entries.insert(place.clone(), Entry { value: value.into(), line: number });
        self.open = Some(place);
        Ok(())
    }

    fn finish(self) -> Result<Options, Fault> {
        if !self.sections_seen.contains(SECTION) {
            let message = format!("there is no section [{SECTION}]");
            return Err(Fault { line: None, message });
        }
        let (defaults, own): (Vec<_>, Vec<_>) = self
            .entries
            .into_iter()
            .filter(|((section, _), _)| section == SECTION || section == DEFAULTS)
            .partition(|((section, _), _)| section == DEFAULTS);
        // Collected in this order, a section's own option replaces the default of the same name.
        let options = defaults.into_iter().chain(own).map(|((_, key), mut entry)| {
            entry.value.truncate(entry.value.trim_end().len());
            (key, entry)
        });
        Ok(Options(options.collect()))
    }
}

/// Returns the name in `[name]`; ignores what follows the bracket, as Python does.
fn header(content: &str) -> Option<&str> {
    let end = content.rfind(']')?;
    content.get(1..end).filter(|name| content.starts_with('[') && !name.is_empty())
}
