//! What a target says about neutralizing its copy.

use std::path::PathBuf;

use engine::odoo::conf::OdooConf;
use engine::odoo::{Neutralize, Script};

use super::keys;
use super::secrets::{self, SecretKeys};
use super::section::{Reported, Section};
use super::value::{Raw, Refusal, Value};

impl Value for Script {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        if text.ends_with(".sql") { PathBuf::read(raw).map(Self::File) } else { Ok(Self::Text(text)) }
    }

    /// A statement may contain a secret.
    fn shown(&self) -> Option<String> {
        Some(match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "(a statement)".to_owned(),
        })
    }
}

/// Reads the keys of [`keys::NEUTRAL`]; `None` where the section wants no neutralization.
pub(super) fn read(section: &Section<'_>) -> Result<Option<Neutralize>, Reported> {
    let wanted = section.optional::<bool>("neutralize");
    let odoo_bin = section.trusted("odoo_bin");
    let addons_path = section.optional::<Vec<PathBuf>>("addons_path");
    let base_url = section.optional::<BaseUrl>("base_url");
    let admin_password = secrets::read(section, SecretKeys { value: "admin_password", file: "admin_password_file" });
    let sql = read_scripts(section);
    let keep_credentials = section.optional::<Vec<Credential>>("keep_credentials");
    if !wanted?.unwrap_or(true) {
        // An operator who sets one of these keys expects neutralization; to ignore it would leave a
        // live copy.
        let meaningless = keys::NEUTRAL.iter().filter(|key| key.name != "neutralize" && section.has(key.name));
        let refused: Vec<_> = meaningless
            .map(|key| section.refuse(key.name, "it configures the neutralization, and `neutralize` is false"))
            .collect();
        return refused.first().map_or(Ok(None), |reported| Err(*reported));
    }
    Ok(Some(Neutralize {
        required: keys::NEUTRAL.iter().any(|key| section.has(key.name)),
        odoo_bin: odoo_bin?,
        addons_path: addons_path?.unwrap_or_default(),
        base_url: base_url?.map(|url| url.0),
        admin_password: admin_password?,
        sql: sql?.unwrap_or_default(),
        keep_credentials: keep_credentials?.unwrap_or_default().into_iter().map(|credential| credential.0).collect(),
    }))
}

fn read_scripts(section: &Section<'_>) -> Result<Option<Vec<Script>>, Reported> {
    let scripts = section.optional::<Vec<Script>>("sql")?;
    let files = scripts.iter().flatten().filter_map(|script| match script {
        Script::File(path) => Some(path),
        Script::Text(_) => None,
    });
    let mut reasons = files.filter_map(|path| section.source.distrust(path));
    match reasons.next() {
        Some(reason) => Err(section.refuse("sql", reason)),
        None => Ok(scripts),
    }
}

/// Fills in what odoo.conf says.
pub(super) fn with_odoo(mut settings: Neutralize, odoo: OdooConf) -> Neutralize {
    if settings.addons_path.is_empty() {
        // A relative one depends on where Odoo was started.
        settings.addons_path = odoo.addons_path.into_iter().filter(|path| path.is_absolute()).collect();
    }
    settings
}

struct BaseUrl(String);

impl Value for BaseUrl {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        let url = url::Url::parse(&text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
        match url {
            Some(_) => Ok(Self(text.trim_end_matches('/').into())),
            None => Err("expected an address that begins with http:// or https://".into()),
        }
    }
}

struct Credential(String);

impl Value for Credential {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        let column = text.split_once('.').is_some_and(|(table, column)| !table.is_empty() && !column.is_empty());
        if text.strip_prefix("parameter:").is_some_and(|key| !key.is_empty()) || column {
            return Ok(Self(text));
        }
        Err(format!("expected `table.column` or `parameter:key`, found {text:?}").into())
    }
}
