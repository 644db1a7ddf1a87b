//! `docs/configuration.md` holds a table for each section; they are made from the keys that are
//! known.

use std::fmt::Write;

use super::Fixture;
use crate::keys::{
    ANONYMIZE, CHECK, COPIES, DAEMON, DRILL, INSTANCE, NOTIFY, REPOSITORY, RETENTION, SectionKeys, TARGET,
};

const PAGE: &str = include_str!("../../../docs/configuration.md");

/// Returns the rows of `section` but those of keys that `other` has, and explains, already.
fn table(section: &SectionKeys, other: Option<&SectionKeys>) -> String {
    let mut table = String::from("| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n");
    for key in section.keys().filter(|key| !other.is_some_and(|other| other.knows(key.name))) {
        writeln!(table, "| `{}` | {} | {} | {} | `{}` |", key.name, key.kind, key.default, key.about, key.example)
            .unwrap();
    }
    table
}

#[test]
fn page_has_every_key() {
    let alone =
        [REPOSITORY, INSTANCE, RETENTION, CHECK, DAEMON, DRILL, ANONYMIZE, NOTIFY].map(|section| table(&section, None));
    let own = [(&COPIES, &REPOSITORY), (&TARGET, &INSTANCE)].map(|(section, other)| table(section, Some(other)));
    for table in alone.into_iter().chain(own) {
        assert!(PAGE.contains(&table), "docs/configuration.md should have this table:\n\n{table}");
    }
}

#[test]
fn examples_of_page_load() {
    let blocks: Vec<_> = PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        let repository = if block.contains("[repository]") { "" } else { "repository.url = 'file:///r'\n" };
        let fixture = Fixture::new().variable("S3_ACCESS_KEY_ID", "x").variable("PING_KEY", "x");
        let errors = fixture.try_load(&format!("{repository}{block}")).map(|_| ()).map_err(|error| error.to_string());
        // The files that the examples name are not on every machine.
        let other = errors.err().into_iter().flat_map(|errors| errors.lines().map(String::from).collect::<Vec<_>>());
        let other: Vec<_> =
            other.filter(|error| !error.contains("unable to read /etc/") && !error.contains("shop.password")).collect();
        assert_eq!(other, [""; 0], "{block}");
    }
}
