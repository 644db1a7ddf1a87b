//! `odoo-backup config`

use std::path::PathBuf;

use config::{Config, Origin, ShownSection, ShownValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::Chosen;
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::table;

/// What `config show` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConfigShow)]
pub(super) struct ConfigDocument {
    /// The configuration file.
    #[schema(value_type = String)]
    file: PathBuf,
    /// The sections of the file, and those that hold without one.
    sections: Vec<ShownSection>,
    /// What should be fixed, in sentences.
    warnings: Vec<String>,
}

/// Shows which values are in force, and where each comes from.
pub(super) fn show(chosen: Chosen<'_>, output: Output) -> Result<Exit, Failure> {
    let (config, sections) = Config::locate(chosen.config)?.show()?;
    config.warnings.iter().for_each(|warning| output.warning(warning));
    let document = ConfigDocument { file: config.path, sections, warnings: config.warnings };
    Ok(output.result(&document, || text(&document), Exit::Success))
}

fn text(document: &ConfigDocument) -> String {
    let mut text = format!("{}\n", document.file.display());
    for section in &document.sections {
        let place = if section.line.is_some() { "" } else { " (not in the file)" };
        text.push_str(&format!("\n[{}]{place}\n", section.section));
        let rows = section.values.iter().map(|value| vec![value.key.clone(), value_text(value), from(value)]);
        text.push_str(&table(&["KEY", "VALUE", "FROM"], &[], rows));
    }
    text
}

fn value_text(value: &ShownValue) -> String {
    match &value.value {
        _ if value.secret => "********".to_owned(),
        Some(text) => text.clone(),
        None if value.default == "–" => "-".to_owned(),
        None => value.default.clone(),
    }
}

fn from(value: &ShownValue) -> String {
    let variables = || value.variables.iter().map(|name| format!("${name}")).collect::<Vec<_>>().join(", ");
    match (value.from, value.line, &value.file) {
        (Origin::Default, ..) => "default".to_owned(),
        (Origin::File, Some(line), _) => format!("line {line}"),
        (Origin::File, None, _) => "a file of its own".to_owned(),
        (Origin::Environment, Some(line), _) => format!("line {line}, {}", variables()),
        (Origin::Environment, None, _) => variables(),
        (Origin::OdooConf, _, Some(file)) => file.display().to_string(),
        (Origin::OdooConf, _, None) => "odoo.conf".to_owned(),
    }
}
