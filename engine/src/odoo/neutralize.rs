//! Neutralizes a copy: afterwards nothing in the database can reach the outside, and assertions on
//! the database itself check that.
//!
//! Everything runs in one transaction, in the database next to the target: first the SQL of Odoo's
//! modules, then the program's own statements in any case, then the operator's SQL, then the
//! assertions.

mod assertions;
mod credentials;
mod dummy;
mod einvoicing;
mod error;
mod identity;
mod modules;
mod odoo_bin;
pub(super) mod outside;
mod relations;
mod settings;
mod statements;
mod transaction;

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::assertions::Assertion;
pub use self::credentials::Blanked;
pub use self::error::NeutralizeError;
pub use self::settings::{Neutralize, Script};

use self::assertions::{Expected, assert_neutral, parameter};
use self::credentials::Credentials;
use self::dummy::Dummy;
use self::modules::{FoundModules, Usual, usual_place};
use self::relations::Relations;
use self::statements::STATEMENTS;
use self::transaction::Transaction;
use super::Schema;
use super::facts::OdooFacts;
use super::tables::Tables;
use crate::postgres::{Endpoint, PostgresError, Session, connect, resume_row_security, suspend_row_security};
use crate::small_file;

/// The first series whose modules have SQL to neutralize them.
const FIRST_SERIES: u32 = 16;

/// Where the SQL of Odoo's modules came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// Odoo's own program printed it.
    OdooBin,
    /// The files of the modules under `addons_path`.
    Modules,
    /// There was none, only the program's own statements.
    Own,
}

/// A statement of the program itself that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Applied {
    /// Its area: `outgoing mail`.
    pub area: &'static str,
    /// Its effect.
    pub about: &'static str,
    /// Its table.
    pub table: &'static str,
    /// Number of changed rows.
    pub rows: u64,
}

/// The report of a neutralization. No assertion in it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Neutralized {
    /// Where the SQL of Odoo's modules came from.
    pub means: Means,
    /// Modules whose SQL was run; not known of SQL that `odoo_bin` printed.
    pub modules: Vec<String>,
    /// Installed modules not found under `addons_path`.
    pub modules_not_found: Vec<String>,
    /// The program's own statements that changed anything after that.
    pub applied: Vec<Applied>,
    /// Columns with blanked credentials.
    pub credentials: Vec<Blanked>,
    /// Removed system parameters, which contained credentials.
    pub parameters_removed: Vec<String>,
    /// Removed mappings to roles of other servers, with their passwords: `odoo@warehouse`.
    pub user_mappings_removed: Vec<String>,
    /// The copy's `database.uuid`.
    pub database_uuid: String,
    /// The copy's `web.base.url`.
    pub base_url: String,
    /// Login of the administrator whose password was set.
    #[schema(required = true)]
    pub administrator: Option<String>,
    /// Number of the operator's scripts that were run.
    pub scripts: usize,
    /// The assertions made afterwards.
    pub assertions: Vec<Assertion>,
    /// What the operator should know, in sentences.
    pub warnings: Vec<String>,
    #[serde(skip)]
    expected: Expected,
}

impl Neutralized {
    /// Returns how many assertions hold, and how many do not apply to the database.
    pub fn asserted(&self) -> (usize, usize) {
        let holding = self.assertions.iter().filter(|assertion| assertion.holds()).count();
        (holding, self.assertions.len() - holding)
    }
}

/// SQL from outside the program.
#[derive(Debug)]
struct Sql {
    name: String,
    /// Its name in errors.
    origin: String,
    text: String,
}

