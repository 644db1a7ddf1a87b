//! The table of the metrics.

use super::text::{Metric, MetricKind};

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, help }
}

pub(crate) const BUILD_INFO: Metric = gauge("odoo_backup_build_info", "1, labelled with the program's version");
pub(crate) const STARTED: Metric = gauge("odoo_backup_start_timestamp_seconds", "When the daemon started");
pub(crate) const LAST_SUCCESS: Metric =
    gauge("odoo_backup_last_success_timestamp_seconds", "When the latest successful run ended");
pub(crate) const LAST_FAILURE: Metric =
    gauge("odoo_backup_last_failure_timestamp_seconds", "When the latest run that failed after all attempts ended");
pub(crate) const DURATION: Metric = gauge(
    "odoo_backup_last_success_duration_seconds",
    "How long the latest successful run took, including its time in the queue",
);
pub(crate) const NEXT_RUN: Metric =
    gauge("odoo_backup_next_run_timestamp_seconds", "When the next scheduled run begins");
pub(crate) const INTERVAL: Metric =
    gauge("odoo_backup_schedule_interval_seconds", "The longest time between two scheduled runs");
pub(crate) const CONDITION: Metric =
    gauge("odoo_backup_instance_condition", "How an instance is doing: 0 ok, 1 warning, 2 failed");
pub(crate) const STALE_AFTER: Metric =
    gauge("odoo_backup_stale_after_seconds", "How old an instance's newest good backup may become");
pub(crate) const RUNNING: Metric = gauge("odoo_backup_running", "Whether a run is running or queued");
pub(crate) const RUNS: Metric = Metric {
    name: "odoo_backup_runs_total",
    kind: MetricKind::Counter,
    help: "Runs that ended since the daemon started",
};
pub(crate) const ACTIVE: Metric = gauge("odoo_backup_active_runs", "Runs that have not ended, by what they are doing");
pub(crate) const ACTIVE_BYTES: Metric =
    gauge("odoo_backup_active_run_bytes", "Bytes that the active runs have processed");
pub(crate) const READ: Metric =
    gauge("odoo_backup_repository_read_timestamp_seconds", "When the repository was last read");
pub(crate) const READABLE: Metric =
    gauge("odoo_backup_repository_readable", "Whether the last attempt to read the repository succeeded");
pub(crate) const BYTES: Metric =
    gauge("odoo_backup_repository_bytes", "Bytes that an instance takes in the repository");
pub(crate) const BACKUPS: Metric = gauge("odoo_backup_backups", "Backups in the repository");
pub(crate) const DAMAGED: Metric = gauge("odoo_backup_damaged_backups", "Backups whose manifest cannot be read");
pub(crate) const REFUTED: Metric =
    gauge("odoo_backup_refuted_backups", "Backups that failed verification: a restored copy differed from the backup");
pub(crate) const FUTURE: Metric = gauge("odoo_backup_future_backups", "Backups that are dated in the future");
pub(crate) const KNOWN_DAMAGED: Metric =
    gauge("odoo_backup_known_damaged_backups", "Backups that need objects that are known to be damaged");
pub(crate) const ALARMS: Metric = gauge(
    "odoo_backup_repository_alarms",
    "Problems with the listing of the repository: missing backups, incomplete listings",
);
pub(crate) const CLOCK: Metric = gauge(
    "odoo_backup_clock_ahead_seconds",
    "How far the daemon's clock is ahead of the repository's; negative if behind, 0 within five minutes",
);
pub(crate) const PINNED: Metric = gauge("odoo_backup_pinned_backups", "Backups that are kept until they are unpinned");
pub(crate) const REMOVABLE: Metric =
    gauge("odoo_backup_retention_removable_backups", "Backups that the next prune removes");
pub(crate) const HELD: Metric =
    gauge("odoo_backup_retention_held", "Whether something keeps retention from removing any backup");
pub(crate) const NEWEST: Metric =
    gauge("odoo_backup_newest_backup_timestamp_seconds", "The time that the newest backup shows");
pub(crate) const NEWEST_GOOD: Metric = gauge(
    "odoo_backup_newest_good_backup_timestamp_seconds",
    "The time that the newest good backup shows: readable, not dated in the future, not known to be damaged, without a failed verification",
);
pub(crate) const NEWEST_PROVEN: Metric =
    gauge("odoo_backup_newest_proven_backup_timestamp_seconds", "The time that the newest verified backup shows");
pub(crate) const NEWEST_DURATION: Metric =
    gauge("odoo_backup_newest_backup_duration_seconds", "How long the newest backup took");
pub(crate) const NEWEST_DATABASE: Metric =
    gauge("odoo_backup_newest_backup_database_bytes", "Size of the newest backup's dump before compression");
