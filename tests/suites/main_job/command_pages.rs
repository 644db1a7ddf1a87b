//! Compares the pages of `docs/commands` and `docs/json.md` with what the commands print and how
//! they end, as `tests/snapshots` records it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::manual::{root, slug};

/// If set to `update`, the examples are written, not compared.
const UPDATE: &str = "ODOO_BACKUP_SNAPSHOTS";

/// Sections of `docs/json.md` that describe a part with its own name in the snapshots.
const PARTS: [(&str, &str); 5] = [
    ("<error>", "an-error"),
    ("<neutralized>", "neutralization"),
    ("<verification>", "verification"),
    ("<anonymized>", "anonymization"),
    ("<outcome>", "how-a-run-ended"),
];

/// A document that a command prints: paths of keys with their types.
type Document = BTreeMap<String, String>;

/// A row in a table of keys.
#[derive(Debug, Clone)]
struct Row {
    keys: Vec<String>,
    /// The sections of `docs/json.md` with the remaining keys.
    more: Vec<String>,
}

/// The description of a document on a page.
#[derive(Debug, Clone, Default)]
struct Described {
    rows: Vec<Row>,
    /// Sections of `docs/json.md` whose keys the document has all.
    all_of: Vec<String>,
}

/// Reads the documents of the snapshots by their titles.
fn documents() -> BTreeMap<String, Document> {
    let mut documents: BTreeMap<String, Document> = BTreeMap::new();
    for name in ["commands", "daemon-commands"] {
        let text = fs::read_to_string(root().join(format!("tests/snapshots/{name}.txt"))).unwrap();
        for section in text.split("## ").skip(1) {
            let (title, lines) = section.split_once('\n').unwrap();
            let document = documents.entry(title.to_owned()).or_default();
            for (path, kind) in lines.lines().filter_map(|line| line.split_once(": ")) {
                let known = document.entry(path.replace('?', "")).or_default();
                known.push_str(kind);
            }
        }
    }
    documents
}

/// Returns the sections of a page by their headings.
fn sections(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let sections = text.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap_or((section, "")));
    sections.map(|(heading, text)| (heading.to_owned(), text.to_owned())).collect()
}

/// Reads the tables of keys in a section.
fn described(section: &str) -> Described {
    let mut described = Described::default();
    for line in section.lines() {
        let more = line.split("json.md#").skip(1).filter_map(|rest| rest.split(')').next());
        let more = more.chain(line.split("](#").skip(1).filter_map(|rest| rest.split(')').next()));
        let more: Vec<_> = more.map(str::to_owned).collect();
        match line.strip_prefix("| `").and_then(|row| row.split_once(" |")) {
            Some((keys, _)) => {
                let keys = keys.split('`').filter(|key| !key.trim_matches([',', ' ']).is_empty());
                described.rows.push(Row { keys: keys.map(str::to_owned).collect(), more });
            }
            None if line.starts_with('|') => {}
            None => described.all_of.extend(more),
        }
    }
    described
}

/// Returns whether `path` is within what `key` names.
fn is_within(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.starts_with('.') || rest.starts_with("[]"))
}

fn joined(key: &str, rest: &str) -> String {
    if key.is_empty() { rest.to_owned() } else { format!("{key}.{rest}") }
}

/// Returns whether the document has the key, as far as the snapshot shows it: a list may be empty
/// there.
fn has(document: &Document, key: &str) -> bool {
    let is_open = |kind: &str| ["array", "null", "object"].iter().any(|open| kind.contains(open));
    document.iter().any(|(path, kind)| path == key || is_within(path, key) || is_open(kind) && is_within(key, path))
}

/// The shared sections of `docs/json.md` by their anchors.
struct Shared {
    sections: BTreeMap<String, Described>,
    /// Keys of sections that at least one document has.
    found: BTreeSet<(String, String)>,
}

impl Shared {
    fn read() -> Self {
        let sections = sections(&root().join("docs/json.md"));
        let sections = sections.iter().map(|(heading, text)| (slug(heading), described(text))).collect();
        Self { sections, found: BTreeSet::new() }
    }

    /// Returns whether the keys of a section, below `prefix`, include the path.
    fn covers(&self, anchor: &str, prefix: &str, path: &str) -> bool {
        let section = self.sections.get(anchor).unwrap_or_else(|| panic!("docs/json.md has no section {anchor}"));
        self.is_described(section, prefix, path)
    }

    fn is_described(&self, described: &Described, prefix: &str, path: &str) -> bool {
        let all: Vec<String> = described.rows.iter().flat_map(|row| &row.keys).map(|key| joined(prefix, key)).collect();
        let by_row = described.rows.iter().any(|row| {
            row.keys.iter().map(|key| joined(prefix, key)).any(|key| {
                let is_whole = row.more.is_empty() && !all.iter().any(|other| is_within(other, &key));
                // If a list is empty in the snapshot, the page may name the keys of its elements.
                path == key
                    || is_within(&key, path)
                    || is_whole && is_within(path, &key)
                    || row
                        .more
                        .iter()
                        .any(|anchor| self.sections.contains_key(anchor) && self.covers(anchor, &key, path))
            })
        });
        by_row || described.all_of.iter().any(|anchor| self.covers(anchor, prefix, path))
    }

    /// Records which keys of a section the document has below `prefix`.
    fn note(&mut self, anchor: &str, prefix: &str, document: &Document) {
        let Some(section) = self.sections.get(anchor).cloned() else { return };
        for row in &section.rows {
            for key in &row.keys {
                if has(document, &joined(prefix, key)) {
                    self.found.insert((anchor.to_owned(), key.clone()));
                }
                row.more.iter().for_each(|more| self.note(more, &joined(prefix, key), document));
            }
        }
    }
}

