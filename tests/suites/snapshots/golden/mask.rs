//! Stand-ins for what differs from run to run, so that a golden file changes only with a text.

use std::collections::HashMap;

use harness::project::Project;
use regex_lite::{Captures, Regex};

/// Replaces ids, times, sizes, durations, paths, ports and versions. Each id keeps the same
/// stand-in for the whole walk.
#[derive(Debug)]
pub(super) struct Masks {
    /// Exact texts and their stand-ins, longest first.
    exact: Vec<(String, String)>,
    patterns: Vec<(Regex, &'static str)>,
    id: Regex,
    ids: HashMap<String, usize>,
}

/// A backup's id.
const ID: &str = r"20\d{6}T\d{6}Z-[0-9a-f]{4,}";

/// Patterns and stand-ins, applied in this order.
const PATTERNS: [(&str, &str); 24] = [
    (r"20\d{6}T\d{6}Z", "20261121T020003Z"),
    (r"(\.odoo-backup)-[0-9A-Za-z]{6}\b", "$1-0f3a9c"),
    (r"20\d{6}_\d{6}(_[0-9a-z]+)?", "20261121_020003"),
    (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-11-21T02:00:03Z"),
    (r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d( [+-]\d\d:\d\d)?", "2026-11-21 02:00:03$1"),
    (r"20\d\d-\d\d-\d\d", "2026-11-21"),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) 2026-11-21", "Sat 2026-11-21"),
    (r"\b[1-9][\d.]* (B|KiB|MiB|GiB)\b", "1.50 MiB"),
    (r"\b\d+\.\d+ s\b", "1.2 s"),
    (r"(^|[ (])\d+ s\b", "${1}3 s"),
    (r"^\d+ seconds?( ago)?$", "3 seconds$1"),
    (r"\b\d+ seconds? ago\b", "3 seconds ago"),
    (
        r"^\| (Database|Filestore|Verification|Neutralization|Anonymization|Total|All of it) \| [\d.]+ \|",
        "| $1 | 1.2 |",
    ),
    (r"\b[0-9a-f]{64}\b", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "7d8a5c52-1f0e-4c1b-9a53-0f2a6c1d8e47"),
    (r"\b\d{6,}\b", "1572864"),
    (r"\bwith \d+ further backups", "with 74 further backups"),
    (r"^\d+\.\d+\.\d+$", "1.0.0"),
    (r"\b(odoo-backup) \d+\.\d+\.\d+", "$1 1.0.0"),
    (r"\bPostgreSQL \d+(\.\d+)?", "PostgreSQL 16.4"),
    (r"\b(filestore-\d+)-[0-9a-f]{16,}", "$1-0f3a9c21d4e7b865"),
    (r"(_restoring)_[0-9a-f]{8}", "${1}_0f3a9c21"),
    (r"\bprocess \d+", "process 4711"),
    (r"(address=127\.0\.0\.1):\d+", "$1:8069"),
];

impl Masks {
    /// Returns masks for the outputs of one project, in the home of its runs.
    pub(super) fn of(project: &Project, home: &std::path::Path) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let port = project.cluster().port();
        let version = project.cluster().execute("postgres", "SHOW server_version").trim().to_owned();
        let text = |path: &std::path::Path| path.display().to_string();
        let mut exact = vec![
            (text(&project.path("")).trim_end_matches('/').to_owned(), "/srv/odoo".to_owned()),
            (text(project.cluster().socket_dir()), "/run/postgresql".to_owned()),
            (text(home), "/root".to_owned()),
            (format!(" by {host} ("), " by db1 (".to_owned()),
            (version.split(' ').next().unwrap_or_default().to_owned(), "16.4".to_owned()),
            (version, "16.4".to_owned()),
            (text(&project.cluster().bin("")), "/usr/bin/".to_owned()),
        ];
        exact.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        let port = [(Regex::new(&format!(r"\b{port}\b")).unwrap(), "5432")];
        let patterns = PATTERNS.map(|(pattern, by)| (Regex::new(pattern).unwrap(), by));
        Self {
            exact,
            patterns: port.into_iter().chain(patterns).collect(),
            id: Regex::new(ID).unwrap(),
            ids: HashMap::new(),
        }
    }

    /// Masks the output of one stream. Tables are laid out again, because the widths of their
    /// columns differ too.
    pub(super) fn page(&mut self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let mut out = Vec::new();
        let mut index = 0;
        while index < lines.len() {
            let rows = lines[index + 1..].iter().take_while(|line| line.contains("  ")).count();
            if is_header(lines[index]) && rows > 0 {
                out.extend(self.table(&lines[index..=index + rows]));
                index += rows + 1;
            } else {
                out.push(self.line(lines[index]));
                index += 1;
            }
        }
        sort_progress(&mut out);
        out.join("\n")
    }

    /// Masks one line.
    pub(super) fn line(&mut self, line: &str) -> String {
        let mut line = line.to_owned();
        for (from, to) in &self.exact {
            line = line.replace(from, to);
        }
        let ids = &mut self.ids;
        let masked = self.id.replace_all(&line, |found: &Captures<'_>| {
            let next = ids.len() + 1;
            format!("20261121T020003Z-{:04x}", ids.entry(found[0].to_owned()).or_insert(next))
        });
        // A day and a time within an id belong to the id.
        let mut line = masked.replace("20261121T020003Z", "\u{1}");
        for (pattern, by) in &self.patterns {
            line = pattern.replace_all(&line, *by).into_owned();
        }
        line.replace('\u{1}', "20261121T020003Z")
    }