pub(crate) const NEWEST_DATABASE_NEW: Metric = gauge(
    "odoo_backup_newest_backup_database_new_bytes",
    "Bytes of the newest backup's dump that no earlier backup has, before compression",
);
pub(crate) const NEWEST_DATABASE_VOLUMES: Metric =
    gauge("odoo_backup_newest_backup_database_volumes", "Volumes that the newest backup's dump is based on");
pub(crate) const NEWEST_FILESTORE: Metric =
    gauge("odoo_backup_newest_backup_filestore_bytes", "Size of the newest backup's files before compression");
pub(crate) const NEWEST_FILES: Metric = gauge("odoo_backup_newest_backup_files", "Files in the newest backup");
pub(crate) const NEWEST_STORED: Metric = gauge(
    "odoo_backup_newest_backup_stored_bytes",
    "Bytes that the newest backup's own objects take in the repository",
);
pub(crate) const NEWEST_RATE: Metric = gauge(
    "odoo_backup_newest_backup_bytes_per_second",
    "How fast the newest backup processed what was new in it: the dump and new files",
);
pub(crate) const NEWEST_WARNINGS: Metric = gauge("odoo_backup_newest_backup_warnings", "Warnings of the newest backup");
pub(crate) const FILES_MISSING: Metric =
    gauge("odoo_backup_newest_backup_files_missing", "Files that attachments name and the source has lost");
pub(crate) const ELSEWHERE: Metric = gauge(
    "odoo_backup_newest_backup_attachments_elsewhere",
    "Attachments whose content is in another storage, and not in the newest backup",
);

pub(crate) const NOTIFIER_FAILING: Metric =
    gauge("odoo_backup_notifier_failing", "Whether a notifier did not accept what it was last sent");
pub(crate) const NOTIFICATIONS: Metric = Metric {
    name: "odoo_backup_notifications_total",
    kind: MetricKind::Counter,
    help: "Attempts to send to a notifier, and notices that were given up, since the daemon's state began",
};

pub(crate) const REMOVED: Metric = Metric {
    name: "odoo_backup_retention_removed_total",
    kind: MetricKind::Counter,
    help: "Backups that retention removed since the daemon started",
};

pub(crate) const DOWNLOADS: Metric = Metric {
    name: "odoo_backup_downloads_total",
    kind: MetricKind::Counter,
    help: "Downloads that ended since the daemon started",
};

pub(crate) const TEXTFILE_COMPLETE: Metric = gauge(
    "odoo_backup_textfile_complete",
    "Whether status --textfile could read all of the configuration, the repository and the state folder",
);
pub(crate) const TEXTFILE_WRITTEN: Metric =
    gauge("odoo_backup_textfile_timestamp_seconds", "When status --textfile wrote the file");

/// All of them, in the order in which they are written.
#[cfg(test)]
const ALL: [Metric; 46] = [
    BUILD_INFO,
    STARTED,
    NOTIFIER_FAILING,
    NOTIFICATIONS,
    DOWNLOADS,
    LAST_SUCCESS,
    LAST_FAILURE,
    DURATION,
    NEXT_RUN,
    INTERVAL,
    RUNNING,
    CONDITION,
    STALE_AFTER,
    RUNS,
    REMOVED,
    ACTIVE,
    ACTIVE_BYTES,
    READ,
    READABLE,
    BYTES,
    BACKUPS,
    DAMAGED,
    REFUTED,
    KNOWN_DAMAGED,
    FUTURE,
    ALARMS,
    CLOCK,
    PINNED,
    REMOVABLE,
    HELD,
    NEWEST,
    NEWEST_GOOD,
    NEWEST_PROVEN,
    NEWEST_DURATION,
    NEWEST_DATABASE,
    NEWEST_DATABASE_NEW,
    NEWEST_DATABASE_VOLUMES,
    NEWEST_FILESTORE,
    NEWEST_FILES,
    NEWEST_STORED,
    NEWEST_RATE,
    NEWEST_WARNINGS,
    FILES_MISSING,
    ELSEWHERE,
    TEXTFILE_COMPLETE,
    TEXTFILE_WRITTEN,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn manual_lists_each_metric_once() {
        let manual = include_str!("../../../docs/metrics.md");
        for metric in ALL {
            let rows = manual.lines().filter(|line| line.starts_with(&format!("| `{}", metric.name)));
            let rows: Vec<_> = rows.filter(|line| line[4 + metric.name.len() - 1..].starts_with(['`', '{'])).collect();
            assert_eq!(rows.len(), 1, "{}", metric.name);
            let expected = format!("| {} | {}", metric.kind, metric.help);
            assert!(rows[0].contains(&expected), "{}: expected {expected:?} in {:?}", metric.name, rows[0]);
        }
        let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        for word in manual.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_')) {
            assert!(!word.starts_with("odoo_backup_") || names.contains(word), "{word} is no metric");
        }
    }
}