/// Returns the description of a command's document on its page: in the section of its option, or in
/// the first.
fn page_of(title: &str) -> (String, Described) {
    let (command, rest) = title.split_once(' ').unwrap_or((title, ""));
    let page = format!("docs/commands/{command}.md");
    let sections: Vec<_> = sections(&root().join(&page)).into_iter().filter(|(of, _)| of.starts_with("JSON")).collect();
    let own = sections.iter().find(|(heading, _)| !rest.is_empty() && heading.ends_with(rest));
    let (_, text) = own.or(sections.first()).unwrap_or_else(|| panic!("{page} has no section JSON"));
    (page, described(text))
}

#[test]
fn command_page_names_every_key() {
    let (documents, mut shared) = (documents(), Shared::read());
    let mut wrong = Vec::new();
    for (title, document) in &documents {
        let (page, described) = match PARTS.iter().find(|(part, _)| part == title) {
            Some((_, anchor)) => (format!("docs/json.md#{anchor}"), shared.sections[*anchor].clone()),
            None if title.starts_with('<') || title == "error" => continue,
            None => page_of(title),
        };
        for path in document.keys().filter(|path| !shared.is_described(&described, "", path)) {
            wrong.push(format!("{page} does not name `{path}` of {title}"));
        }
        for row in &described.rows {
            for key in row.keys.iter().filter(|key| !has(document, key)) {
                wrong.push(format!("{page} names `{key}`, which {title} does not have"));
            }
            let links = row.more.iter().flat_map(|anchor| row.keys.iter().map(move |key| (anchor, key)));
            links.for_each(|(anchor, key)| shared.note(anchor, key, document));
        }
        described.all_of.iter().for_each(|anchor| shared.note(anchor, "", document));
    }
    let parts: Vec<_> = PARTS.iter().map(|(_, anchor)| *anchor).collect();
    for (anchor, section) in shared.sections.iter().filter(|(anchor, _)| !parts.contains(&anchor.as_str())) {
        for key in section.rows.iter().flat_map(|row| &row.keys) {
            if !shared.found.contains(&(anchor.clone(), key.clone())) {
                wrong.push(format!("docs/json.md#{anchor} names `{key}`, which no document has"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn command_page_lists_exit_codes() {
    let text = fs::read_to_string(root().join("tests/snapshots/exit-codes.txt")).unwrap();
    let mut wrong = Vec::new();
    for (code, title) in text.lines().filter_map(|line| line.split_once('\t')) {
        // These are the same for all commands, and `--nagios` has its own codes.
        if ["2", "10", "11", "130"].contains(&code) || title.contains("--nagios") {
            continue;
        }
        let command = title.split([' ', ',']).next().unwrap();
        let page = format!("docs/commands/{command}.md");
        let sections = sections(&root().join(&page));
        let table = sections.iter().find(|(heading, _)| heading == "Exit codes");
        if !table.is_some_and(|(_, text)| text.contains(&format!("\n| {code} | "))) {
            wrong.push(format!("{page} does not say that it ends in {code}, as in: {title}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the commands of a case in `tests/golden` with their output, as a terminal shows it.
/// `what` is `COMMAND: TITLE`, and may end in `, N lines` for the first N of them.
fn golden(what: &str) -> String {
    let (command, title) = what.split_once(": ").unwrap_or_else(|| panic!("{what}: COMMAND: TITLE"));
    let limit = title.strip_suffix(" lines").and_then(|title| title.rsplit_once(", "));
    let (title, limit) = limit.map_or((title, usize::MAX), |(title, lines)| (title, lines.parse().unwrap()));
    let text = fs::read_to_string(root().join(format!("tests/golden/{command}.txt"))).unwrap();
    let case = text.split("\n## ").find_map(|case| case.strip_prefix(title)?.strip_prefix('\n'));
    let case = case.unwrap_or_else(|| panic!("tests/golden/{command}.txt has no case {title:?}"));
    let lines = case.trim().lines().filter(|line| !line.starts_with("exit code "));
    let plain = |line| str::strip_prefix(line, ['|', '!']).map_or(line, |line| line.strip_prefix(' ').unwrap_or(line));
    let lines: Vec<&str> = lines.map(plain).collect();
    let mut text = lines[..lines.len().min(limit)].join("\n");
    if lines.len() > limit {
        text.push_str("\n…");
    }
    format!("```console\n{text}\n```\n")
}

#[test]
fn pages_show_golden_examples() {
    let (mark, end) = ("<!-- golden ", "<!-- /golden -->\n");
    let mut wrong = Vec::new();
    let folders = ["docs", "docs/commands"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    for path in folders.into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = fs::read_to_string(&path).unwrap();
        let mut parts = page.split(mark);
        let mut text = parts.next().unwrap().to_owned();
        for part in parts {
            let (what, rest) = part.split_once(" -->\n").expect("the end of a mark");
            let (there, after) = rest.split_once(end).expect("a mark where the example ends");
            let example = golden(what);
            if there != example {
                wrong.push(format!("{}: the example of {what} should be\n{example}", path.display()));
            }
            text.push_str(&[mark, what, " -->\n", &example, end, after].concat());
        }
        if std::env::var(UPDATE).is_ok_and(|value| value == "update") && text != page {
            fs::write(&path, text).unwrap();
        }
    }
    let update = std::env::var(UPDATE).is_ok_and(|value| value == "update");
    assert!(update || wrong.is_empty(), "{}\n{UPDATE}=update writes them again", wrong.join("\n"));
}
