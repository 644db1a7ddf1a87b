//! Fails where text for people breaks the rules of `docs/style.md`.
//!
//! - `words`: a refused phrase in any text file. Single refused words are in `typos.toml`.
//! - `width`: a line of Markdown over 100 columns, outside tables and code.
//! - `comments`: a comment in Rust over 100 columns.
//! - `names`: a test in Rust whose name has more than six words.
//! - `links`: a link of a document, or a mention of `docs/PAGE.md` anywhere, that leads nowhere;
//!   and a source file that `docs/architecture.md` or a decision record names and that does not
//!   exist.
//!
//! `make lint` builds this file by `rustc` and runs it in the root of the repository. It reads text
//! alone and needs nothing but the standard library.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

const COLUMNS: usize = 100;
const WORDS_OF_TEST: usize = 6;

/// Phrases that are refused, and what to write instead.
///
/// `…` stands for at most three words other than "and". `a|b` is one of several words.
const PHRASES: &[(&str, &str)] = &[
    ("hold|holds|held|holding … against", "compare with, check against"),
    ("is|are|was|were|be|been told of", "report, notify"),
    ("stand|stands|stood|standing on", "reference, be based on"),
    ("make|makes|made|making … harmless", "neutralize"),
    ("goes|went|going on", "run, be running, continue"),
    ("go on", "run, continue"),
    ("at work", "running"),
    ("its|their|his turn", "wait for, be queued"),
    ("let|lets|letting … go", "release"),
    ("is|are|was|were|be|been|stays|stay whole", "intact"),
    ("is|are|was|were|be|been sound", "intact"),
    ("sound copy|copies|backup|backups|object|objects|one|ones", "intact"),
    ("has|have|had it sound|whole", "have an intact copy"),
    ("set|sets|setting … aside", "quarantine"),
    ("is|are|was|were|be|been|has|have rescued", "recovered from an earlier backup"),
    ("rescued file|files|from", "recovered from an earlier backup"),
    ("side by side", "next to, in parallel"),
];

/// Folders that hold no text of this project, or text that must stay as it was.
const SKIPPED: &[&str] =
    &["target", ".git", ".tools", "fuzz/corpus", "fuzz/found", "tests/frozen/format-1", "tests/snapshots", "daemon/assets/vendor"];

/// Files that contain refused words and broken links as examples.
const EXAMPLES: &[&str] = &["docs/style.md", "tests/prose.rs", "typos.toml"];

struct Fault {
    check: &'static str,
    path: String,
    line: usize,
    what: String,
}

fn main() -> ExitCode {
    let mut paths = Vec::new();
    collect(Path::new(""), &mut paths);
    let texts: BTreeMap<String, String> =
        paths.into_iter().filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?))).collect();
    let mut faults = Vec::new();
    for (path, text) in &texts {
        check(path, text, &texts, &mut faults);
    }
    for Fault { check, path, line, what } in &faults {
        println!("{path}:{line}: {check}: {what}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn collect(folder: &Path, paths: &mut Vec<String>) {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in fs::read_dir(here).expect("a folder of the repository").flatten() {
        let path = folder.join(entry.file_name());
        let name = path.to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) || entry.path().is_symlink() {
            continue;
        }
        if entry.path().is_dir() {
            collect(&path, paths);
        } else {
            paths.push(name);
        }
    }
}

fn check(path: &str, text: &str, texts: &BTreeMap<String, String>, faults: &mut Vec<Fault>) {
    let mut add = |check, line, what| faults.push(Fault { check, path: path.to_owned(), line, what });
    let is_markdown = path.ends_with(".md");
    if !EXAMPLES.contains(&path) && !path.ends_with(".lock") {
        for (line, found, instead) in refused(text, is_markdown) {
            add("words", line, format!("`{found}`: write instead: {instead}"));
        }
    }
    for (line, width) in if is_markdown { wide_lines(text) } else { Vec::new() } {
        add("width", line, format!("{width} columns: wrap the line at {COLUMNS}"));
    }
    for (line, width) in if path.ends_with(".rs") { wide_comments(text) } else { Vec::new() } {
        add("comments", line, format!("{width} columns: wrap the comment at {COLUMNS}"));
    }
    for (line, name) in if path.ends_with(".rs") { long_test_names(text) } else { Vec::new() } {
        add("names", line, format!("{name}: name the test in at most {WORDS_OF_TEST} words"));
    }
    if is_markdown {
        for (line, link) in links(text) {
            if let Some(why) = leads_nowhere(path, &link, texts) {
                add("links", line, format!("{link} {why}: correct the link"));
            }
        }
        for (line, source) in if describes_sources(path) { sources(text) } else { Vec::new() } {
            if ["", "engine/src/"].iter().all(|folder| !Path::new(folder).join(&source).exists()) {
                add("links", line, format!("{source} does not exist: name the file that took its place"));
            }
        }
    } else if !EXAMPLES.contains(&path) {
        for (line, page) in mentions(text) {
            if let Some(why) = leads_nowhere("", &page, texts) {
                add("links", line, format!("{page} {why}: correct the mention"));
            }
        }
    }
}

