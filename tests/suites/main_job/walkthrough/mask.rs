//! Replaces what differs from run to run by a description.

const BACKUP: &str = "99999999T999999Z-hhhh";
const KEPT: &str = "_before_99999999_999999";

/// `9` stands for a digit, `h` for a hexadecimal digit, everything else for itself.
const SHAPES: [(&str, &str); 9] = [
    (BACKUP, "<id>"),
    ("9999-99-99T99:99:99Z", "<time>"),
    ("9999-99-99 99:99:99 +99:99", "<time>"),
    ("9999-99-99 99:99:99 -99:99", "<time>"),
    ("9999-99-99 99:99", "<time>"),
    ("9999-99-99", "<day>"),
    (KEPT, "_before_<time>"),
    ("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "<uuid>"),
    ("hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "<digest>"),
];

const UNITS: [(&str, &str); 10] = [
    ("B", "<size>"),
    ("KiB", "<size>"),
    ("MiB", "<size>"),
    ("GiB", "<size>"),
    ("KiB/s", "<rate>"),
    ("MiB/s", "<rate>"),
    ("s", "<duration>"),
    ("seconds", "<duration>"),
    // The number of processors.
    ("job", "<jobs>"),
    ("jobs", "<jobs>"),
];

/// Returns the line with ids, times, sizes, durations and versions masked. Each gap becomes one
/// space.
pub(super) fn masked(line: &str) -> String {
    let mut line = without_packager(line);
    for (shape, name) in SHAPES {
        line = replace_shape(&line, shape, name);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut masked: Vec<&str> = Vec::new();
    let mut index = 0;
    while let Some(word) = words.get(index) {
        let unit = words.get(index + 1).and_then(|next| unit(next));
        match (is_number(word), unit) {
            (true, Some(name)) => {
                masked.push(name);
                index += 1;
            }
            // The major versions of PostgreSQL count constraints and indexes differently.
            (true, _) if words[0] == "verified" => masked.push("<count>"),
            // Odoo's series is fixed. Other numbers with a point are versions of PostgreSQL.
            (true, None) if bare(word).contains('.') && masked.last() != Some(&"Odoo") => masked.push("<version>"),
            _ => masked.push(word),
        }
        index += 1;
    }
    masked.join(" ")
}

/// Returns whether a masked line reports the end of a step, which a terminal shows as a bar.
pub(super) fn is_progress(masked: &str) -> bool {
    masked.ends_with(": <size> in <duration>")
}

/// Returns the names in a line that later commands may repeat: ids of backups, and names that a
/// restore kept.
pub(super) fn names(line: &str) -> Vec<String> {
    let (mut rest, mut found) = (line, Vec::new());
    while let Some(first) = rest.chars().next() {
        let shape = [BACKUP, KEPT].into_iter().find(|shape| fits(rest, shape));
        found.extend(shape.map(|shape| rest[..shape.len()].to_owned()));
        rest = &rest[shape.map_or(first.len_utf8(), str::len)..];
    }
    found
}

fn bare(word: &str) -> &str {
    word.trim_matches(['(', ')', ',', ';', ':', '.'])
}

fn is_number(word: &str) -> bool {
    let bare = bare(word);
    !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn unit(word: &str) -> Option<&'static str> {
    UNITS.iter().find(|(unit, _)| *unit == bare(word)).map(|(_, name)| *name)
}

/// Returns `15.18` for `15.18 (Debian 15.18-0+deb12u1)`, the version string of a packaged
/// PostgreSQL.
fn without_packager(line: &str) -> String {
    match line.split_once(" (Debian ").and_then(|(before, rest)| Some((before, rest.split_once(')')?.1))) {
        Some((before, after)) => format!("{before}{after}"),
        None => line.to_owned(),
    }
}

fn fits(text: &str, shape: &str) -> bool {
    let matches = |(byte, wanted): (u8, u8)| match wanted {
        b'9' => byte.is_ascii_digit(),
        b'h' => byte.is_ascii_hexdigit(),
        _ => byte == wanted,
    };
    text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(matches)
}

fn replace_shape(text: &str, shape: &str, name: &str) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        if fits(rest, shape) {
            replaced.push_str(name);
            rest = &rest[shape.len()..];
        } else {
            replaced.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    replaced
}

#[test]
fn only_what_differs_is_masked() {
    for (line, expected) in [
        ("production: backup 20261121T105858Z-86e7", "production: backup <id>"),
        ("  stored     97.33 MiB in 1.0 s (134.91 MiB/s)", "stored <size> in <duration> <rate>"),
        ("made 2026-11-21T10:58:58Z, 3 backups", "made <time>, 3 backups"),
        ("PostgreSQL 15.18 (Debian 15.18-0+deb12u1), Odoo 17.0", "PostgreSQL <version> Odoo 17.0"),
        ("634 files of 120001234 bytes", "634 files of 120001234 bytes"),
        ("in 41 files: über 2026-11-21", "in 41 files: über <day>"),
        ("  verified   indexes      1008 indexes, valid", "verified indexes <count> indexes, valid"),
        ("time 1.2 s (database 0.8 s) with 2 jobs", "time <duration> (database <duration> with <jobs>"),
    ] {
        assert_eq!(masked(line), expected);
    }
    assert!(is_progress(&masked("database: 6.29 MiB in 0.5 s")));
}
