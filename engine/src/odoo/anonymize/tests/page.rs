//! Checks that the tables in `docs/anonymization.md` match the program.

use std::fmt::Write;

use crate::odoo::anonymize::Fake;
use crate::odoo::anonymize::attachments::{MODELS, UPLOADS_OF};
use crate::odoo::anonymize::families::{ANY, EMPTIED, FAMILIES};

const PAGE: &str = include_str!("../../../../../docs/anonymization.md");

#[track_caller]
fn assert_on_page(text: &str) {
    assert!(PAGE.contains(text), "docs/anonymization.md should have this:\n\n{text}");
}

/// Asserts that the page has this text, on one line or on several.
fn assert_on_page_wrapped(text: &str) {
    let page = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(text), "docs/anonymization.md should have this:\n\n{text}");
}

#[test]
fn page_lists_every_pattern() {
    let mut table = String::from("| tables | columns | kind | but |\n| --- | --- | --- | --- |\n");
    let cell = |pattern: &str| pattern.replace('|', "\\|");
    for family in FAMILIES {
        let tables = if family.tables == ANY { "any".into() } else { format!("`{}`", cell(family.tables)) };
        let (columns, kind) = (cell(family.columns), family.fake.as_str());
        let unless = family.unless.map_or("", |unless| unless.about);
        writeln!(table, "| {tables} | `{columns}` | `{kind}` | {unless} |").unwrap();
    }
    assert_on_page(&table);
    assert_on_page(&format!("`{ANY}`"));
}

#[test]
fn page_lists_kinds_and_emptied_tables() {
    for kind in Fake::ALL {
        assert_on_page(&format!("\n| `{}` | ", kind.as_str()));
    }
    let emptied: Vec<_> = EMPTIED.iter().map(|table| format!("`{table}`")).collect();
    assert_on_page_wrapped(&emptied.join(", "));
    assert!(EMPTIED.is_sorted());
    assert_on_page(&format!("\n{MODELS}\n"));
    assert_on_page(&format!("`{UPLOADS_OF}`"));
}
