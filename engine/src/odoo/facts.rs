//! What an Odoo database says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::postgres::{PostgresError, Session};

/// What a backup records of Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OdooFacts {
    /// `17.0`, from the version of the module `base` (`17.0.1.3`).
    pub series: String,
    /// `database.uuid` of `ir_config_parameter`: identifies the database for Odoo's own services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_uuid: Option<String>,
    /// Installed modules and their versions.
    pub modules: BTreeMap<String, String>,
}

/// Reads them, in the transaction that the session is in; `None` where the database is not Odoo's.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn odoo_facts(session: &Session) -> Result<Option<OdooFacts>, PostgresError> {
    let failed = || session.failed("read what Odoo's tables say");
    let query = "SELECT to_regclass('ir_module_module') IS NOT NULL AND to_regclass('ir_attachment') IS NOT NULL";
    let is_odoo: bool = session.query_one(query, &[]).await.map_err(failed())?.get(0);
    if !is_odoo {
        return Ok(None);
    }
    let query = "SELECT name::text, coalesce(latest_version, '')::text FROM ir_module_module WHERE state = 'installed'";
    let modules = session.query(query, &[]).await.map_err(failed())?;
    let modules: BTreeMap<String, String> = modules.iter().map(|row| (row.get(0), row.get(1))).collect();
    let query = "SELECT value::text FROM ir_config_parameter WHERE key = 'database.uuid'";
    let uuid = session.query_opt(query, &[]).await.map_err(failed())?;
    let base = modules.get("base").map_or("", String::as_str);
    Ok(Some(OdooFacts {
        series: base.splitn(3, '.').take(2).collect::<Vec<_>>().join("."),
        database_uuid: uuid.and_then(|row| row.get(0)),
        modules,
    }))
}
