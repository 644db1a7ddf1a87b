//! `docs/configuration.md` holds a table for each section; they are made from the keys that are known.

use std::fmt::Write;

use crate::config::keys::{INSTANCE, REPOSITORY, SectionKeys, TARGET};

const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// The rows of `section` but those of keys that `other` has, and explains, already.
fn table(section: &SectionKeys, other: Option<&SectionKeys>) -> String {
    let mut table = String::from("| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n");
    for key in section.keys().filter(|key| !other.is_some_and(|other| other.knows(key.name))) {
        writeln!(table, "| `{}` | {} | {} | {} | `{}` |", key.name, key.kind, key.default, key.about, key.example)
            .unwrap();
    }
    table
}

#[test]
fn the_page_has_every_key() {
    for table in [table(&REPOSITORY, None), table(&INSTANCE, None), table(&TARGET, Some(&INSTANCE))] {
        assert!(PAGE.contains(&table), "docs/configuration.md should have this table:\n\n{table}");
    }
}