/// Finds the refused phrases of a text: their line, their words, and what to write instead.
fn refused(text: &str, is_markdown: bool) -> Vec<(usize, String, &'static str)> {
    let words = words_of(text, is_markdown);
    let mut found = Vec::new();
    for (phrase, instead) in PHRASES {
        let pattern: Vec<Vec<&str>> = phrase.split(' ').map(|choices| choices.split('|').collect()).collect();
        for start in 0..words.len() {
            if let Some(length) = matches(&words[start..], &pattern) {
                let phrase: Vec<&str> = words[start..start + length].iter().map(|word| word.text.as_str()).collect();
                found.push((words[start].line, phrase.join(" "), *instead));
            }
        }
    }
    found
}

/// Returns how many words match, if they begin with the pattern.
fn matches(words: &[Word], pattern: &[Vec<&str>]) -> Option<usize> {
    let Some((first, rest)) = pattern.split_first() else { return Some(0) };
    if first == &["…"] {
        return (0..=3).find_map(|gap| {
            let skipped = words.get(..gap)?;
            skipped.iter().all(|word| !word.text.is_empty() && word.text != "and").then_some(())?;
            Some(gap + matches(&words[gap..], rest)?)
        });
    }
    let word = words.first()?;
    first.contains(&word.text.as_str()).then_some(())?;
    Some(1 + matches(&words[1..], rest)?)
}

/// A word in lower case. An empty one marks the end of a sentence or a phrase.
struct Word {
    text: String,
    line: usize,
}

/// Splits a text into words. A phrase may go over line ends, but not over punctuation or code.
fn words_of(text: &str, is_markdown: bool) -> Vec<Word> {
    let mut words = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let mut rest = line.trim();
        if is_markdown && rest.starts_with("```") {
            fenced = !fenced;
        }
        for marker in ["//!", "///", "//", "#", ">", "* ", "- "] {
            if let Some(inside) = rest.strip_prefix(marker) {
                if marker == "- " || marker == "* " {
                    words.push(Word { text: String::new(), line: line_number });
                }
                rest = inside;
                break;
            }
        }
        if rest.trim().is_empty() {
            words.push(Word { text: String::new(), line: line_number });
        }
        let plain = if fenced { rest.to_owned() } else { without_code(rest) };
        let mut word = String::new();
        for c in plain.chars().chain([' ']) {
            if c.is_alphanumeric() || "_-'’".contains(c) {
                word.extend(c.to_lowercase());
                continue;
            }
            if !word.is_empty() {
                words.push(Word { text: std::mem::take(&mut word), line: line_number });
            }
            if !c.is_whitespace() {
                words.push(Word { text: String::new(), line: line_number });
            }
        }
    }
    words
}

/// Replaces the code between backticks by one character, which ends a phrase.
fn without_code(line: &str) -> String {
    let mut plain = String::new();
    let mut parts = line.split('`');
    plain.push_str(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(after) => {
                plain.push('`');
                plain.push_str(after);
            }
            None => plain.push_str(code),
        }
    }
    plain
}

/// Finds the lines of Markdown that are too wide, with their width.
fn wide_lines(text: &str) -> Vec<(usize, usize)> {
    let mut fenced = false;
    let mut wide = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && !trimmed.starts_with('|') {
            wide.extend(too_wide(line).map(|width| (index + 1, width)));
        }
    }
    wide
}

/// Finds the comments of Rust that are too wide, with their width.
fn wide_comments(text: &str) -> Vec<(usize, usize)> {
    let comments = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"));
    comments.filter_map(|(index, line)| Some((index + 1, too_wide(line)?))).collect()
}

/// Finds the names of tests that have too many words.
fn long_test_names(text: &str) -> Vec<(usize, String)> {
    let mut is_test = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().map(str::trim_start).enumerate() {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let name = line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        let Some(name) = name.filter(|_| std::mem::take(&mut is_test)) else { continue };
        if name.split('_').count() > WORDS_OF_TEST {
            found.push((index + 1, name.to_owned()));
        }
    }
    found
}

/// Returns the width of a line that is too wide and can be wrapped: a single link cannot.
fn too_wide(line: &str) -> Option<usize> {
    let width = line.chars().count();
    let text = line.trim_start_matches(['/', '!', ' ', '-', '*']);
    let can_wrap = without_code(text).trim().contains(' ');
    (width > COLUMNS && can_wrap).then_some(width)
}

/// Finds the targets of the links of a document.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let line = without_code(line);
        for (opening, closing) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            let targets = line.split(opening).skip(1).filter_map(|rest| rest.split(closing).next());
            found.extend(targets.map(|target| (index + 1, target.to_owned())));
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((index + 1, target.trim().to_owned()));
        }
    }
    found
}

/// Returns whether a document names source files between backticks, from the root or `engine/src/`.
fn describes_sources(path: &str) -> bool {
    path == "docs/architecture.md" || path.starts_with("docs/decisions/")
}

/// Finds the source files that a document names.
fn sources(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.split('`').skip(1).step_by(2).filter(|code| code.ends_with(".rs"));
        found.extend(code.map(|code| (index + 1, code.to_owned())));
    }
    found
}

