//! A section of the TOML file that is being read. Every problem is noted with its line, and reading
//! continues.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use toml::de::{DeArray, DeTable, DeValue};

use super::error::ConfigProblem;
use super::exposure::{Readers, exposed};
use super::keys::{self, SectionKeys};
use super::show::{Ledger, Supplied};
use super::surroundings::Surroundings;
use super::trust::distrust;
use super::value::{Raw, Refusal, Value, is_only_a_variable};

/// Says that a problem has been noted: `?` on it drops what cannot be built, without reporting it
/// twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported;

/// The file that is read, and its problems so far.
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    /// The file's folder, absolute.
    pub(super) folder: PathBuf,
    pub(super) surroundings: &'a Surroundings,
    /// Whether the file was found by searching.
    searched: bool,
    /// What `config show` prints.
    pub(super) ledger: Ledger,
    problems: RefCell<Vec<ConfigProblem>>,
    warnings: RefCell<Vec<String>>,
    exposed: RefCell<Vec<PathBuf>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str, searched: bool, surroundings: &'a Surroundings) -> Self {
        let file_path = surroundings.folder.join(file);
        Self {
            file,
            text,
            folder: file_path.parent().map_or_else(|| surroundings.folder.clone(), Path::to_path_buf),
            surroundings,
            searched,
            ledger: Ledger::default(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
            exposed: RefCell::default(),
        }
    }

    /// Returns whether the file is the system's own, in which an administrator names odoo.conf,
    /// which is often that of Odoo's user.
    pub(super) fn is_system(&self) -> bool {
        self.folder == self.surroundings.root.join("etc/odoo-backup")
    }

    /// Returns why `path` is not trusted: the configuration was found by searching, and other users
    /// can change the file.
    pub(super) fn distrust(&self, path: &Path) -> Option<String> {
        let reason = if self.searched { distrust(path) } else { None }?;
        let (file, config) = (path.display(), self.file.display());
        Some(format!(
            "{file} is not used, because {config} was found by searching, and {reason}; if you trust it, name the configuration by `--config {config}`"
        ))
    }

    /// Returns the line of a byte of the text, from 1.
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    /// Notes what the TOML parser refuses. Its own message would quote the line, which may contain
    /// a secret.
    pub(super) fn syntax_error(&self, error: &toml::de::Error) {
        let span = error.span();
        let mut message = error.message().to_owned();
        if let Some(key) = span.clone().filter(|_| message == "duplicate key").and_then(|span| self.text.get(span)) {
            message = format!("duplicate key `{key}`");
        }
        let line = span.map(|span| self.line(span.start));
        if let Some(key) = line.and_then(|line| unquoted(self.text.lines().nth(line - 1)?)) {
            message = format!("the value of `{key}` is text; put it in quotes: {key} = \"…\"");
        }
        // One mistake causes several errors of the parser; only the first of a line is useful.
        let said = self.problems.borrow().iter().any(|problem| problem.line == line);
        if !said {
            self.report(line, None, None, message.into());
        }
    }

    /// Notes a warning, once, where others than `readers` may read `path`, which holds `what`.
    pub(super) fn warn_if_exposed(&self, path: &Path, what: &str, readers: Readers) {
        let Some(warning) = exposed(path, what, readers) else { return };
        let mut exposed = self.exposed.borrow_mut();
        // odoo.conf is Odoo's own.
        if readers.is_owner() && !exposed.iter().any(|known| known == path) {
            exposed.push(path.into());
        }
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// Returns the files with secrets, other than odoo.conf, that other users can read.
    pub(super) fn exposed(&self) -> Vec<PathBuf> {
        self.exposed.borrow().clone()
    }

    /// Returns what was noted: problems by line, and warnings.
    pub(super) fn finish(self) -> (Vec<ConfigProblem>, Vec<String>) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        (problems, self.warnings.into_inner())
    }

    fn report(&self, line: Option<usize>, section: Option<&str>, key: Option<&str>, refusal: Refusal) -> Reported {
        self.problems.borrow_mut().push(ConfigProblem {
            file: self.file.into(),
            line,
            section: section.map(Into::into),
            key: key.map(Into::into),
            message: refusal.message,
            suggestion: refusal.suggestion,
        });
        Reported
    }
}

