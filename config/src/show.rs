//! What a configuration says, key by key, and where each value comes from. No secret is part of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::de::{DeTable, DeValue};
use url::Url;
use utoipa::ToSchema;

use super::keys::{self, Key, SectionKeys};
use super::surroundings::Variables;
use super::value::substituted;

/// A section of the configuration, with every key that it can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownSection {
    /// Its header: `instance.production`.
    pub section: String,
    /// The line of its header. Null if the file does not have it.
    #[schema(required = true)]
    pub line: Option<usize>,
    /// Its keys, in the order of the reference.
    pub values: Vec<ShownValue>,
}

/// A key with the value that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownValue {
    /// The key.
    pub key: String,
    /// The value. Null if it is a secret, if there is none, or if `default` describes it.
    #[schema(required = true)]
    pub value: Option<String>,
    /// Whether it is a secret.
    pub secret: bool,
    /// Where the value comes from.
    pub from: Origin,
    /// The file that it comes from: the configuration, or odoo.conf. Null for a default.
    #[schema(required = true, value_type = Option<String>)]
    pub file: Option<PathBuf>,
    /// The line of the configuration. Null if the configuration does not have the key.
    #[schema(required = true)]
    pub line: Option<usize>,
    /// The environment variables that it is taken from.
    pub variables: Vec<String>,
    /// What holds if nothing is set, in words.
    pub default: String,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration file.
    File,
    /// The environment, directly or by `${NAME}` in the configuration file.
    Environment,
    /// odoo.conf.
    OdooConf,
    /// Nothing sets it.
    Default,
}

/// What is noted while a configuration is read.
#[derive(Default)]
pub(super) struct Ledger {
    sections: RefCell<Vec<Opened>>,
    /// What became of the keys, by the place of the key in the text.
    read: RefCell<BTreeMap<usize, Reading>>,
    /// Values that other sources supply, by header and key.
    supplied: RefCell<BTreeMap<(String, &'static str), Supplied>>,
}

/// A section that was read.
struct Opened {
    header: String,
    line: Option<usize>,
    known: &'static SectionKeys,
    written: BTreeMap<&'static str, Written>,
}

/// A value as it stands in the file, with its variables replaced.
struct Written {
    /// The place of the key in the text.
    offset: usize,
    line: usize,
    text: String,
    is_table: bool,
    variables: BTreeSet<String>,
}

/// What is known of a value that was read.
struct Reading {
    secret: bool,
    /// The value, where it differs from what the file says.
    shown: Option<String>,
}

/// A value that something else than the configuration file supplies.
pub(super) struct Supplied {
    pub(super) value: Option<String>,
    pub(super) secret: bool,
    pub(super) from: Origin,
    pub(super) file: Option<PathBuf>,
    pub(super) variable: Option<&'static str>,
}

impl Supplied {
    /// Returns a value that nothing sets, but that is known.
    pub(super) fn default(value: String) -> Self {
        Self { value: Some(value), secret: false, from: Origin::Default, file: None, variable: None }
    }

    /// Returns a value of odoo.conf.
    pub(super) fn odoo_conf(file: &Path, value: String) -> Self {
        Self { from: Origin::OdooConf, file: Some(file.into()), ..Self::default(value) }
    }

    /// Returns a value of an environment variable.
    pub(super) fn variable(variable: &'static str, value: String) -> Self {
        Self { from: Origin::Environment, variable: Some(variable), ..Self::default(value) }
    }

    /// Returns the same without its value.
    pub(super) fn secret(self) -> Self {
        Self { value: None, secret: true, ..self }
    }
}

impl Ledger {
    /// Notes a section and what is written in it. `line` returns the line of a place in the text.
    pub(super) fn open(
        &self,
        header: &str,
        place: Option<usize>,
        table: &DeTable<'_>,
        known: &'static SectionKeys,
        variables: &Variables,
        line: impl Fn(usize) -> usize,
    ) {
        let mut written = BTreeMap::new();
        for key in known.keys() {
            let Some((name, value)) = table.get_key_value(key.name) else { continue };
            let offset = name.span().start;
            let mut used = BTreeSet::new();
            let text = in_words(value.get_ref(), variables, &mut used);
            let is_table = value.get_ref().is_table();
            written.insert(key.name, Written { offset, line: line(offset), text, is_table, variables: used });
        }
        let mut sections = self.sections.borrow_mut();
        let is_again = |opened: &Opened| {
            let first = |written: &BTreeMap<_, Written>| written.values().map(|written| written.offset).min();
            opened.header == header && opened.line == place && first(&opened.written) == first(&written)
        };
        if !sections.iter().any(is_again) {
            sections.push(Opened { header: header.to_owned(), line: place, known, written });
        }
    }