/// Neutralizes the database: completely, or not at all. Returns `None` if it certainly is not
/// Odoo's.
///
/// # Errors
/// [`NeutralizeError`]; the database is then unchanged.
pub async fn neutralize(
    database: &Endpoint,
    settings: &Neutralize,
    source: Option<&OdooFacts>,
) -> Result<Option<Neutralized>, NeutralizeError> {
    let session = connect(database).await?;
    let Some(schema) = Schema::find(&session).await? else {
        require_foreign(&session, source).await?;
        return if settings.required { Err(NeutralizeError::NotOdoo) } else { Ok(None) };
    };
    let tables = Tables::read(&session, &schema).await?;
    if !tables.have("ir_module_module", &["name", "state"]) || !tables.have("ir_config_parameter", &["key", "value"]) {
        let what = format!("{} or {}", schema.table("ir_module_module"), schema.table("ir_config_parameter"));
        return Err(NeutralizeError::CouldNotTell(format!("{what} is not an ordinary table with Odoo's columns")));
    }
    // Read before the first change, to find a missing file before waiting for anything.
    let scripts =
        settings.sql.iter().zip(1..).map(|(script, number)| read(script, number)).collect::<Result<Vec<_>, _>>()?;
    let odoo = OdooSql::gather(&session, &schema, settings).await?;
    let mut warnings = odoo.warnings;
    let mut former_uuids: Vec<String> = source.and_then(|odoo| odoo.database_uuid.clone()).into_iter().collect();
    former_uuids.extend(parameter(&session, &schema, "database.uuid").await?);

    let transaction = Transaction::begin(&session, &schema).await?;
    let hiding = suspend_row_security(&session).await?;
    let mappings = outside::mappings(&session).await?;
    outside::remove(&session, &mappings).await?;
    for script in &odoo.scripts {
        warnings.extend(transaction.run_modules(script).await?);
    }
    // Their effect on the tables is unknown.
    let tables = Tables::read(&session, &schema).await?;
    Relations::read(&session, &schema).await?.require_understood()?;
    let mut applied = apply_own(&session, &tables).await?;
    match dummy::add(&session, &tables).await? {
        Dummy::Added(added) => applied.push(added),
        Dummy::NotNeeded => {}
        Dummy::Impossible(why) => warnings.push(why),
    }
    applied.extend(outside::stop_jobs(&session).await?);
    let credentials = Credentials::find(&session, &schema, &settings.keep_credentials).await?;
    let blanked = credentials.blank(&session).await?;
    let parameters_removed = credentials.remove_parameters(&session).await?;
    let typed = tables.have("ir_config_parameter", &["type"]);
    let identity = identity::renew(&session, &schema, settings.base_url.as_deref(), typed).await?;
    let administrator = match &settings.admin_password {
        Some(password) => {
            let second_factor = tables.have("res_users", &["totp_secret"]);
            Some(identity::reset_administrator(&session, &schema, password, second_factor).await?)
        }
        None => None,
    };
    for script in &scripts {
        transaction.run(script).await?;
    }
    transaction.fire_deferred().await?;
    transaction.distrust().await?;
    let former_mappings = mappings.iter().map(|mapping| mapping.number).collect();
    let expected = Expected { former_uuids, base_url: identity.base_url.clone(), former_mappings };
    let assertions = require_neutral(&session, &schema, settings, &expected).await?;
    resume_row_security(&session, &hiding).await?;
    transaction.commit().await?;
    warnings.extend(outside::warnings(&session).await?);
    warnings.extend(other_schemas(&session, &schema).await?);
    Ok(Some(Neutralized {
        means: odoo.means,
        modules: odoo.modules,
        modules_not_found: odoo.modules_not_found,
        applied,
        credentials: blanked,
        parameters_removed,
        user_mappings_removed: mappings.iter().map(outside::Mapping::name).collect(),
        database_uuid: identity.uuid,
        base_url: identity.base_url,
        administrator,
        scripts: scripts.len(),
        assertions,
        warnings,
        expected,
    }))
}

/// Looks for what would prevent the neutralization of a copy, before anything is restored: a
/// program that does not run, SQL that cannot be read.
pub(crate) async fn check_neutralization(settings: &Neutralize, source: &OdooFacts) -> Vec<NeutralizeError> {
    let read = settings.sql.iter().zip(1..).filter_map(|(script, number)| read(script, number).err());
    let mut unusable: Vec<_> = read.collect();
    if let Some(program) = &settings.odoo_bin {
        unusable.extend(odoo_bin::check(program, source).await.err());
    }
    unusable
}

/// Asserts again that a neutralized copy is neutral, over a new connection: what the database does
/// on commit or on connect shows only now.
///
/// # Errors
/// [`NeutralizeError::NotNeutral`]
pub(crate) async fn assert_still_neutral(
    database: &Endpoint,
    settings: &Neutralize,
    done: &Neutralized,
) -> Result<(), NeutralizeError> {
    let session = connect(database).await?;
    let schema = Schema::find(&session).await?;
    let schema = schema.ok_or_else(|| NeutralizeError::CouldNotTell("its tables no longer exist".into()))?;
    let transaction = Transaction::begin(&session, &schema).await?;
    suspend_row_security(&session).await?;
    transaction.distrust().await?;
    require_neutral(&session, &schema, settings, &done.expected).await?;
    // Nothing is left of the changes that make all rows visible.
    transaction.roll_back().await?;
    Ok(())
}

async fn require_neutral(
    session: &Session,
    schema: &Schema,
    settings: &Neutralize,
    expected: &Expected,
) -> Result<Vec<Assertion>, NeutralizeError> {
    let credentials = Credentials::find(session, schema, &settings.keep_credentials).await?;
    let assertions = assert_neutral(session, schema, &credentials, expected).await?;
    if !assertions.iter().any(Assertion::fails) {
        return Ok(assertions);
    }
    Err(NeutralizeError::NotNeutral(assertions.into_iter().filter(Assertion::fails).collect()))
}

/// Tables of every series. A database with one of them may be Odoo's; one with none is not.
const OF_ODOO: [&str; 6] =
    ["ir_attachment", "ir_config_parameter", "ir_cron", "ir_model", "ir_module_module", "ir_ui_view"];

