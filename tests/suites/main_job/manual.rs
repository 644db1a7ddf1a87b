//! Compares the manual with the program.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn troubleshooting_titles_are_in_sources() {
    let mut code = String::new();
    for package in ["engine", "config", "daemon", "cli"] {
        sources(&root().join(package).join("src"), &mut code);
    }
    let manual = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let titles = manual.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let mut explained = 0;
    for title in titles {
        // pg_dump and pg_restore share one message, which names the program.
        let title =
            title.replace("pg_dump failed", "{program} failed").replace("pg_restore failed", "{program} failed");
        for part in title.split('…').map(str::trim).filter(|part| part.len() > 1) {
            assert!(code.contains(part), "{title:?}: no source has {part:?}");
        }
        explained += 1;
    }
    assert!(explained > 20);
}

/// Returns the table of all messages with links to their sections, sorted by their words.
fn index(page: &str) -> String {
    let mut rows = Vec::new();
    let mut chapter = "";
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            chapter = heading;
        } else if let Some(title) = line.strip_prefix("### ") {
            let key = title.trim_matches('`').to_lowercase();
            let key = key.trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned();
            rows.push((key, format!("| [{title}](#{}) | {chapter} |\n", slug(line))));
        }
    }
    rows.sort();
    let rows: String = rows.into_iter().map(|(_, row)| row).collect();
    format!("| message | about |\n| --- | --- |\n{rows}")
}

#[test]
fn troubleshooting_indexes_every_message() {
    const UPDATE: &str = "ODOO_BACKUP_SNAPSHOTS";
    let path = root().join("docs/troubleshooting.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- index -->\n", "<!-- /index -->\n");
    let (before, rest) = page.split_once(begin).expect("a mark where the index begins");
    let (there, after) = rest.split_once(end).expect("a mark where the index ends");
    let index = index(&page);
    if std::env::var(UPDATE).is_ok_and(|value| value == "update") {
        return fs::write(&path, [before, begin, &index, end, after].concat()).unwrap();
    }
    assert!(there == index, "the index should be:\n{index}{UPDATE}=update writes it again");
}

/// Returns the anchor of a heading, as repository hosts create it.
pub(super) fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Types that carry hints, and where the hints are shown. Add a new type here and show its hint
/// there.
const HINTS: [(&str, &str, &str); 34] = [
    ("retention", "Hold", "engine/src/prune.rs"),
    ("retention", "PlanError", "engine/src/error.rs"),
    ("retention", "PolicyError", "config/src/retention.rs"),
    ("retention", "SettingError", "config/src/value.rs"),
    ("engine", "Error", "engine/src/error/explain.rs"),
    ("engine", "RepositoryError", "engine/src/error/explain.rs"),
    ("engine", "StoreError", "engine/src/error/explain.rs"),
    ("engine", "PostgresError", "engine/src/error/explain.rs"),
    ("engine", "FilestoreError", "engine/src/error/explain.rs"),
    ("engine", "NeutralizeError", "engine/src/error/explain.rs"),
    ("engine", "AnonymizeError", "engine/src/error/explain.rs"),
    ("engine", "RestoreError", "engine/src/error/explain.rs"),
    ("engine", "ImportError", "engine/src/error/explain.rs"),
    ("engine", "SealError", "engine/src/error/explain.rs"),
    ("engine", "RecipientsError", "engine/src/error/explain.rs"),
    ("engine", "Refused", "engine/src/seal/recipient.rs"),
    ("engine", "SignError", "engine/src/error/explain.rs"),
    ("engine", "PrivateFileError", "engine/src/sign/key.rs"),
    ("engine", "SignersError", "engine/src/error/explain.rs"),
    // No verb asks for a verdict yet.
    ("engine", "Distrust", "engine/src/sign/verdict.rs"),
    ("engine", "Doubt", "engine/src/sign/verdict.rs"),
    ("engine", "HookError", "engine/src/error.rs"),
    ("engine", "LockError", "engine/src/repository/mod.rs"),
    ("engine", "OtherDatabase", "engine/src/error.rs"),
    ("engine", "OdooConfError", "cli/src/commands/init.rs"),
    ("config", "ConfigError", "config/src/explain.rs"),
    ("config", "UnknownName", "config/src/explain.rs"),
    ("config", "ScheduleError", "config/src/value.rs"),
    ("daemon", "JournalError", "daemon/src/handle.rs"),
    ("daemon", "SendError", "daemon/src/notify/sender.rs"),
    ("daemon", "Failure", "daemon/src/failure.rs"),
    ("daemon", "ListenError", "cli/src/commands/failure.rs"),
    ("daemon", "OpenError", "cli/src/commands/failure.rs"),
    ("cli", "InitError", "cli/src/commands/init.rs"),
];

#[test]
fn every_hint_is_shown_somewhere() {
    let mut found = Vec::new();
    for package in ["retention", "engine", "config", "daemon", "cli"] {
        let mut code = String::new();
        sources(&root().join(package).join("src"), &mut code);
        let mut of = String::new();
        for line in code.lines() {
            if let Some(name) = line.strip_prefix("impl ").and_then(|rest| rest.strip_suffix(" {")) {
                of = name.to_owned();
            } else if line.trim_start().contains("fn hint(&self)") {
                found.push((package.to_owned(), of.clone()));
            }
        }
    }
    let known = |package: &str, name: &str| HINTS.iter().find(|(of, known, _)| (*of, *known) == (package, name));
    for (package, name) in &found {
        let Some((_, _, shown)) = known(package, name) else { panic!("{package}: nothing shows the hint of {name}") };
        let text = fs::read_to_string(root().join(shown)).unwrap();
        assert!(text.contains(name) && text.contains("hint"), "{shown} does not show the hint of {name}");
    }
    assert_eq!(found.len(), HINTS.len());
}