    /// Notes that a value was read: what is never noted is never shown.
    pub(super) fn read(&self, offset: usize, secret: bool, shown: Option<String>) {
        self.read.borrow_mut().insert(offset, Reading { secret, shown });
    }

    /// Notes the value of a key that the section does not have.
    pub(super) fn supply(&self, header: &str, key: &'static str, supplied: Supplied) {
        self.supplied.borrow_mut().insert((header.to_owned(), key), supplied);
    }

    /// Returns every section of the file, by line, and those that hold without one.
    pub(super) fn show(&self, file: &Path) -> Vec<ShownSection> {
        let sections = self.sections.borrow();
        let mut shown = Vec::new();
        let has = |header: &str| sections.iter().any(|opened| opened.header == header);
        let mut opened: Vec<&Opened> = sections.iter().collect();
        opened.sort_by_key(|opened| opened.line);
        for section in opened {
            shown.push(self.section(file, &section.header, section.known, Some(section)));
            let retention = format!("{}.retention", section.header);
            if section.known.header == keys::INSTANCE.header && !has(&retention) {
                shown.push(self.section(file, &retention, &keys::RETENTION, None));
            }
        }
        if !has(keys::DAEMON.header) {
            shown.push(self.section(file, keys::DAEMON.header, &keys::DAEMON, None));
        }
        shown
    }

    fn section(&self, file: &Path, header: &str, known: &SectionKeys, opened: Option<&Opened>) -> ShownSection {
        let value = |key: &Key| match opened.and_then(|opened| opened.written.get(key.name)) {
            Some(written) => self.written(file, key, written),
            None => self.unwritten(header, key),
        };
        let values = known.keys().map(value).collect();
        ShownSection { section: header.to_owned(), line: opened.and_then(|opened| opened.line), values }
    }

    fn written(&self, file: &Path, key: &Key, written: &Written) -> ShownValue {
        let read = self.read.borrow();
        // A value that was not read may be a secret.
        let (secret, shown) = match read.get(&written.offset) {
            Some(Reading { secret: false, shown }) => (false, Some(shown.as_ref().unwrap_or(&written.text).as_str())),
            // It is a section of its own.
            None if written.is_table => (false, Some("see its section")),
            _ => (true, None),
        };
        ShownValue {
            key: key.name.to_owned(),
            value: shown.map(without_password),
            secret,
            from: if written.variables.is_empty() { Origin::File } else { Origin::Environment },
            file: Some(file.into()),
            line: Some(written.line),
            variables: written.variables.iter().cloned().collect(),
            default: words(key.default),
        }
    }

    fn unwritten(&self, header: &str, key: &Key) -> ShownValue {
        let supplied = self.supplied.borrow();
        let default = ShownValue {
            key: key.name.to_owned(),
            value: literal(key.default),
            secret: false,
            from: Origin::Default,
            file: None,
            line: None,
            variables: Vec::new(),
            default: words(key.default),
        };
        let found = supplied.iter().find(|((of, name), _)| of == header && *name == key.name);
        match found {
            None => default,
            Some((_, supplied)) => ShownValue {
                value: supplied.value.as_deref().map(without_password),
                secret: supplied.secret,
                from: supplied.from,
                file: supplied.file.clone(),
                variables: supplied.variable.map(str::to_owned).into_iter().collect(),
                ..default
            },
        }
    }
}

/// Returns a value of the file on one line, and adds the variables that it takes.
fn in_words(value: &DeValue<'_>, variables: &Variables, used: &mut BTreeSet<String>) -> String {
    match value {
        DeValue::String(text) => {
            let (text, names) = substituted(text, variables);
            used.extend(names);
            text
        }
        DeValue::Integer(integer) => integer.as_str().to_owned(),
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| in_words(item.get_ref(), variables, used)).collect();
            items.join(", ")
        }
        DeValue::Table(table) => {
            let items = table
                .iter()
                .map(|(key, value)| format!("{} = {}", key.get_ref(), in_words(value.get_ref(), variables, used)));
            items.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Masks the password of a URL.
fn without_password(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return text.to_owned() };
    match url.password().is_some() && url.set_password(Some("********")).is_ok() {
        true => url.into(),
        false => text.to_owned(),
    }
}

/// Returns the default of the reference without its markup.
fn words(default: &str) -> String {
    let plain = default.replace('`', "");
    // The reference links to its own sections.
    match (plain.find("]("), plain.find(')')) {
        (Some(link), Some(end)) if link < end => format!("{}{}", &plain[..link], &plain[end + 1..]).replace('[', ""),
        _ => plain,
    }
}

/// Returns the default of the reference if it is a value, not a description.
fn literal(default: &str) -> Option<String> {
    let quoted = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    let value = quoted.filter(|value| !value.contains('`')).map(|value| value.trim_matches('"').to_owned());
    value.or_else(|| default.bytes().all(|byte| byte.is_ascii_digit()).then(|| default.to_owned()))
}
