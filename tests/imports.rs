//! Fails if the modules of a crate import each other in a circle.
//!
//! A module here is a top-level module of a crate: `engine/src/store.rs` with everything in
//! `engine/src/store/`. Cargo prevents circles between crates. The check reads text without a
//! compiler, so it takes no time: `make lint` builds it with `rustc` and runs it. It needs only the
//! standard library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const CRATES: [&str; 6] = ["retention", "engine", "config", "daemon", "cli", "tests"];

/// Importing module, imported module, and the first place of the import.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

fn main() -> ExitCode {
    let mut circles = 0;
    for name in CRATES {
        let imports = imports_of(&Path::new(name).join("src"));
        for circle in circles_of(&imports) {
            circles += 1;
            println!(
                "{name}: {} import each other in a circle:",
                circle.iter().cloned().collect::<Vec<_>>().join(", ")
            );
            for from in &circle {
                for (to, place) in imports[from].iter().filter(|(to, _)| circle.contains(*to)) {
                    println!("  {from} imports {to}: {place}");
                }
            }
        }
    }
    if circles == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads all sources of a crate except its tests.
fn imports_of(source: &Path) -> Imports {
    let mut files = Vec::new();
    collect(source, &mut files);
    let test_only: BTreeSet<_> =
        files.iter().flat_map(|file| test_modules(&fs::read_to_string(file).expect("a source file"))).collect();
    files.retain(|file| !test_only.contains(&file.file_stem().unwrap_or_default().to_string_lossy().into_owned()));
    let modules: BTreeSet<String> = files.iter().filter_map(|file| path_of(source, file).into_iter().next()).collect();
    let reexports = ["lib.rs", "main.rs"].into_iter().flat_map(|root| reexports_of(&source.join(root), &modules));
    let reexports: BTreeMap<_, _> = reexports.collect();
    let mut imports = Imports::new();
    for file in &files {
        let path = path_of(source, file);
        let Some(own) = path.first() else { continue };
        let text = fs::read_to_string(file).expect("a source file");
        for (number, line) in statements(&text) {
            for name in top_level_names(&line, &path) {
                let Some(module) = modules.get(&name).or_else(|| reexports.get(&name)) else { continue };
                if module != own {
                    let place = format!("{}:{number}", file.display());
                    imports.entry(own.clone()).or_default().entry(module.clone()).or_insert(place);
                }
            }
        }
    }
    for module in modules {
        imports.entry(module).or_default();
    }
    imports
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder of sources").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if stem == "tests" || stem == "bin" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Returns the names of the modules in files of their own that a file declares only for tests.
fn test_modules(text: &str) -> Vec<String> {
    let declared = |line: &str| {
        let name = line.trim_start_matches("pub(crate) ").strip_prefix("mod ")?.strip_suffix(';')?;
        Some(name.to_owned())
    };
    let lines = text.lines().zip(text.lines().skip(1));
    lines.filter(|(line, _)| *line == "#[cfg(test)]").filter_map(|(_, next)| declared(next)).collect()
}

/// Returns the path of a file's module within its crate: `["store", "s3", "put"]`.
fn path_of(source: &Path, file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(source).expect("a file of the crate").with_extension("");
    let mut path: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if path.last().is_some_and(|last| last == "mod" || path.len() == 1 && (last == "lib" || last == "main")) {
        path.pop();
    }
    path
}

/// Returns the statements of a file with the number of their first line. Comments and tests are
/// left out. A `use` over several lines is one statement.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if line.trim_start() == "#[cfg(test)]" {
            let Some((_, next)) = lines.peek().copied() else { break };
            // A module in this file ends at a brace at the beginning of a line. Anything else is
            // one statement.
            if next.starts_with("mod ") && next.ends_with('{') {
                lines.by_ref().find(|(_, line)| *line == "}");
            } else {
                lines.next();
            }
            continue;
        }
        let code = line.split("//").next().unwrap_or_default().to_owned();
        let mut statement = code;
        let is_use =
            statement.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ").starts_with("use ");
        while is_use && !statement.contains(';') {
            let Some((_, more)) = lines.next() else { break };
            statement.push_str(more.trim());
        }
        statements.push((index + 1, statement));
    }
    statements
}

/// Returns the names directly under the root of the crate that a statement uses, in a module of
/// this path.
fn top_level_names(statement: &str, path: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in statement.match_indices("crate::") {
        names.extend(first_names(&statement[at + "crate::".len()..]));
    }
    let up = "super::".repeat(path.len());
    for (at, _) in statement.match_indices(&up) {
        let is_higher = statement[..at].ends_with("super::");
        let rest = &statement[at + up.len()..];
        if !is_higher && !rest.starts_with("super::") {
            names.extend(first_names(rest));
        }
    }
    names
}

/// Returns the first name of a path, or of each path in braces.
fn first_names(text: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = text.strip_prefix('{') else { return vec![name(text)] };
    let (mut depth, mut names, mut begin) = (0, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(&group[begin..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[begin..at]));
                begin = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Returns what the root of a crate re-exports from its modules, by name.
fn reexports_of(root: &Path, modules: &BTreeSet<String>) -> Vec<(String, String)> {
    let Ok(text) = fs::read_to_string(root) else { return Vec::new() };
    let mut names = Vec::new();
    for (_, statement) in statements(&text) {
        let statement = statement.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let Some(path) = statement.strip_prefix("use ") else { continue };
        let path = path.trim_start_matches("self::").trim_start_matches("crate::");
        let Some((module, rest)) = path.split_once("::") else { continue };
        if modules.contains(module) {
            names.extend(first_names(rest).into_iter().map(|name| (name, module.to_owned())));
        }
    }
    names
}

/// Returns the sets of modules that can each be reached from every other module of the set. A
/// module of such a set reaches itself.
fn circles_of(imports: &Imports) -> BTreeSet<BTreeSet<String>> {
    let reachable: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|from| (from, reach(imports, from))).collect();
    let circle = |from: &String| {
        let members = reachable[from].iter().filter(|to| reachable[**to].contains(from));
        members.map(|to| (*to).clone()).collect::<BTreeSet<_>>()
    };
    imports.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

fn reach<'a>(imports: &'a Imports, from: &'a String) -> BTreeSet<&'a String> {
    let (mut seen, mut todo) = (BTreeSet::new(), vec![from]);
    while let Some(next) = todo.pop() {
        for to in imports.get(next).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(to) {
                todo.push(to);
            }
        }
    }
    seen
}
