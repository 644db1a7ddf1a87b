//! What an Odoo database says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Schema;
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

/// Reads them, in the transaction that the session is in; `None` where the database is not Odoo's, or its tables are not to be read:
/// [`Schema::reason_not_odoo`] says why.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn odoo_facts(session: &Session) -> Result<Option<OdooFacts>, PostgresError> {
    let failed = || session.failed("read what Odoo's tables say");
    refuse_views(session).await?;
    let Some(schema) = Schema::find(session).await? else { return Ok(None) };
    let module = schema.look(session, "ir_module_module").await?.table();
    let (Some(module), Some(_)) = (module, schema.look(session, "ir_attachment").await?.table()) else {
        return Ok(None);
    };
    if !["name", "state", "latest_version"].iter().all(|column| module.has(column)) {
        return Ok(None);
    }
    let query =
        format!("SELECT name::text, coalesce(latest_version, '')::text FROM {} WHERE state = 'installed'", module.sql);
    let modules = session.query(&query, &[]).await.map_err(failed())?;
    let modules: BTreeMap<String, String> = modules.iter().map(|row| (row.get(0), row.get(1))).collect();
    let parameter = schema.look(session, "ir_config_parameter").await?.table();
    let uuid = match parameter.filter(|table| table.has("key") && table.has("value")) {
        Some(table) => {
            let query = format!("SELECT value::text FROM {} WHERE key = 'database.uuid'", table.sql);
            session.query_opt(&query, &[]).await.map_err(failed())?
        }
        None => None,
    };
    let base = modules.get("base").map_or("", String::as_str);
    Ok(Some(OdooFacts {
        series: base.splitn(3, '.').take(2).collect::<Vec<_>>().join("."),
        database_uuid: uuid.and_then(|row| row.get(0)),
        modules,
    }))
}

/// Lets the session read no view and no foreign table that is not the server's own, from now on, where the server can do that: what
/// was looked at and is an ordinary table might have been replaced since.
pub(super) async fn refuse_views(session: &Session) -> Result<(), PostgresError> {
    let set = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'";
    session.batch_execute(set).await.map_err(session.failed("prepare the session to read Odoo's tables"))
}
