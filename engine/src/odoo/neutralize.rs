//! Making a copy harmless: after this, nothing in the database can reach the outside, and that is asserted from the database itself.
//!
//! Everything runs in one transaction, in the database beside the target: what Odoo's modules say themselves, then the program's own
//! statements, whatever the modules said, then the operator's SQL, then the assertions.

mod assertions;
mod credentials;
mod einvoicing;
mod error;
mod identity;
mod modules;
mod odoo_bin;
mod statements;

use std::collections::BTreeSet;

use serde::Serialize;

pub use self::assertions::Assertion;
pub use self::credentials::Blanked;
pub use self::error::NeutralizeError;

use self::assertions::{Expected, assert_neutral, parameter};
use self::credentials::Credentials;
use self::modules::FoundModules;
use self::statements::STATEMENTS;
use super::tables::Tables;
use crate::config::{Neutralize, Script};
use crate::postgres::{Endpoint, PostgresError, Session, connect};
use crate::small_file;

/// The first series whose modules say themselves how they are made harmless.
const FIRST_SERIES: u32 = 16;

/// As Odoo's own connections have it, but for the role's schema: `pg_catalog` is searched first all the same, and what is created is not created there.
const SEARCH_PATH: &str = "SET search_path = public";

/// Where the SQL came from that Odoo's modules have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// Odoo's own program printed it.
    OdooBin,
    /// The files of the modules under `addons_path`.
    Modules,
    /// There was none: the program's own statements had to do.
    Own,
}

/// A statement of the program's own that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// What it belongs to: `outgoing mail`.
    pub area: &'static str,
    /// What it did.
    pub about: &'static str,
    /// To which table.
    pub table: &'static str,
    /// Rows that it changed.
    pub rows: u64,
}

/// What was done to make a copy harmless. Every assertion in it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neutralized {
    /// Where the SQL of Odoo's modules came from.
    pub means: Means,
    /// Modules whose SQL was run; where `odoo_bin` printed it, it does not say whose.
    pub modules: Vec<String>,
    /// Installed modules that are nowhere under `addons_path`.
    pub modules_not_found: Vec<String>,
    /// The program's own statements that changed anything after that.
    pub applied: Vec<Applied>,
    /// Columns of which credentials were taken.
    pub credentials: Vec<Blanked>,
    /// System parameters that held credentials, and were removed.
    pub parameters_removed: Vec<String>,
    /// The copy's `database.uuid`.
    pub database_uuid: String,
    /// The copy's `web.base.url`.
    pub base_url: String,
    /// Login of the administrator whose password was set.
    pub administrator: Option<String>,
    /// How many scripts of the operator were run.
    pub scripts: usize,
    /// What was then asserted.
    pub assertions: Vec<Assertion>,
    /// What a person should know, in sentences.
    pub warnings: Vec<String>,
}

/// SQL that is not the program's own.
#[derive(Debug)]
struct Sql {
    name: String,
    /// As errors name it.
    origin: String,
    text: String,
}

/// Makes the database harmless: all of it, or nothing. `None` where it is not Odoo's. `source_uuid` is the original's identity.
///
/// # Errors
/// [`NeutralizeError`]; the database is then as it was.
pub async fn neutralize(
    database: &Endpoint,
    settings: &Neutralize,
    source_uuid: Option<&str>,
) -> Result<Option<Neutralized>, NeutralizeError> {
    let session = connect(database).await?;
    session.batch_execute(SEARCH_PATH).await.map_err(session.failed("prepare the neutralization"))?;
    let tables = Tables::read(&session).await?;
    if !tables.have("ir_module_module", &["name", "state"]) || !tables.have("ir_config_parameter", &["key", "value"]) {
        return Ok(None);
    }
    // Read before the first change, so that a missing file is found before anything was waited for.
    let scripts =
        settings.sql.iter().zip(1..).map(|(script, number)| read(script, number)).collect::<Result<Vec<_>, _>>()?;
    let odoo = OdooSql::gather(&session, settings).await?;
    let mut former_uuids: Vec<String> = source_uuid.map(Into::into).into_iter().collect();
    former_uuids.extend(parameter(&session, "database.uuid").await?);

    let transaction = Transaction::begin(&session).await?;
    for script in &odoo.scripts {
        transaction.run(script).await?;
    }
    // What they did to the tables is not to be guessed.
    let tables = Tables::read(&session).await?;
    let applied = apply_own(&session, &tables).await?;
    let credentials = Credentials::find(&session, &settings.keep_credentials).await?;
    let blanked = credentials.blank(&session).await?;
    let parameters_removed = credentials.remove_parameters(&session).await?;
    let typed = tables.have("ir_config_parameter", &["type"]);
    let identity = identity::renew(&session, settings.base_url.as_deref(), typed).await?;
    let administrator = match &settings.admin_password {
        Some(password) => {
            let second_factor = tables.have("res_users", &["totp_secret"]);
            Some(identity::reset_administrator(&session, password, second_factor).await?)
        }
        None => None,
    };
    for script in &scripts {
        transaction.run(script).await?;
    }
    let tables = Tables::read(&session).await?;
    let credentials = Credentials::find(&session, &settings.keep_credentials).await?;
    let expected = Expected { former_uuids: &former_uuids, base_url: &identity.base_url };
    let assertions = assert_neutral(&session, &tables, &credentials, &expected).await?;
    if !assertions.iter().all(Assertion::holds) {
        let failed = assertions.into_iter().filter(|assertion| !assertion.holds()).collect();
        return Err(NeutralizeError::NotNeutral(failed));
    }
    transaction.commit().await?;
    Ok(Some(Neutralized {
        means: odoo.means,
        modules: odoo.modules,
        modules_not_found: odoo.modules_not_found,
        applied,
        credentials: blanked,
        parameters_removed,
        database_uuid: identity.uuid,
        base_url: identity.base_url,
        administrator,
        scripts: scripts.len(),
        assertions,
        warnings: odoo.warnings,
    }))
}