    fn table(&mut self, lines: &[&str]) -> Vec<String> {
        let lines: Vec<Vec<char>> = lines.iter().map(|line| line.chars().collect()).collect();
        let columns = columns(&lines);
        let mut cells: Vec<Vec<String>> = Vec::new();
        for line in &lines {
            let cell = |&(from, to): &(usize, usize)| {
                let cell: String = line.iter().take(to).skip(from).collect();
                cell.trim().to_owned()
            };
            cells.push(columns.iter().map(cell).map(|cell| self.line(&cell)).collect());
        }
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let is_figure = |cell: &String| cell.is_empty() || cell.starts_with(|c: char| c.is_ascii_digit());
        let is_short = |cell: &String| cell.split(' ').count() <= 2 && !cell.contains('-');
        let layout: Vec<_> = (0..columns.len())
            .map(|column| {
                let right = cells[1..].iter().all(|row| is_figure(&row[column]) && is_short(&row[column]));
                (width(column), right)
            })
            .collect();
        let row = |row: &Vec<String>| {
            let cells = row.iter().zip(&layout).map(|(cell, (width, right))| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        cells.iter().map(row).collect()
    }
}

/// Returns whether it is the header of a table: words in capitals with gaps between them.
fn is_header(line: &str) -> bool {
    let is_title = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || " -".contains(c);
    line.contains("  ") && line.starts_with(|c: char| c.is_ascii_uppercase()) && line.chars().all(is_title)
}

/// Returns the columns of a table: they end at gaps of at least two spaces that all lines have.
fn columns(lines: &[Vec<char>]) -> Vec<(usize, usize)> {
    let width = lines.iter().map(Vec::len).max().unwrap_or(0);
    let is_blank = |at: usize| lines.iter().all(|line| line.get(at).is_none_or(|c| *c == ' '));
    let (mut columns, mut from, mut at) = (Vec::new(), 0, 0);
    while at < width {
        let gap = (at..width).take_while(|at| is_blank(*at)).count();
        if gap >= 2 && at > from {
            columns.push((from, at));
            from = at + gap;
        }
        at += gap.max(1);
    }
    if from < width {
        columns.push((from, width));
    }
    columns
}

/// Sorts adjacent lines of progress, because tasks end in any order.
fn sort_progress(lines: &mut [String]) {
    let is_progress = |line: &String| line.ends_with("1.2 s") && line.contains(": 1.50 MiB ") && !line.starts_with(' ');
    lines.chunk_by_mut(|one, other| is_progress(one) && is_progress(other)).for_each(<[String]>::sort);
}

#[test]
fn columns_end_at_common_gaps() {
    let lines = ["ID  NAME", " 1  a b", "20"].map(|line| line.chars().collect());
    assert_eq!(columns(&lines), [(0, 2), (4, 8)]);
    assert!(is_header("ID  NAME") && !is_header("id  name") && !is_header("NO GAP"));
}
