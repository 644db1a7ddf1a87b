//! Tables and figures for people.

use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use engine::text::one_line;
use indicatif::{HumanBytes, HumanCount};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A table with one row below another and no lines. `right` are the columns of figures.
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

/// `12.3 MiB`
pub(crate) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// `12,345`
pub(crate) fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// `1 file`, `2 files`
pub(crate) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `2026-11-21 02:00:03 +01:00`, in the local time zone.
pub(crate) fn time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// `2026-11-21`, in the local time zone.
pub(crate) fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d").to_string()
}

/// `24 hours`, `1 minute`: in the largest unit that has no remainder. Two days and more are days.
pub(crate) fn length(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 2 * 86_400 && seconds % 86_400 == 0 => plural(seconds / 86_400, "day"),
        seconds if seconds >= 3600 && seconds % 3600 == 0 => plural(seconds / 3600, "hour"),
        seconds if seconds >= 60 && seconds % 60 == 0 => plural(seconds / 60, "minute"),
        seconds => plural(seconds, "second"),
    }
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
}