/// One section, its keys known.
pub(super) struct Section<'a> {
    pub(super) source: &'a Source<'a>,
    /// As its header says: `instance.production`. `None`: the file itself.
    name: Option<String>,
    line: Option<usize>,
    table: &'a DeTable<'a>,
    known: &'static SectionKeys,
    /// Known keys that an unknown one resembles: they are not reported as missing as well.
    misspelt: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Returns the file itself.
    pub(super) fn file(source: &'a Source<'a>, table: &'a DeTable<'a>) -> Self {
        Self::open(source, None, None, table, &keys::FILE)
    }

    /// Notes every unknown key.
    fn open(
        source: &'a Source<'a>,
        name: Option<String>,
        line: Option<usize>,
        table: &'a DeTable<'a>,
        known: &'static SectionKeys,
    ) -> Self {
        if let Some(header) = &name {
            let variables = &source.surroundings.variable;
            source.ledger.open(header, line, table, known, variables, |offset| source.line(offset));
        }
        let mut section = Self { source, name, line, table, known, misspelt: Vec::new() };
        let is_named = |value: &DeValue<'_>| known.named && value.is_table();
        let unknown = table.iter().filter(|(key, value)| !known.knows(key.get_ref()) && !is_named(value.get_ref()));
        for (key, value) in unknown {
            let nearest = section.known.nearest(key.get_ref());
            section.misspelt.extend(nearest);
            let refusal = section.unknown(key.get_ref(), value.get_ref(), nearest);
            source.report(Some(source.line(key.span().start)), section.name.as_deref(), Some(key.get_ref()), refusal);
        }
        section
    }

    fn unknown(&self, key: &str, value: &DeValue<'_>, nearest: Option<&str>) -> Refusal {
        let of_tables = |array: &DeArray<'_>| !array.is_empty() && array.iter().all(|item| item.get_ref().is_table());
        if value.is_table() || value.as_array().is_some_and(of_tables) {
            return Refusal {
                message: format!("unknown section [{}]", self.header_of(key)),
                suggestion: nearest.map(|nearest| format!("[{}]", self.header_of(nearest))),
            };
        }
        let key = as_key(key);
        if self.name.is_none() {
            let owner = [keys::REPOSITORY, keys::INSTANCE, keys::TARGET, keys::DAEMON]
                .into_iter()
                .find(|section| section.knows(&key));
            let owner = owner.map(|section| format!("; it belongs under [{}]", section.header)).unwrap_or_default();
            return format!("unknown key `{key}` outside of any section{owner}").into();
        }
        let mut message = format!("unknown key `{key}`");
        if nearest.is_none() {
            let known: Vec<_> = self.known.keys().map(|key| key.name).collect();
            message.push_str(&format!("; the keys of this section are {}", known.join(", ")));
        }
        Refusal { message, suggestion: nearest.map(Into::into) }
    }

    /// Returns the header of a section inside this one.
    fn header_of(&self, key: &str) -> String {
        let key = as_key(key);
        self.name.as_ref().map_or_else(|| key.clone(), |name| format!("{name}.{key}"))
    }

    /// Returns whether the key is set, with a valid value or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Returns whether the key is a section of its own.
    pub(super) fn is_section(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_table())
    }

    /// Returns the value of a key; `None` where it is not given.
    pub(super) fn optional<T: Value>(&self, key: &str) -> Result<Option<T>, Reported> {
        debug_assert!(self.known.knows(key), "{key} is not among the keys of [{}]", self.known.header);
        let Some((name, value)) = self.table.get_key_value(key) else { return Ok(None) };
        let raw = Raw { value: value.get_ref(), surroundings: self.source.surroundings, folder: &self.source.folder };
        let read = T::read(raw).map_err(|refusal| self.refuse(key, refusal))?;
        let shown = if T::SECRET { None } else { read.shown() };
        self.source.ledger.read(name.span().start, T::SECRET, shown);
        Ok(Some(read))
    }

    /// Notes where the value of a key comes from that the section does not have.
    pub(super) fn supply(&self, key: &'static str, supplied: Supplied) {
        self.source.ledger.supply(self.name.as_deref().unwrap_or_default(), key, supplied);
    }

    /// Returns the path of a key that names a program, a secret, SQL or another configuration, if
    /// it is trusted.
    pub(super) fn trusted(&self, key: &str) -> Result<Option<PathBuf>, Reported> {
        let Some(path) = self.optional::<PathBuf>(key)? else { return Ok(None) };
        match self.source.distrust(&path) {
            Some(reason) => Err(self.refuse(key, reason)),
            None => Ok(Some(path)),
        }
    }

    /// Returns the value of a key that must be given.
    pub(super) fn required<T: Value>(&self, key: &'static str) -> Result<T, Reported> {
        self.optional(key)?.ok_or_else(|| self.missing(key, format!("`{key}` is missing")))
    }

    /// Returns whether the file itself contains the value, rather than the name of an environment
    /// variable.
    pub(super) fn is_literal(&self, key: &str) -> bool {
        let written = self.table.get(key).and_then(|value| value.get_ref().as_str());
        written.is_some_and(|written| !is_only_a_variable(written))
    }

    /// Notes that a value is not valid.
    pub(super) fn refuse(&self, key: &str, refusal: impl Into<Refusal>) -> Reported {
        let Refusal { message, suggestion } = refusal.into();
        let refusal = Refusal { message: format!("`{key}`: {message}"), suggestion };
        let line = self.table.get_key_value(key).map(|(key, _)| self.source.line(key.span().start));
        self.source.report(line.or(self.line), self.name.as_deref(), Some(key), refusal)
    }

    /// Notes, on the section's line, that a key is missing.
    pub(super) fn missing(&self, key: &'static str, message: String) -> Reported {
        if self.misspelt.contains(&key) {
            return Reported;
        }
        self.source.report(self.line, self.name.as_deref(), Some(key), message.into())
    }

    /// Notes that something is missing which only some commands need.
    pub(super) fn warn(&self, message: String) {
        let (file, section) = (self.source.file.into(), self.name.clone());
        let problem = ConfigProblem { file, line: self.line, section, key: None, message, suggestion: None };
        self.source.warnings.borrow_mut().push(problem.to_string());
    }

    /// Notes what is wrong with the section as a whole.
    pub(super) fn refuse_all(&self, message: String) -> Reported {
        self.source.report(self.line, self.name.as_deref(), None, message.into())
    }

    /// Returns the section `[key]` inside this one.
    pub(super) fn section(&self, key: &str, known: &'static SectionKeys) -> Result<Option<Self>, Reported> {
        let Some((name, value)) = self.table.get_key_value(key) else { return Ok(None) };
        let header = self.header_of(key);
        let line = self.source.line(name.span().start);
        match value.get_ref() {
            DeValue::Table(table) => Ok(Some(Self::open(self.source, Some(header), Some(line), table, known))),
            _ => {
                let message = format!("expected a section [{header}]");
                Err(self.source.report(Some(line), self.name.as_deref(), Some(key), message.into()))
            }
        }
    }

    /// Returns the sections `[[key]]`, in their order.
    pub(super) fn tables(&self, key: &str, known: &'static SectionKeys) -> Result<Vec<Self>, Reported> {
        let Some((name, value)) = self.table.get_key_value(key) else { return Ok(Vec::new()) };
        let header = self.header_of(key);
        let refused = || {
            let (line, message) = (self.source.line(name.span().start), format!("expected sections [[{header}]]"));
            self.source.report(Some(line), self.name.as_deref(), Some(key), message.into())
        };
        let items = value.get_ref().as_array().ok_or_else(refused)?;
        let open = |item: &'a toml::Spanned<DeValue<'a>>| {
            let table = item.get_ref().as_table().ok_or_else(refused)?;
            let line = self.source.line(item.span().start);
            Ok(Self::open(self.source, Some(header.clone()), Some(line), table, known))
        };
        items.iter().map(open).collect()
    }

    /// Returns the sections inside this one that have names of their own.
    pub(super) fn named(&self, known: &'static SectionKeys) -> Vec<(String, Self)> {
        let tables = self.table.iter().filter(|(key, _)| !self.known.knows(key.get_ref()));
        let sections = tables.filter_map(|(key, value)| {
            let DeValue::Table(table) = value.get_ref() else { return None };
            let line = self.source.line(key.span().start);
            let section = Self::open(self.source, Some(self.header_of(key.get_ref())), Some(line), table, known);
            Some((key.get_ref().to_string(), section))
        });
        sections.collect()
    }

    /// Returns the sections `[key.NAME]`, by name.
    pub(super) fn named_sections(&self, key: &str, known: &'static SectionKeys) -> Vec<(String, Self)> {
        let Some((at, value)) = self.table.get_key_value(key) else { return Vec::new() };
        let report = |offset, key: &str, message: String| {
            self.source.report(Some(self.source.line(offset)), self.name.as_deref(), Some(key), message.into())
        };
        let DeValue::Table(table) = value.get_ref() else {
            report(at.span().start, key, format!("expected sections [{}.NAME]", self.header_of(key)));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (name, value) in table.iter() {
            let offset = name.span().start;
            let header = format!("{}.{}", self.header_of(key), as_key(name.get_ref()));
            match value.get_ref() {
                DeValue::Table(table) => {
                    let section = Self::open(self.source, Some(header), Some(self.source.line(offset)), table, known);
                    sections.push((name.get_ref().to_string(), section));
                }
                DeValue::Array(_) => drop(report(offset, name.get_ref(), format!("expected a section [{header}]"))),
                _ => {
                    let key = as_key(name.get_ref());
                    let message =
                        format!("`{key}` needs a section with a name: [{}.NAME]", self.header_of(at.get_ref()));
                    report(offset, name.get_ref(), message);
                }
            }
        }
        sections
    }
}

/// Returns a key as TOML writes it, on one line: bare where that is possible.
pub(super) fn as_key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if bare { name.into() } else { format!("{name:?}") }
}

/// Returns the key of a line whose value looks like text that is not in quotes: TOML's own message
/// speaks of booleans then. The value itself may be a secret.
fn unquoted(line: &str) -> Option<&str> {
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), value.trim_start());
    let word = value.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let is_text = value.starts_with(|c: char| c.is_alphabetic() || "/~.$<@*".contains(c));
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    (is_key && is_text && !["true", "false", "inf", "nan"].contains(&word)).then_some(key)
}