/// Finds the pages of `docs/` that a text mentions by their path.
fn mentions(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices("docs/") {
            let rest = &line[at..];
            let is_of_path = |c: char| c.is_ascii_alphanumeric() || "/._-#".contains(c);
            let page = rest[..rest.find(|c| !is_of_path(c)).unwrap_or(rest.len())].trim_end_matches('.');
            let is_whole = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c));
            let name = page.split('#').next().unwrap_or_default();
            if is_whole && name.ends_with(".md") && !line[..at].contains("://") {
                found.push((index + 1, page.to_owned()));
            }
        }
    }
    found
}

/// Returns why a link of a document leads nowhere, if it does. Links to other hosts are not
/// followed.
fn leads_nowhere(document: &str, link: &str, texts: &BTreeMap<String, String>) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let to = if path.is_empty() { document.to_owned() } else { resolved(&folder.join(path)) };
    if !texts.contains_key(&to) && !Path::new(&to).exists() {
        return Some("does not exist");
    }
    let headings = texts.get(&to).filter(|_| to.ends_with(".md") && !anchor.is_empty())?;
    (!anchors(headings).contains(anchor)).then_some("names no heading")
}

/// Returns a path without `.` and `..`.
fn resolved(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::Normal(name) => plain.push(name),
            _ => {}
        }
    }
    plain.to_string_lossy().into_owned()
}

/// Returns the anchors of a document's headings, as the hosts of repositories make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut fenced, mut anchors) = (false, BTreeSet::new());
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced || !line.starts_with('#') {
            continue;
        }
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let mut anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let (first, mut number) = (anchor.clone(), 0);
        while anchors.contains(&anchor) {
            number += 1;
            anchor = first.clone();
            let _ = write!(anchor, "-{number}");
        }
        anchors.insert(anchor);
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let page = "# A page\n\n## The `same`\n\n## The same\n".to_owned();
        let texts = BTreeMap::from([("docs/page.md".to_owned(), page), (path.to_owned(), text.to_owned())]);
        let mut faults = Vec::new();
        check(path, text, &texts, &mut faults);
        faults.iter().map(|fault| format!("{} {}", fault.check, fault.line)).collect()
    }

    #[test]
    fn refused_phrase_fails_across_lines() {
        assert_eq!(found("a.md", "It\n\nholds each file\nagainst the list."), ["words 3"]);
        assert_eq!(found("a.rs", "/// A backup that stands\n/// on another.\nfn f() {}"), ["words 1"]);
        assert_eq!(found("a.rs", r#"let m = "the daemon is told of it";"#), ["words 1"]);
        assert_eq!(found("a.md", "It is `told of` that, on hold. Against it: `set aside`."), [""; 0]);
        assert_eq!(found("a.md", "the set\n\naside of set-aside.json"), [""; 0]);
    }

    #[test]
    fn gap_in_phrase_stops_at_and() {
        assert_eq!(found("a.md", "The signal lets the lock go."), ["words 1"]);
        assert_eq!(found("a.md", "Odoo lets attachments come and go."), [""; 0]);
    }

    #[test]
    fn wide_line_in_prose_fails() {
        let wide = "word ".repeat(30);
        assert_eq!(found("a.md", &format!("\n{wide}")), ["width 2"]);
        let link = format!("https://example.com/{}", "x".repeat(100));
        assert_eq!(found("a.md", &format!("| {wide} |\n\n```\n{wide}\n```\n- {link}\n`{wide}`")), [""; 0]);
        assert_eq!(found("a.rs", &format!("    /// {wide}\n    let x = 1; {wide}")), ["comments 1"]);
    }

    #[test]
    fn long_name_of_test_fails() {
        let text = "    #[tokio::test(start_paused = true)]\n    #[ignore]\n    async fn one_two_three_four_five_six_seven() {}";
        assert_eq!(found("a.rs", text), ["names 3"]);
        assert_eq!(found("a.rs", "fn one_two_three_four_five_six_seven() {}"), [""; 0]);
        assert_eq!(found("a.rs", "#[test]\nfn one_two_three_four_five_six() {}"), [""; 0]);
    }

    #[test]
    fn link_fails_without_page_or_heading() {
        let links = "[a](page.md#the-same) [b](page.md#the-same-1) [c](https://example.com/x) `[d](e)`";
        assert_eq!(found("docs/a.md", links), [""; 0]);
        assert_eq!(
            found("docs/a.md", "\n[a](none.md)\n[b](page.md#none)\n<img src=\"x.png\">"),
            ["links 2", "links 3", "links 4"]
        );
        assert_eq!(found("README.md", "[a](docs/page.md) [b](page.md)"), ["links 1"]);
        assert_eq!(found("docs/architecture.md", "`tests/prose.rs`, `lib.rs` and\n`none.rs`"), ["links 2"]);
        assert_eq!(found("a.rs", "// docs/page.md, docs/page.md#none\n// docs/none.md."), ["links 1", "links 2"]);
    }
}