/// Returns the warning about other schemas with tables of such names, which another Odoo may use.
async fn other_schemas(session: &Session, schema: &Schema) -> Result<Option<String>, PostgresError> {
    let query = "SELECT pg_catalog.string_agg(DISTINCT n.nspname::text, ', ') FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname IN ('ir_cron', 'ir_mail_server', 'ir_config_parameter') AND n.nspname <> $1::text";
    let row = session.query_one(query, &[&schema.name()]).await.map_err(session.failed("look for other schemas"))?;
    let others: Option<String> = row.get(0);
    Ok(others.map(|others| {
        format!(
            "other schemas contain tables of Odoo as well ({others}): only those in {} were neutralized",
            schema.name()
        )
    }))
}

/// Refuses a database that may be Odoo's but whose tables are not understood.
async fn require_foreign(session: &Session, source: Option<&OdooFacts>) -> Result<(), NeutralizeError> {
    let query = "SELECT n.nspname::text || '.' || c.relname::text FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY($1::text[]) ORDER BY 1";
    let rows = session.query(query, &[&OF_ODOO.as_slice()]).await;
    let rows = rows.map_err(session.failed("look for Odoo's tables"))?;
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if !found.is_empty() {
        let found = found.join(", ");
        return Err(NeutralizeError::CouldNotTell(format!("there is {found}, but not all of Odoo's tables")));
    }
    if source.is_some() {
        return Err(NeutralizeError::CouldNotTell(
            "the backup is of an Odoo database, but the copy has none of Odoo's tables".into(),
        ));
    }
    Ok(())
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
        if !tables.have(statement.table, statement.columns) {
            continue;
        }
        let rows = session.execute(statement.sql, &[]).await;
        let rows = rows.map_err(session.failed(format!("neutralize {} ({})", statement.table, statement.about)))?;
        applied.extend((rows > 0).then_some(Applied {
            area: statement.area,
            about: statement.about,
            table: statement.table,
            rows,
        }));
    }
    let rows = einvoicing::to_test_systems(session, &tables.schema).await?;
    applied.extend((rows > 0).then_some(Applied {
        area: "e-invoicing",
        about: "switches of the countries' modules to their test systems",
        table: "res_company",
        rows,
    }));
    Ok(applied)
}

/// Odoo's own statements.
#[derive(Debug)]
struct OdooSql {
    means: Means,
    scripts: Vec<Sql>,
    modules: Vec<String>,
    modules_not_found: Vec<String>,
    warnings: Vec<String>,
}

impl OdooSql {
    async fn gather(session: &Session, schema: &Schema, settings: &Neutralize) -> Result<Self, NeutralizeError> {
        let query = format!(
            "SELECT name::text, latest_version::text FROM {} WHERE state IN ('installed', 'to upgrade', 'to remove')",
            schema.table("ir_module_module")
        );
        let rows = session.query(&query, &[]).await.map_err(session.failed("list the installed modules"))?;
        let modules: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let base =
            rows.iter().find(|row| row.get::<_, &str>(0) == "base").and_then(|row| row.get::<_, Option<String>>(1));
        let series = base.as_deref().and_then(|version| version.split('.').next()).and_then(|major| major.parse().ok());
        let series: u32 = series.unwrap_or(0);
        let whole_series = base.as_deref().unwrap_or_default().splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        if let Some(program) = &settings.odoo_bin {
            let sql = odoo_bin::ask(program, settings, session.endpoint()).await?;
            return Ok(Self { means: Means::OdooBin, scripts: vec![sql], ..Self::none() });
        }
        let of_a_series_with_sql = series >= FIRST_SERIES;
        let usual = match settings.addons_path.is_empty() {
            true => usual_place(&whole_series),
            false => Usual::Nothing,
        };
        let addons_path = match &usual {
            Usual::Addons(folder) => std::slice::from_ref(folder),
            _ => &settings.addons_path,
        };
        if addons_path.is_empty() {
            let other = match usual {
                Usual::OtherSeries(series) => format!(" (Odoo's packages here are of the series {series})"),
                _ => String::new(),
            };
            let warning = format!(
                "neither `odoo_bin` nor `addons_path` names Odoo's modules{other}: the copy was neutralized by odoo-backup's own statements only, without the modules' own SQL"
            );
            let warnings = of_a_series_with_sql.then_some(warning).into_iter().collect();
            return Ok(Self { warnings, ..Self::none() });
        }
        let found = FoundModules::look_for(&modules, addons_path)?;
        let mut warnings = Vec::new();
        let names = found.names();
        if of_a_series_with_sql && !names.iter().any(|name| name == "base") {
            warnings.push(
                "no base/data/neutralize.sql was found under `addons_path`: check that it belongs to the copy's Odoo"
                    .into(),
            );
        }
        if of_a_series_with_sql && !found.not_found.is_empty() {
            warnings.push(format!(
                "installed modules not found under `addons_path`, so that only odoo-backup's own statements cover them: {}",
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

#[cfg(test)]
mod tests;
