//! The manual against what it describes.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
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
fn what_is_explained_is_what_the_program_says() {
    let mut code = String::new();
    for package in ["engine", "config", "daemon", "cli"] {
        sources(&root().join(package).join("src"), &mut code);
    }
    let manual = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let titles = manual.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let mut explained = 0;
    for title in titles {
        // pg_dump and pg_restore stand in one message, which names the program.
        let title =
            title.replace("pg_dump failed", "{program} failed").replace("pg_restore failed", "{program} failed");
        for part in title.split('…').map(str::trim).filter(|part| part.len() > 1) {
            assert!(code.contains(part), "{title:?}: no source has {part:?}");
        }
        explained += 1;
    }
    assert!(explained > 20);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    documents.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)));
    for document in documents.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let to = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            assert!(to.exists(), "{}: {link} leads nowhere", document.display());
            if !anchor.is_empty() && to.is_file() {
                let headings = fs::read_to_string(&to).unwrap();
                let found = headings.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor);
                assert!(found, "{}: {link} names no heading", document.display());
            }
        }
    }
}

/// A heading's anchor, as the hosts of repositories make it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}
