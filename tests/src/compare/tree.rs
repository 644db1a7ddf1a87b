//! Compares two folders.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Panics and names the first differences unless both folders contain the same files with the same
/// bytes. `skip` names entries at the top that are ignored, such as `checklist`. Empty folders,
/// modes and times are not compared: Odoo creates folders when it needs them.
pub fn assert_same_tree(a: &Path, b: &Path, skip: &[&str]) {
    let differences = tree_differences(a, b, skip);
    let shown = differences.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    assert!(
        differences.is_empty(),
        "{} and {} differ in {} files: {shown}",
        a.display(),
        b.display(),
        differences.len()
    );
}

/// Returns the differences in words, by path.
pub fn tree_differences(a: &Path, b: &Path, skip: &[&str]) -> Vec<String> {
    let (files_a, files_b) = (files(a, skip), files(b, skip));
    let mut differences: BTreeMap<&Path, String> = BTreeMap::new();
    for (path, kind_a) in &files_a {
        let difference = match files_b.get(path) {
            None => "is missing in the second".to_owned(),
            Some(kind_b) if kind_a != kind_b => format!("is {kind_a:?} in the first and {kind_b:?} in the second"),
            Some(_) if *kind_a == Kind::File => match content_difference(&a.join(path), &b.join(path)) {
                Some(difference) => difference,
                None => continue,
            },
            Some(_) => continue,
        };
        differences.insert(path, difference);
    }
    for path in files_b.keys().filter(|path| !files_a.contains_key(*path)) {
        differences.insert(path, "is only in the second".to_owned());
    }
    differences.into_iter().map(|(path, difference)| format!("{} {difference}", path.display())).collect()
}

/// Returns the sorted relative paths of everything under a folder that is not a folder.
pub fn file_paths(root: &Path) -> Vec<PathBuf> {
    files(root, &[]).into_keys().collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    File,
    Link(PathBuf),
    Special,
}

fn files(root: &Path, skip: &[&str]) -> BTreeMap<PathBuf, Kind> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let at = root.join(&folder);
        for entry in fs::read_dir(&at).unwrap_or_else(|error| panic!("reading {}: {error}", at.display())) {
            let entry = entry.expect("an entry of a folder");
            let path = folder.join(entry.file_name());
            if skip.iter().any(|name| path == Path::new(name)) {
                continue;
            }
            let kind = entry.file_type().expect("the type of a folder's entry");
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.insert(path, Kind::File);
            } else if kind.is_symlink() {
                found.insert(path, Kind::Link(fs::read_link(entry.path()).expect("a link")));
            } else {
                found.insert(path, Kind::Special);
            }
        }
    }
    found
}

fn content_difference(a: &Path, b: &Path) -> Option<String> {
    let open = |path: &Path| {
        let file = File::open(path).unwrap_or_else(|error| panic!("opening {}: {error}", path.display()));
        let size = file.metadata().expect("the size of an open file").len();
        (BufReader::with_capacity(64 * 1024, file), size)
    };
    let ((a, size_a), (b, size_b)) = (open(a), open(b));
    if size_a != size_b {
        return Some(format!("has {size_a} bytes in the first and {size_b} in the second"));
    }
    let byte = |byte: Result<u8, std::io::Error>| byte.expect("a byte of a file");
    let offset = a.bytes().map(byte).zip(b.bytes().map(byte)).position(|(a, b)| a != b)?;
    Some(format!("differs at byte {offset}"))
}

#[cfg(test)]
mod tests;
