//! E-invoicing: each country's module has its own switch between a tax office and its test system.
//! The names follow few patterns.

use tokio_postgres::Row;

use crate::odoo::Schema;
use crate::odoo::tables::{Column, columns_of};
use crate::postgres::{PostgresError, Session, quote};

/// Tables with such switches; the newest series have separate tables for them.
pub(super) const TABLES: &str = "^(res_company|account_journal|l10n_.*)$";

/// Booleans that are true for the test system.
pub(super) const TEST: &str = "^l10n_.*_(test_env|test_environment|test_mode|demo_mode|sandbox|testing)$";

/// Booleans that are true for the tax office.
pub(super) const PRODUCTION: &str = "^l10n_.*_(production_env|prod_env|production_environment|is_production)$";

/// Selections: the column, its value for the tax office, and the one for the test system.
pub(super) const SELECTIONS: &[(&str, &str, &str)] = &[
    ("l10n_ar_afip_ws_environment", "production", "testing"),
    ("l10n_br_avatax_env", "production", "sandbox"),
    ("l10n_cl_dte_service_provider", "SII", "SIITEST"),
    ("l10n_hu_edi_server_mode", "production", "test"),
    ("l10n_sa_api_mode", "prod", "sandbox"),
    ("l10n_tr_nilvera_environment", "production", "sandbox"),
    ("l10n_uy_edi_ucfe_env", "production", "testing"),
];

/// A switch, and in SQL: the value for the test system, and the condition for the tax office.
struct Switch {
    column: Column,
    test: String,
    live: String,
}

async fn switches(session: &Session, schema: &Schema) -> Result<Vec<Switch>, PostgresError> {
    let selections: Vec<_> = SELECTIONS.iter().map(|(name, ..)| *name).collect();
    let query = format!(
        "SELECT c.*, attname ~ $2 FROM ({}) c
         WHERE relname ~ $1
           AND (type = 'bool' AND (attname ~ $2 OR attname ~ $3) OR type IN ('varchar', 'text') AND attname = ANY($4::text[]))
         ORDER BY 1, 2",
        columns_of(schema)
    );
    let rows = session.query(&query, &[&TABLES, &TEST, &PRODUCTION, &selections]).await;
    let rows = rows.map_err(session.failed("look for switches of e-invoicing"))?;
    let switch = |row: &Row| {
        let column = Column::of(row);
        let name = quote(&column.name);
        let (test, live) = match SELECTIONS.iter().find(|(selection, ..)| *selection == column.name) {
            Some((_, production, test)) => (format!("'{test}'"), format!("{name}::text = '{production}'")),
            None if row.get(6) => ("true".into(), format!("{name} IS DISTINCT FROM true")),
            None => ("false".into(), name),
        };
        Switch { column, test, live }
    };
    Ok(rows.iter().map(switch).collect())
}

/// Sets every switch to the test system. Returns how many rows changed.
pub(super) async fn to_test_systems(session: &Session, schema: &Schema) -> Result<u64, PostgresError> {
    let mut changed = 0;
    for Switch { column, test, live } in switches(session, schema).await? {
        let (table, name) = (schema.table(&column.table), quote(&column.name));
        let updated = session.execute(&format!("UPDATE {table} SET {name} = {test} WHERE {live}"), &[]).await;
        changed += updated.map_err(session.failed(format!("turn {} to its test system", column.full_name())))?;
    }
    Ok(changed)
}

/// Returns the switches that still mean the tax office in some row:
/// `res_company.l10n_eg_production_env (2 rows)`.
pub(super) async fn live(session: &Session, schema: &Schema) -> Result<Vec<String>, PostgresError> {
    let mut found = Vec::new();
    for Switch { column, live, .. } in switches(session, schema).await? {
        let query = format!("SELECT count(*) FROM {} WHERE {live}", schema.table(&column.table));
        let row = session.query_one(&query, &[]).await;
        let rows: i64 = row.map_err(session.failed(format!("read {}", column.full_name())))?.get(0);
        if rows > 0 {
            found.push(format!("{} ({rows} rows)", column.full_name()));
        }
    }
    Ok(found)
}
