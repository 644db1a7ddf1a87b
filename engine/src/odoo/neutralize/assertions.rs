//! What must be true of a neutral database, asked of the database itself after all changes.

use serde::Serialize;
use utoipa::ToSchema;

use super::credentials::Credentials;
use super::error::NeutralizeError;
use super::relations::Relations;
use super::statements::{CHECKS, in_schema};
use super::{einvoicing, outside};
use crate::odoo::Schema;
use crate::postgres::{Lossy, PostgresError, Session, lossy};

/// Number of examples.
const EXAMPLES: usize = 5;

/// An assertion, and what was found against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Assertion {
    /// What must be true: `no active mail server except the dummy`.
    pub asserted: String,
    /// Whether the database has its tables; `false`: it was not checked.
    pub applies: bool,
    /// Number of violations; 0 is required.
    pub found: u64,
    /// The first violations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

impl Assertion {
    pub(super) fn of(asserted: impl Into<String>, mut examples: Vec<String>) -> Self {
        let found = examples.len() as u64;
        examples.truncate(EXAMPLES);
        Self { asserted: asserted.into(), applies: true, found, examples }
    }

    /// Returns whether it was checked and is true.
    pub fn holds(&self) -> bool {
        self.applies && self.found == 0
    }

    /// Returns whether it is violated.
    pub fn fails(&self) -> bool {
        self.found > 0
    }
}

/// The original's properties, and the required ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// Every identity that the copy must not have.
    pub(super) former_uuids: Vec<String>,
    /// The address that it must have.
    pub(super) base_url: String,
    /// The original's mappings to roles of other servers, by their numbers.
    pub(super) former_mappings: Vec<u32>,
}

/// Checks every assertion, in the order of the report.
///
/// # Errors
/// [`NeutralizeError::CouldNotTell`] if the most important ones cannot be checked.
pub(super) async fn assert_neutral(
    session: &Session,
    schema: &Schema,
    credentials: &Credentials,
    expected: &Expected,
) -> Result<Vec<Assertion>, NeutralizeError> {
    let relations = Relations::read(session, schema).await?;
    relations.require_understood()?;
    let mut assertions: Vec<Assertion> = Vec::new();
    for check in CHECKS {
        let asserted = format!("no {}", check.none);
        let applies = relations.can_read(check.table, check.columns);
        let (found, examples) = match applies {
            true => ask(session, &in_schema(check.sql, schema), &asserted).await?,
            false => (0, Vec::new()),
        };
        match assertions.iter_mut().find(|one| one.asserted == asserted) {
            Some(same) => {
                same.applies |= applies;
                same.found += found;
                same.examples.extend(examples);
                same.examples.truncate(EXAMPLES);
            }
            None => assertions.push(Assertion { asserted, applies, found, examples }),
        }
    }
    assertions.push(Assertion::of(
        "no switch of e-invoicing that means production",
        einvoicing::live(session, schema).await?,
    ));
    assertions.push(Assertion::of("no credential or token left", credentials.left(session).await?));
    assertions.push(outside::no_former_mappings(session, &expected.former_mappings).await?);
    assertions.push(outside::no_active_jobs(session).await?);
    let uuid = parameter(session, schema, "database.uuid").await?;
    let same = uuid.iter().filter(|uuid| expected.former_uuids.contains(uuid)).cloned().collect();
    assertions.push(Assertion::of("another `database.uuid` than the original's", missing_or(uuid.is_some(), same)));
    let flag = parameter(session, schema, "database.is_neutralized").await?;
    let otherwise = flag.as_deref().filter(|flag| !flag.eq_ignore_ascii_case("true")).map(String::from);
    assertions.push(Assertion::of(
        "`database.is_neutralized` says so",
        missing_or(flag.is_some(), otherwise.into_iter().collect()),
    ));
    let address = parameter(session, schema, "web.base.url").await?;
    let otherwise = address.iter().filter(|address| **address != expected.base_url).cloned().collect();
    assertions.push(Assertion::of("the copy's own `web.base.url`", missing_or(address.is_some(), otherwise)));
    Ok(assertions)
}

fn missing_or(there: bool, otherwise: Vec<String>) -> Vec<String> {
    if there { otherwise } else { vec!["it is missing".into()] }
}

async fn ask(session: &Session, check: &str, asserted: &str) -> Result<(u64, Vec<String>), PostgresError> {
    let query = format!(
        "SELECT count(*), coalesce((array_agg({} ORDER BY label::text))[1:{EXAMPLES}], '{{}}') FROM ({check}) AS found (label)",
        lossy("label")
    );
    let row = session.query_one(&query, &[]).await.map_err(session.failed(format!("assert {asserted:?}")))?;
    let examples: Vec<Option<Lossy>> = row.get(1);
    let examples =
        examples.into_iter().map(|example| example.map_or_else(|| "one without a name".into(), |Lossy(name)| name));
    Ok((row.get::<_, i64>(0).unsigned_abs(), examples.collect()))
}

/// Reads a system parameter's value.
pub(super) async fn parameter(session: &Session, schema: &Schema, key: &str) -> Result<Option<String>, PostgresError> {
    let table = schema.table("ir_config_parameter");
    let value = lossy("value");
    let query = format!("SELECT {value} FROM {table} WHERE key::text = $1 ORDER BY id LIMIT 1");
    let row = session.query_opt(&query, &[&key]).await;
    let row = row.map_err(session.failed(format!("read the system parameter {key}")))?;
    Ok(row.and_then(|row| Some(row.get::<_, Option<Lossy>>(0)?.0)))
}