fn read(script: &Script, number: usize) -> Result<Sql, NeutralizeError> {
    let (origin, text) = match script {
        Script::Text(text) => (format!("statement {number} of `sql`"), text.clone()),
        Script::File(path) => {
            let text = small_file::read_to_string(path)
                .map_err(|source| NeutralizeError::Read { path: path.clone(), source })?;
            (path.display().to_string(), text)
        }
    };
    Ok(Sql { name: "sql".into(), origin, text })
}

async fn apply_own(session: &Session, tables: &Tables) -> Result<Vec<Applied>, PostgresError> {
    let mut applied = Vec::new();
    for statement in STATEMENTS {
        let also = statement.also.is_none_or(|(table, columns)| tables.have(table, columns));
        if !also || !tables.have(statement.table, statement.columns) {
            continue;
        }
        let rows = session.execute(statement.sql, &[]).await;
        let rows = rows.map_err(session.failed(format!("make {} harmless ({})", statement.table, statement.about)))?;
        applied.extend((rows > 0).then_some(Applied {
            area: statement.area,
            about: statement.about,
            table: statement.table,
            rows,
        }));
    }
    let rows = einvoicing::to_test_systems(session).await?;
    applied.extend((rows > 0).then_some(Applied {
        area: "e-invoicing",
        about: "switches of the countries' modules to their test systems",
        table: "res_company",
        rows,
    }));
    Ok(applied)
}

/// What Odoo itself says.
#[derive(Debug)]
struct OdooSql {
    means: Means,
    scripts: Vec<Sql>,
    modules: Vec<String>,
    modules_not_found: Vec<String>,
    warnings: Vec<String>,
}

impl OdooSql {
    async fn gather(session: &Session, settings: &Neutralize) -> Result<Self, NeutralizeError> {
        let query = "SELECT name::text, latest_version::text FROM ir_module_module
             WHERE state IN ('installed', 'to upgrade', 'to remove')";
        let rows = session.query(query, &[]).await.map_err(session.failed("read which modules are installed"))?;
        let modules: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let base =
            rows.iter().find(|row| row.get::<_, &str>(0) == "base").and_then(|row| row.get::<_, Option<String>>(1));
        let series = base.as_deref().and_then(|version| version.split('.').next()).and_then(|major| major.parse().ok());
        let series: u32 = series.unwrap_or(0);
        if let Some(program) = &settings.odoo_bin {
            let sql = odoo_bin::ask(program, settings, session.endpoint()).await?;
            return Ok(Self { means: Means::OdooBin, scripts: vec![sql], ..Self::none() });
        }
        let of_a_series_with_sql = series >= FIRST_SERIES;
        if settings.addons_path.is_empty() {
            let warning = "neither `odoo_bin` nor `addons_path` says where Odoo's modules are: the copy was neutralized by the program's own statements alone, and not by what the modules say of themselves";
            let warnings = of_a_series_with_sql.then(|| warning.to_owned()).into_iter().collect();
            return Ok(Self { warnings, ..Self::none() });
        }
        let found = FoundModules::look_for(&modules, &settings.addons_path)?;
        let mut warnings = Vec::new();
        let names = found.names();
        if of_a_series_with_sql && !names.iter().any(|name| name == "base") {
            warnings.push(
                "no base/data/neutralize.sql was found under `addons_path`: is it that of the copy's Odoo?".into(),
            );
        }
        if of_a_series_with_sql && !found.not_found.is_empty() {
            warnings.push(format!(
                "installed modules that are nowhere under `addons_path`, so that only the program's own statements cover them: {}",
                found.not_found.join(", ")
            ));
        }
        let means = if names.is_empty() { Means::Own } else { Means::Modules };
        Ok(Self { means, scripts: found.scripts, modules: names, modules_not_found: found.not_found, warnings })
    }

    fn none() -> Self {
        Self {
            means: Means::Own,
            scripts: Vec::new(),
            modules: Vec::new(),
            modules_not_found: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// The one transaction. It is rolled back with the session unless it is committed.
struct Transaction<'a> {
    session: &'a Session,
    id: i64,
}

impl<'a> Transaction<'a> {
    async fn begin(session: &'a Session) -> Result<Self, PostgresError> {
        let failed = || session.failed("begin the neutralization");
        session.batch_execute(&format!("BEGIN; {SEARCH_PATH}")).await.map_err(failed())?;
        let id = session.query_one("SELECT txid_current()", &[]).await.map_err(failed())?.get(0);
        Ok(Self { session, id })
    }

    /// Runs SQL that is not ours. What ends the transaction in it would let half of everything take effect.
    async fn run(&self, sql: &Sql) -> Result<(), NeutralizeError> {
        let failed = |source| NeutralizeError::Script {
            script: sql.origin.clone(),
            source: self.session.failed(format!("neutralize by {}", sql.name))(source),
        };
        self.session.batch_execute(&sql.text).await.map_err(failed)?;
        // Names in what follows mean what they meant before, whatever the SQL set.
        self.session.batch_execute(SEARCH_PATH).await.map_err(failed)?;
        let id: i64 = self.session.query_one("SELECT txid_current()", &[]).await.map_err(failed)?.get(0);
        if id == self.id { Ok(()) } else { Err(NeutralizeError::OwnTransaction { script: sql.origin.clone() }) }
    }

    async fn commit(self) -> Result<(), PostgresError> {
        self.session.batch_execute("COMMIT").await.map_err(self.session.failed("commit the neutralization"))
    }
}

#[cfg(test)]
mod tests;
