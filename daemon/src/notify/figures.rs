//! The figures of runs, in words and units.

use engine::text::size;

/// What the figures of runs are called.
const FIGURES: [(&str, &str); 13] = [
    ("stored_bytes", "stored"),
    ("database_bytes", "database"),
    ("filestore_bytes", "filestore"),
    ("filestore_files", "files in the filestore"),
    ("removed_backups", "backups removed by retention"),
    ("removed_bytes", "freed by retention"),
    ("removed_copies", "copies removed by retention"),
    ("removed_copies_bytes", "freed by retention in repositories of copies"),
    ("checked_backups", "backups checked"),
    ("read_bytes", "read back"),
    ("restored_files", "files restored"),
    ("restored_file_bytes", "size of the restored files"),
    ("restore_milliseconds", "time to restore"),
];

/// Returns the words for a figure, and the figure with its unit. Its name ends in its unit.
pub(super) fn figure_text(name: &str, figure: u64) -> (String, String) {
    let ends = ["_bytes", "_milliseconds", "_seconds"];
    let unit = ends.into_iter().find(|unit| name.ends_with(unit)).unwrap_or_default();
    let figure = match unit {
        "_bytes" => size(figure),
        "_milliseconds" => duration(figure / 1000),
        "_seconds" => duration(figure),
        _ => figure.to_string(),
    };
    let known = FIGURES.iter().find(|(known, _)| *known == name).map(|(_, words)| (*words).to_owned());
    let words = known.unwrap_or_else(|| name[..name.len() - unit.len()].replace('_', " "));
    (words, figure)
}

/// Formats a duration: `67 s`, `16 min 40 s`, `2 h 5 min`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::figure_text;

    #[test]
    fn figures_have_words_and_units() {
        for (name, figure, expected) in [
            ("stored_bytes", 9_437_184, "stored: 9.00 MiB"),
            ("filestore_files", 634, "files in the filestore: 634"),
            ("removed_bytes", 0, "freed by retention: 0 B"),
            ("restore_milliseconds", 67_412, "time to restore: 67 s"),
            ("restore_milliseconds", 7_500_000, "time to restore: 2 h 5 min"),
            ("new_kind_bytes", 2048, "new kind: 2.00 KiB"),
        ] {
            let (words, figure) = figure_text(name, figure);
            assert_eq!(format!("{words}: {figure}"), expected);
        }
    }

    #[test]
    fn every_figure_of_runs_has_words() {
        let sources =
            [include_str!("../work/backup.rs"), include_str!("../work/restore.rs"), include_str!("../work.rs")];
        let quoted = sources.iter().flat_map(|source| source.split('"').skip(1).step_by(2));
        let is_figure = |text: &&str| {
            let ends = ["_bytes", "_files", "_backups", "_copies", "_milliseconds"];
            text.chars().all(|c| c.is_ascii_lowercase() || c == '_') && ends.iter().any(|end| text.ends_with(end))
        };
        for name in quoted.filter(is_figure) {
            assert!(super::FIGURES.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
