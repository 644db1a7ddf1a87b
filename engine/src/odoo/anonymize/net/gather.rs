//! Reads who is in the database, before they are replaced: every different value of the columns
//! about people, and its fake.

use futures::TryStreamExt;

use super::people::{MOST, People};
use super::words::{Common, Hashing};
use crate::odoo::anonymize::columns::Column;
use crate::odoo::anonymize::kinds::{Fake, is_json, is_text};
use crate::odoo::anonymize::plan::{Plan, Planned};
use crate::odoo::tables::Tables;
use crate::postgres::{PostgresError, Session, quote};

/// A part of all people: those whose hash leaves this remainder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) of: i32,
}

/// Reads the words of Odoo's own labels: names of fields, menus, models and groups, in the
/// languages of the database.
///
/// Only of Odoo's own modules: labels of others may contain their customer's name.
pub(super) async fn common(
    session: &Session,
    tables: &Tables,
    odoo: &str,
    hashing: &Hashing,
) -> Result<Common, PostgresError> {
    let mut common = Common::default();
    common.add(hashing, Common::ALWAYS);
    if !tables.have("ir_model_data", &["module", "model", "res_id"])
        || !tables.have("ir_module_module", &["name", "author"])
    {
        return Ok(common);
    }
    let odoo = quote(odoo);
    for (table, column, model) in [
        ("ir_model_fields", "field_description", "ir.model.fields"),
        ("ir_model", "name", "ir.model"),
        ("ir_ui_menu", "name", "ir.ui.menu"),
        ("res_groups", "name", "res.groups"),
    ] {
        if !tables.have(table, &["id", column]) {
            continue;
        }
        let query = format!(
            "SELECT DISTINCT l.{column}::text FROM {odoo}.{table} l
             JOIN {odoo}.ir_model_data d ON d.model = '{model}' AND d.res_id = l.id
             JOIN {odoo}.ir_module_module m ON m.name = d.module AND m.author LIKE 'Odoo%'
             WHERE l.{column} IS NOT NULL"
        );
        let rows = session.query(&query, &[]).await.map_err(session.failed("read Odoo's own labels"))?;
        rows.iter().for_each(|row| common.add(hashing, row.get(0)));
    }
    Ok(common)
}

/// How a kind of value is sought.
#[derive(Debug, Clone, Copy)]
enum As {
    Name,
    Email,
    Phone,
    Street,
    Code,
}

/// Reads everyone of this part; `None` where they do not fit.
pub(super) async fn gather(
    session: &Session,
    plan: &Plan,
    hashing: &Hashing,
    common: &Common,
    part: Part,
) -> Result<Option<People>, PostgresError> {
    let mut people = People::with(hashing.clone());
    // Names first: a login that is a name gets the name's fake.
    let mut queries: Vec<(u8, As, String, String)> = Vec::new();
    for planned in plan.tables.iter().flat_map(|table| &table.planned).filter(|planned| planned.is_sought) {
        queries.extend(
            queries_of(planned)
                .into_iter()
                .map(|(order, kind, query)| (order, kind, query, planned.column.full_name())),
        );
    }
    queries.sort_by_key(|(order, ..)| *order);
    for (_, kind, query, column) in queries {
        let failed = || session.failed(format!("read who is in {column}"));
        let query = format!(
            "SELECT v, f FROM ({query}) AS found (v, f)
             WHERE v IS NOT NULL AND f IS NOT NULL AND (pg_catalog.hashtext(v) & 2147483647) % {} = {}",
            part.of, part.number
        );
        let none: [&str; 0] = [];
        let rows = session.query_raw(&query, none).await.map_err(failed())?;
        futures::pin_mut!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed())? {
            let (value, fake): (&str, &str) = (row.get(0), row.get(1));
            match kind {
                As::Name => people.add_name(value, fake, common),
                As::Email => people.add_email(value, fake),
                As::Phone => people.add_phone(value, fake),
                As::Street => people.add_street(value, fake),
                As::Code => people.add_code(value, fake),
            }
            if people.count() > MOST {
                return Ok(None);
            }
        }
    }
    Ok(Some(people))
}

/// Returns the query for each different value of a column, as text.
fn values(column: &Column, condition: &str) -> String {
    let (name, table) = (quote(&column.name), column.table.sql());
    match is_json(column) {
        false => format!("SELECT DISTINCT {name}::text AS v FROM {table} WHERE {condition}"),
        true => format!(
            "SELECT DISTINCT x.value AS v FROM {table}, LATERAL pg_catalog.jsonb_each_text(
                 CASE pg_catalog.jsonb_typeof({name}::jsonb) WHEN 'object' THEN {name}::jsonb ELSE pg_catalog.jsonb_build_object('', {name}::jsonb) END) AS x
             WHERE {condition}"
        ),
    }
}

/// Returns the queries for a column's values and their fakes.
fn queries_of(planned: &Planned) -> Vec<(u8, As, String)> {
    let column = &planned.column;
    if !is_text(column) && !is_json(column) {
        return Vec::new();
    }
    let values = values(column, &planned.condition());
    let plain = |function: &str| format!("SELECT v, pg_temp.fake_{function}(v) FROM ({values}) AS d");
    let names = |from: &str, condition: &str| {
        let whole =
            format!("SELECT {from} AS v, pg_temp.fake_name({from}) AS f FROM ({values}) AS d WHERE {condition}");
        let parts = format!(
            "SELECT part, pg_temp.fake_one_name(part) FROM ({values}) AS d, LATERAL pg_catalog.regexp_split_to_table({from}, ',') AS part
             WHERE {condition} AND pg_catalog.strpos({from}, ',') > 0 AND pg_catalog.btrim(part) <> ''"
        );
        [(0, As::Name, whole), (0, As::Name, parts)]
    };
    let addresses = || {
        let query = format!(
            "SELECT DISTINCT one[1], pg_temp.fake_one_email(one[1]) FROM ({values}) AS d,
                 LATERAL pg_catalog.regexp_matches(v, '[^\\s<>\"'',;:()]+@[^\\s<>\"'',;:()]+', 'g') AS one"
        );
        (1, As::Email, query)
    };
    // `"Anna Berger" <anna@customer.example>`
    let before = "pg_catalog.btrim(pg_catalog.split_part(v, '<', 1), E' \\t\\r\\n\"')";
    let named = "pg_catalog.strpos(v, '<') > 1 AND pg_catalog.strpos(pg_catalog.split_part(v, '<', 1), '@') = 0";
    match planned.fake {
        Fake::Name => names("v", "true").into(),
        Fake::Email => names(before, named).into_iter().chain([addresses()]).collect(),
        Fake::Login => {
            let others =
                format!("SELECT v, pg_temp.fake_login(v) FROM ({values}) AS d WHERE pg_catalog.strpos(v, '@') = 0");
            vec![(2, As::Name, others), addresses()]
        }
        Fake::Phone => vec![(1, As::Phone, plain("phone"))],
        // A second line is a floor or a door.
        Fake::Street if !column.name.ends_with(|c: char| c.is_ascii_digit()) => vec![(1, As::Street, plain("street"))],
        Fake::Account => vec![(1, As::Code, plain("account"))],
        Fake::TaxNumber => vec![(1, As::Code, plain("tax_number"))],
        Fake::Identifier if column.table.name != "ir_model_data" => vec![(1, As::Code, plain("identifier"))],
        _ => Vec::new(),
    }
}
