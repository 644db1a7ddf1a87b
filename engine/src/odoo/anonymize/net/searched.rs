//! What is searched: every column of text in every schema, and how each is read and written.

use std::collections::BTreeMap;

use crate::odoo::anonymize::columns::TableName;
use crate::odoo::anonymize::plan::Plan;
use crate::postgres::{PostgresError, Session, quote};

/// Longer values, in bytes as they are stored, are not read into memory.
pub(super) const LONGEST_VALUE: u32 = 16 * 1024 * 1024;

/// How a column's values are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text of some kind, including XML.
    Text,
    /// JSON of either kind.
    Json,
    /// An array of texts: read as JSON.
    Array,
    /// Read as JSON, and not written: computed by the database, of a custom type, or used by the
    /// modules' code.
    Other,
}

/// A column that is searched.
#[derive(Debug, Clone)]
pub(super) struct Searched {
    pub(super) name: String,
    pub(super) form: Form,
    /// The whole name of its type.
    kind: String,
    /// Which rows are read; all where there is none.
    only: Option<String>,
}

impl Searched {
    /// Returns the value as it is searched; NULL where it is not.
    pub(super) fn read(&self) -> String {
        let name = format!("t.{}", quote(&self.name));
        let value = match self.form {
            Form::Text | Form::Json => format!("{name}::text"),
            Form::Array | Form::Other => format!("pg_catalog.to_jsonb({name})::text"),
        };
        let only = self.only.as_deref().map(|only| format!(" AND ({only})")).unwrap_or_default();
        format!("CASE WHEN pg_catalog.pg_column_size({name}) <= {LONGEST_VALUE}{only} THEN {value} END")
    }

    /// Returns `value` in SQL as the column needs it.
    pub(super) fn written(&self, value: &str) -> String {
        let (name, kind) = (format!("t.{}", quote(&self.name)), &self.kind);
        match self.form {
            Form::Array => format!(
                "CASE WHEN pg_catalog.array_ndims({name}) = 1 THEN (SELECT pg_catalog.array_agg(e ORDER BY n)
                     FROM pg_catalog.jsonb_array_elements_text({value}::jsonb) WITH ORDINALITY AS x (e, n))::{kind} ELSE {name} END"
            ),
            _ => format!("{value}::{kind}"),
        }
    }
}

/// A table that is searched. Its children and partitions are separate tables.
#[derive(Debug, Clone)]
pub(super) struct SearchedTable {
    pub(super) name: TableName,
    pub(super) columns: Vec<Searched>,
    /// Whether it contains data of modules, whose addresses belong to no person.
    pub(super) is_shipped: bool,
}

/// What is searched, the largest table first, and what cannot be, in words.
#[derive(Debug, Default)]
pub(super) struct Everything {
    pub(super) tables: Vec<SearchedTable>,
    pub(super) not_searched: Vec<String>,
}

/// Parameters that the copy itself uses.
const OF_THE_COPY: &str = "t.key !~ '^(database\\.|web\\.base\\.url|report\\.url)'";

/// Returns whether it is code, or named in code: replaced words would break it.
fn is_code(table: &TableName, column: &str) -> bool {
    table.is_odoos
        && (table.name.starts_with("ir_model")
            || matches!(
                (table.name.as_str(), column),
                ("ir_act_server", "code") | ("ir_rule", "domain_force") | ("ir_ui_view", "key")
            ))
}

/// Looks for what is to be searched.
pub(super) async fn find(session: &Session, plan: &Plan, odoo: &str) -> Result<Everything, PostgresError> {
    let query = "SELECT n.nspname::text, c.relname::text, n.nspname = $1, c.relkind::text, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
             t.typcategory::text, t.typtype::text, coalesce(b.typname, t.typname)::text, coalesce(e.typcategory::text, ''), coalesce(e.typname::text, ''),
             coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') <> ''
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
         LEFT JOIN pg_catalog.pg_type e ON t.typcategory = 'A' AND e.oid = t.typelem
         WHERE c.relkind IN ('r', 'f') AND c.relpersistence <> 't'
         ORDER BY pg_catalog.pg_relation_size(c.oid) DESC, n.nspname, c.relname, a.attnum";
    let rows = session.query(query, &[&odoo]).await.map_err(session.failed("look for columns of text"))?;
    let mut planned: BTreeMap<(&TableName, &str), Option<&str>> = BTreeMap::new();
    for table in &plan.tables {
        for one in &table.planned {
            planned
                .insert((&table.name, &one.column.name), one.unless.as_ref().map(|(_, condition)| condition.as_str()));
        }
    }
    let mut found = Everything::default();
    for row in &rows {
        let table = TableName { schema: row.get(0), name: row.get(1), is_odoos: row.get(2) };
        let name: String = row.get(4);
        if row.get::<_, &str>(3) == "f" {
            let what = format!("the foreign table {table}");
            if found.not_searched.last() != Some(&what) {
                found.not_searched.push(what);
            }
            continue;
        }
        // The modules' descriptions come from files of every installation.
        if table.is_odoos && table.name.starts_with("ir_module") {
            continue;
        }
        if plan.emptied.contains(&table) || plan.kept.iter().any(|kept| kept.table == table && kept.name == name) {
            continue;
        }
        let (category, base, element, generated): (&str, &str, &str, bool) =
            (row.get(6), row.get(8), row.get(9), row.get(11));
        let form = match (category, base, element) {
            _ if base == "tsvector" => {
                found.not_searched.push(format!("{table}.{name} (tsvector)"));
                continue;
            }
            ("S", ..) => Form::Text,
            (_, "json" | "jsonb", _) => Form::Json,
            (_, "xml" | "hstore", _) => Form::Text,
            ("A", _, "S") => Form::Array,
            ("A", _, "C") | ("C", ..) => Form::Other,
            ("A", ..) if ["json", "jsonb", "xml"].contains(&row.get::<_, &str>(10)) => Form::Other,
            _ => continue,
        };
        let form = if generated || is_code(&table, &name) { Form::Other } else { form };
        let only = match planned.get(&(&table, name.as_str())) {
            // All of its values become fakes, or stay by a condition on their row.
            Some(None) => continue,
            Some(Some(stays)) => Some((*stays).to_owned()),
            None => (table.is_odoos && table.name == "ir_config_parameter").then(|| OF_THE_COPY.to_owned()),
        };
        if found.tables.last().is_none_or(|last| last.name != table) {
            let is_shipped = ["ir_model", "ir_module", "ir_ui"].iter().any(|prefix| table.name.starts_with(prefix))
                || table.name.contains("template");
            found.tables.push(SearchedTable { name: table, columns: Vec::new(), is_shipped });
        }
        let Some(last) = found.tables.last_mut() else { continue };
        last.columns.push(Searched { name, form, kind: row.get(5), only });
    }
    Ok(found)
}
