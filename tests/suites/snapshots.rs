//! Compares what scripts and operators rely on with `tests/snapshots`: keys and types of every JSON
//! document, names of objects, metrics with their labels, and exit codes.
//!
//! A difference is a change that affects users. If it is intended, describe it in the changelog and
//! write the files again: `ODOO_BACKUP_SNAPSHOTS=update cargo nextest run --workspace -E
//! 'test(snapshots::)'`.

mod book;
mod commands;
mod daemon;
mod golden;
mod shape;

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::compare::file_paths;
use harness::schema::Documents;
use serde_json::Value;

use self::book::Book;

/// Returns the schemas of what commands print. A test of the command line writes and compares them.
fn schemas() -> Documents {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots/schemas.json");
    Documents::new(&fs::read_to_string(path).unwrap())
}

/// Reads a file that holds one JSON document.
fn document(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a file with one JSON document on each line, plain or compressed by zstd.
fn lines(path: &Path) -> Vec<Value> {
    let text = if path.extension().is_some_and(|extension| extension == "zst") {
        let output = Command::new("zstd").args(["--decompress", "--stdout"]).arg(path).output().unwrap();
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    } else {
        fs::read_to_string(path).unwrap()
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Adds the names of all files in a folder. What differs from run to run is replaced by a
/// description.
fn add_names(book: &mut Book, title: &str, folder: &Path) {
    let names = file_paths(folder).into_iter().map(|path| generic(path.to_str().unwrap()));
    book.lines(title, names.map(|name| name.trim_start_matches('/').to_owned()));
}

/// Replaces backup ids, random hexadecimal digits and process numbers in a path.
fn generic(path: &str) -> String {
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_time = |text: &str| text.len() == 16 && text.ends_with('Z') && text.as_bytes()[8] == b'T';
    let name = |name: &str| {
        let (stem, extension) = name.split_once('.').map_or((name, ""), |(stem, rest)| (stem, rest));
        let mut parts: Vec<&str> = Vec::new();
        for part in stem.split('-') {
            let is_id = is_hex(part) && parts.last() == Some(&"<time>");
            match part {
                _ if is_time(part) => parts.push("<time>"),
                _ if is_id => *parts.last_mut().unwrap() = "<id>",
                _ if is_hex(part) && part.len() >= 16 => parts.push("<hex>"),
                _ if part.bytes().all(|byte| byte.is_ascii_digit()) => parts.push("<number>"),
                _ => parts.push(part),
            }
        }
        let stem = parts.join("-");
        if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
    };
    path.split('/').map(name).collect::<Vec<_>>().join("/")
}
