//! Compares the tables of `docs/configuration.md` with the keys that are known.

use std::fmt::Write;

use super::Fixture;
use crate::keys::{
    ANONYMIZE, CHECK, COPIES, DAEMON, DRILL, INSTANCE, INSTANCE_HOOKS, NOTIFY, REPOSITORY, RETENTION, SectionKeys,
    TARGET,
};

const PAGE: &str = include_str!("../../../docs/configuration.md");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
/// Set to `update`, it lets the tables be written rather than compared.
const UPDATE: &str = "ODOO_BACKUP_SNAPSHOTS";

/// Returns the rows of `section`, without the keys that the table of `other` explains.
fn table(section: &SectionKeys, other: Option<&SectionKeys>) -> String {
    let mut table = String::from("| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n");
    for key in section.keys().filter(|key| !other.is_some_and(|other| other.knows(key.name))) {
        writeln!(table, "| `{}` | {} | {} | {} | `{}` |", key.name, key.kind, key.default, key.about, key.example)
            .unwrap();
    }
    table
}

#[test]
fn configuration_page_has_every_key() {
    let alone = [REPOSITORY, INSTANCE, RETENTION, CHECK, DRILL, INSTANCE_HOOKS, ANONYMIZE, NOTIFY, DAEMON]
        .map(|section| (section, None));
    let own = [(COPIES, Some(&REPOSITORY)), (TARGET, Some(&INSTANCE))];
    let (mut page, mut differences) = (PAGE.to_owned(), String::new());
    for (section, other) in alone.into_iter().chain(own) {
        let (begin, end) = (format!("<!-- keys {} -->\n", section.header), "<!-- /keys -->\n");
        let table = table(&section, other);
        let split = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?)));
        let Some((before, (there, after))) = split else { panic!("{} has no table of {}", PATH, section.header) };
        if there != table {
            writeln!(differences, "{PATH} should have this table of {}:\n\n{table}", section.header).unwrap();
        }
        page = [before, &begin, &table, end, after].concat();
    }
    if std::env::var(UPDATE).is_ok_and(|value| value == "update") {
        return std::fs::write(PATH, page).unwrap();
    }
    assert!(differences.is_empty(), "{differences}{UPDATE}=update writes them again");
}

#[test]
fn configuration_page_examples_load() {
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
