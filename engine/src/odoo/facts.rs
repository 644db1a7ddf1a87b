//! The facts that an Odoo database contains about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::readable::{Readable, text_of};
use crate::postgres::{PostgresError, Session};

/// What a backup records of Odoo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OdooFacts {
    /// `17.0`, from the version of the module `base` (`17.0.1.3`), else from those of most others;
    /// empty where unknown.
    pub series: String,
    /// `database.uuid` of `ir_config_parameter`: identifies the database for Odoo's own services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_uuid: Option<String>,
    /// Installed modules and their versions.
    pub modules: BTreeMap<String, String>,
    /// Modules to be installed, upgraded or removed at Odoo's next start.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pending: BTreeMap<String, PendingModule>,
    /// Active users other than portal users; `None` where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_users: Option<u64>,
    /// Unusual properties of the database, in words: the operator should know them, and they do not
    /// prevent a backup.
    #[serde(skip)]
    pub oddities: Vec<String>,
}

/// A module with a pending change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingModule {
    /// `to upgrade`, `to install` or `to remove`.
    pub state: String,
    /// Its version; empty where it is not installed yet.
    pub version: String,
}

impl OdooFacts {
    /// Returns names and versions of the installed modules, including those to be upgraded or
    /// removed.
    pub fn installed(&self) -> BTreeMap<&str, &str> {
        let pending = self.pending.iter().filter(|(_, module)| module.state != TO_INSTALL);
        let pending = pending.map(|(name, module)| (name.as_str(), module.version.as_str()));
        self.modules.iter().map(|(name, version)| (name.as_str(), version.as_str())).chain(pending).collect()
    }
}

const TO_INSTALL: &str = "to install";
const PENDING: [&str; 3] = ["to upgrade", TO_INSTALL, "to remove"];

/// Reads them, in the session's current transaction; `None` if the database is not Odoo's, or its
/// tables may not be read: [`Schema::reason_not_odoo`](super::Schema::reason_not_odoo) says why.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn odoo_facts(session: &Session) -> Result<Option<OdooFacts>, PostgresError> {
    refuse_views(session).await?;
    let (Some(table), Some(_)) =
        (Readable::find(session, "ir_module_module").await?, Readable::find(session, "ir_attachment").await?)
    else {
        return Ok(None);
    };
    let mut facts = OdooFacts {
        series: String::new(),
        database_uuid: None,
        modules: BTreeMap::new(),
        pending: BTreeMap::new(),
        internal_users: internal_users(session).await?,
        oddities: Vec::new(),
    };
    let columns = ["name", "state", "latest_version"].map(|column| table.bytes(column));
    let query = format!("SELECT {} FROM {}", columns.join(", "), table.sql);
    let rows = session.query(&query, &[]).await.map_err(session.failed("read Odoo's tables"))?;
    for row in &rows {
        let text = |column| text_of(row, column).unwrap_or_default();
        let (name, state, version) = (text(0), text(1), text(2));
        if state == "installed" {
            facts.modules.insert(name, version);
        } else if PENDING.contains(&state.as_str()) {
            facts.pending.insert(name, PendingModule { state, version });
        }
    }
    facts.series = series_of_modules(&facts);
    identity(session, &mut facts).await?;
    note_oddities(&mut facts);
    Ok(Some(facts))
}

/// Returns whether this is the name of an Odoo series: `17.0`, `saas~17.4`.
pub(crate) fn is_series(text: &str) -> bool {
    let text = text.strip_prefix("saas~").or_else(|| text.strip_prefix("saas-")).unwrap_or(text);
    let is_number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

/// Returns the series of a version: `17.0.1.3` → `17.0`.
fn series_of(version: &str) -> Option<String> {
    let series = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    is_series(&series).then_some(series)
}

fn series_of_modules(facts: &OdooFacts) -> String {
    let installed = facts.installed();
    if let Some(series) = installed.get("base").and_then(|version| series_of(version)) {
        return series;
    }
    let mut votes: BTreeMap<String, usize> = BTreeMap::new();
    installed
        .values()
        .filter_map(|version| series_of(version))
        .for_each(|series| *votes.entry(series).or_default() += 1);
    votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(series, _)| series).unwrap_or_default()
}

async fn identity(session: &Session, facts: &mut OdooFacts) -> Result<(), PostgresError> {
    let Some(table) = Readable::find(session, "ir_config_parameter").await? else { return Ok(()) };
    if !table.has("key") || !table.has("value") {
        return Ok(());
    }
    let (key, value) = (table.text("key"), table.bytes("value"));
    // The first by its bytes, so that a copy gives the same.
    let query = format!("SELECT {value} FROM {} WHERE {key} = 'database.uuid' ORDER BY 1", table.sql);
    let rows = session.query(&query, &[]).await.map_err(session.failed("read Odoo's tables"))?;
    facts.database_uuid = rows.first().and_then(|row| text_of(row, 0));
    if rows.len() > 1 {
        facts.oddities.push(format!("database.uuid appears {} times in ir_config_parameter", rows.len()));
    }
    Ok(())
}

async fn internal_users(session: &Session) -> Result<Option<u64>, PostgresError> {
    let Some(table) = Readable::find(session, "res_users").await? else { return Ok(None) };
    let (active, share) = (table.boolean("active", "true"), table.boolean("share", "false"));
    let query = format!("SELECT count(*) FROM {} WHERE {active} AND {share} IS NOT TRUE", table.sql);
    let row = session.query_one(&query, &[]).await.map_err(session.failed("look for internal users"))?;
    Ok(Some(row.get::<_, i64>(0).unsigned_abs()))
}

fn note_oddities(facts: &mut OdooFacts) {
    if facts.internal_users == Some(0) {
        facts.oddities.push("there is no active internal user: no user can sign in".to_owned());
    }
    if !facts.pending.is_empty() {
        const SHOWN: usize = 5;
        let number = facts.pending.len();
        let names: Vec<_> = facts.pending.keys().take(SHOWN).map(|name| name.escape_debug().to_string()).collect();
        let more = if number > SHOWN { ", …" } else { "" };
        let modules = if number == 1 { "1 module is" } else { &format!("{number} modules are") };
        facts.oddities.push(format!("{modules} to be installed, upgraded or removed: {}{more}", names.join(", ")));
    }
    let base = facts.installed().get("base").and_then(|version| series_of(version));
    match (base, facts.series.is_empty()) {
        (Some(_), _) => {}
        (None, false) => facts
            .oddities
            .push(format!("the module base has no version: the series {} is that of most other modules", facts.series)),
        (None, true) => facts.oddities.push("the Odoo series is unknown: no module has a version".to_owned()),
    }
}

/// Stops the session from reading views and foreign tables other than the server's own, where the
/// server supports that: an ordinary table might have been replaced after the check.
pub(super) async fn refuse_views(session: &Session) -> Result<(), PostgresError> {
    let set = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'";
    session.batch_execute(set).await.map_err(session.failed("prepare the session to read Odoo's tables"))
}

#[cfg(test)]
mod tests {
    use super::is_series;

    #[test]
    fn only_series_names_are_series() {
        for series in ["17.0", "8.0", "saas~17.4", "saas-16.3"] {
            assert!(is_series(series), "{series}");
        }
        for other in ["", "17", "garbage", "17.0.1", "a.b", "17.", ".0", "12345.0", "saas~"] {
            assert!(!is_series(other), "{other}");
        }
    }
}
