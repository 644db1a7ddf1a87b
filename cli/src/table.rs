//! Formats tables, sizes, times and counts for people.

use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use engine::text::one_line;
use indicatif::{HumanBytes, HumanCount};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Lays out a table without rules. `right` lists the columns to align right.
pub(crate) fn table(header: &[&str], right: &[usize], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| one_line(cell).into_owned()));
    }
    let last = header.len().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Formats a size: `12.3 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// Formats a count: `12,345`.
pub(crate) fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// Formats a count with its noun: `1 file`, `2 files`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Formats a time in the local time zone: `2026-11-21 02:00:03 +01:00`.
pub(crate) fn time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Formats a day in the local time zone: `2026-11-21`.
pub(crate) fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d").to_string()
}

/// Formats a duration in the largest unit that leaves no remainder: `24 hours`, `1 minute`. Days
/// begin at two.
pub(crate) fn length(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 2 * 86_400 && seconds % 86_400 == 0 => plural(seconds / 86_400, "day"),
        seconds if seconds >= 3600 && seconds % 3600 == 0 => plural(seconds / 3600, "hour"),
        seconds if seconds >= 60 && seconds % 60 == 0 => plural(seconds / 60, "minute"),
        seconds => plural(seconds, "second"),
    }
}

/// Formats the last line of a diagnosis: `no problems found`, `2 problems found, 1 warning`.
pub(crate) fn problems_found(problems: u64, warnings: u64) -> String {
    let problems = if problems == 0 { "no problems".to_owned() } else { plural(problems, "problem") };
    let warnings = if warnings == 0 { String::new() } else { format!(", {}", plural(warnings, "warning")) };
    format!("{problems} found{warnings}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_takes_largest_whole_unit() {
        let said = [0, 1, 90, 60, 3600, 86_400, 172_800, 90_000].map(|seconds| length(Duration::from_secs(seconds)));
        let expected = ["0 seconds", "1 second", "90 seconds", "1 minute", "1 hour", "24 hours", "2 days", "25 hours"];
        assert_eq!(said, expected);
    }

    #[test]
    fn problems_and_warnings_agree_in_number() {
        let said = [(0, 0), (0, 1), (1, 0), (3, 2)].map(|(problems, warnings)| problems_found(problems, warnings));
        let expected = [
            "no problems found\n",
            "no problems found, 1 warning\n",
            "1 problem found\n",
            "3 problems found, 2 warnings\n",
        ];
        assert_eq!(said, expected);
    }
}
