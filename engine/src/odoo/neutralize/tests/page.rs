//! Checks that the tables in `docs/neutralization.md` match the program.

use std::fmt::Write;

use crate::odoo::neutralize::credentials::{FAMILIES, PARAMETERS, PARAMETERS_STAY, STAY};
use crate::odoo::neutralize::einvoicing;
use crate::odoo::neutralize::statements::{CHECKS, DUMMY, STATEMENTS};

const PAGE: &str = include_str!("../../../../../docs/neutralization.md");

fn assert_on_page(text: &str) {
    assert!(PAGE.contains(text), "docs/neutralization.md should have this:\n\n{text}");
}

/// Asserts that the page has this text, on one line or on several.
fn assert_on_page_wrapped(text: &str) {
    let page = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(text), "docs/neutralization.md should have this:\n\n{text}");
}

#[test]
fn page_lists_every_statement() {
    let mut table = String::from("| area | table | what is done |\n| --- | --- | --- |\n");
    for statement in STATEMENTS.iter().chain([&DUMMY]) {
        writeln!(table, "| {} | `{}` | {} |", statement.area, statement.table, statement.about).unwrap();
    }
    assert_on_page(&table);
}

#[test]
fn page_lists_every_pattern() {
    let mut table = String::from("| tables | columns |\n| --- | --- |\n");
    let cell = |pattern: &str| pattern.replace('|', "\\|");
    for family in FAMILIES {
        writeln!(table, "| `{}` | `{}` |", cell(family.tables), cell(family.columns)).unwrap();
    }
    assert_on_page(&table);
    let stay: Vec<_> = STAY.iter().map(|name| format!("`{name}`")).collect();
    assert_on_page_wrapped(&stay.join(", "));
    for pattern in [PARAMETERS, PARAMETERS_STAY, einvoicing::TABLES, einvoicing::TEST, einvoicing::PRODUCTION] {
        assert_on_page(&format!("`{pattern}`"));
    }
    for (column, production, test) in einvoicing::SELECTIONS {
        assert_on_page(&format!("| `{column}` | `{production}` | `{test}` |"));
    }
}

#[test]
fn page_lists_every_assertion() {
    let mut asserted: Vec<_> = CHECKS.iter().map(|check| format!("- no {}\n", check.none)).collect();
    asserted.dedup();
    asserted.push("- no switch of e-invoicing that means production\n".into());
    assert_on_page(&asserted.concat());
}

#[test]
fn statements_write_what_they_say() {
    for statement in STATEMENTS {
        let writes = ["UPDATE ", "DELETE FROM ", "INSERT INTO "].map(|verb| format!("{verb}{} ", statement.table));
        let sql = format!("{} ", statement.sql);
        assert!(writes.iter().any(|beginning| sql.starts_with(beginning)), "{}", statement.sql);
    }
}
