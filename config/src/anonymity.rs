//! What a target says of replacing the people in its copy.

use engine::odoo::{Anonymize, Fake};
use toml::de::DeValue;

use super::keys;
use super::secrets::{self, SecretKeys};
use super::section::{Reported, Section};
use super::value::{Raw, Refusal, Value, one_of};

/// Reads `anonymize`; `None` where the section does not want it.
pub(super) fn read(section: &Section<'_>) -> Result<Option<Anonymize>, Reported> {
    if !section.is_section("anonymize") {
        return Ok(section.optional::<bool>("anonymize")?.unwrap_or(false).then(Anonymize::default));
    }
    let Some(section) = section.section("anonymize", &keys::ANONYMIZE)? else { return Ok(None) };
    let columns = section.optional::<Columns>("columns");
    let keep = section.optional::<Vec<Kept>>("keep");
    let attachments = section.optional::<Vec<String>>("attachments");
    let seed = secrets::read(&section, SecretKeys { value: "seed", file: "seed_file" });
    let columns = columns?.unwrap_or_default().0;
    let (mut keep_columns, mut keep_attachments) = (Vec::new(), Vec::new());
    for kept in keep?.unwrap_or_default() {
        match kept {
            Kept::Column(name) => keep_columns.push(name),
            Kept::Attachments(model) => keep_attachments.push(model),
        }
    }
    if let Some((name, _)) = columns.iter().find(|(name, _)| keep_columns.contains(name)) {
        return Err(section.refuse("keep", format!("{name} is also in `columns`; remove one of the two")));
    }
    let attachments = attachments?.unwrap_or_default();
    Ok(Some(Anonymize { columns, keep: keep_columns, attachments, keep_attachments, seed: seed? }))
}

struct ColumnName(String);

impl ColumnName {
    fn new(text: &str) -> Result<Self, Refusal> {
        match text.split_once('.') {
            // One more dot: a schema of its own.
            Some((table, column))
                if !table.is_empty()
                    && column.split('.').all(|part| !part.is_empty())
                    && column.matches('.').count() <= 1 =>
            {
                Ok(Self(text.into()))
            }
            _ => Err(format!("expected `table.column`, with the names in PostgreSQL, found {text:?}").into()),
        }
    }
}

/// `table.column`, or `attachments:model`.
enum Kept {
    Column(String),
    Attachments(String),
}

impl Value for Kept {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        match text.strip_prefix("attachments:") {
            Some(model) if !model.is_empty() => Ok(Self::Attachments(model.into())),
            _ => ColumnName::new(&text).map(|name| Self::Column(name.0)),
        }
    }
}

/// `{ "table.column" = "kind" }`. Without the quotes TOML makes a table of each table, which says
/// the same.
#[derive(Default)]
struct Columns(Vec<(String, Fake)>);

impl Value for Columns {
    const EXPECTED: &'static str = "a table of columns and kinds: { \"table.column\" = \"kind\" }";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let DeValue::Table(table) = raw.value else { return Err(raw.refused::<Self>()) };
        let mut columns = Vec::new();
        for (name, value) in table.iter() {
            let name = name.get_ref();
            match value.get_ref() {
                DeValue::Table(table) => {
                    for (column, value) in table.iter() {
                        let column = format!("{name}.{}", column.get_ref());
                        columns.push(Self::one(&column, Raw { value: value.get_ref(), ..raw })?);
                    }
                }
                value => columns.push(Self::one(name, Raw { value, ..raw })?),
            }
        }
        Ok(Self(columns))
    }
}

impl Columns {
    fn one(name: &str, raw: Raw<'_>) -> Result<(String, Fake), Refusal> {
        let name = ColumnName::new(name)?.0;
        let kind = String::read(raw).and_then(|word| one_of(&word, &Fake::ALL, Fake::as_str));
        let kind = kind.map_err(|refusal| Refusal { message: format!("{name}: {}", refusal.message), ..refusal })?;
        Ok((name, kind))
    }
}
