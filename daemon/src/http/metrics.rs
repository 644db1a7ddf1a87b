//! `/metrics`, for Prometheus. `docs/metrics.md` lists the metrics, and a test compares the two.
//!
//! The labels are names of the configuration and words of this program, so that their number does
//! not grow with time.

mod text;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use config::MAIN;
use engine::repository::ProofOutcome;
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use self::text::{Metric, MetricKind, Text};
use super::Api;
use super::facts::{InstanceFacts, Known};
use super::problem::HttpProblem;
use crate::agenda::Job;
use crate::condition::Severity;
use crate::journal::{RunOutcome, RunRecord};
use crate::view::{Event, InstanceView, JobView, Phase};

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, help }
}

const BUILD_INFO: Metric = gauge("odoo_backup_build_info", "1, labelled with the program's version");
const STARTED: Metric = gauge("odoo_backup_start_timestamp_seconds", "When the daemon started");
const LAST_SUCCESS: Metric =
    gauge("odoo_backup_last_success_timestamp_seconds", "When the latest successful run ended");
const LAST_FAILURE: Metric =
    gauge("odoo_backup_last_failure_timestamp_seconds", "When the latest run that failed after all attempts ended");
const DURATION: Metric = gauge(
    "odoo_backup_last_success_duration_seconds",
    "How long the latest successful run took, including its time in the queue",
);
const NEXT_RUN: Metric = gauge("odoo_backup_next_run_timestamp_seconds", "When the next scheduled run begins");
const INTERVAL: Metric = gauge("odoo_backup_schedule_interval_seconds", "The longest time between two scheduled runs");
const CONDITION: Metric =
    gauge("odoo_backup_instance_condition", "How an instance is doing: 0 ok, 1 warning, 2 failed");
const STALE_AFTER: Metric =
    gauge("odoo_backup_stale_after_seconds", "How old an instance's newest good backup may become");
const RUNNING: Metric = gauge("odoo_backup_running", "Whether a run is running or queued");
const RUNS: Metric = Metric {
    name: "odoo_backup_runs_total",
    kind: MetricKind::Counter,
    help: "Runs that ended since the daemon started",
};
const ACTIVE: Metric = gauge("odoo_backup_active_runs", "Runs that have not ended, by what they are doing");
const ACTIVE_BYTES: Metric = gauge("odoo_backup_active_run_bytes", "Bytes that the active runs have processed");
const READ: Metric = gauge("odoo_backup_repository_read_timestamp_seconds", "When the repository was last read");
const READABLE: Metric =
    gauge("odoo_backup_repository_readable", "Whether the last attempt to read the repository succeeded");
const BYTES: Metric = gauge("odoo_backup_repository_bytes", "Bytes that an instance takes in the repository");
const BACKUPS: Metric = gauge("odoo_backup_backups", "Backups in the repository");
const DAMAGED: Metric = gauge("odoo_backup_damaged_backups", "Backups whose manifest cannot be read");
const REFUTED: Metric =
    gauge("odoo_backup_refuted_backups", "Backups that failed verification: a restored copy differed from the backup");
const FUTURE: Metric = gauge("odoo_backup_future_backups", "Backups that are dated in the future");
const KNOWN_DAMAGED: Metric =
    gauge("odoo_backup_known_damaged_backups", "Backups that need objects that are known to be damaged");
const ALARMS: Metric = gauge(
    "odoo_backup_repository_alarms",
    "Problems with the listing of the repository: missing backups, incomplete listings",
);
const CLOCK: Metric = gauge(
    "odoo_backup_clock_ahead_seconds",
    "How far the daemon's clock is ahead of the repository's; negative if behind, 0 within five minutes",
);
const PINNED: Metric = gauge("odoo_backup_pinned_backups", "Backups that are kept until they are unpinned");
const REMOVABLE: Metric = gauge("odoo_backup_retention_removable_backups", "Backups that the next prune removes");
const HELD: Metric = gauge("odoo_backup_retention_held", "Whether something keeps retention from removing any backup");
const NEWEST: Metric = gauge("odoo_backup_newest_backup_timestamp_seconds", "The time that the newest backup shows");
const NEWEST_GOOD: Metric = gauge(
    "odoo_backup_newest_good_backup_timestamp_seconds",
    "The time that the newest good backup shows: readable, not dated in the future, not known to be damaged, without a failed verification",
);
const NEWEST_PROVEN: Metric =
    gauge("odoo_backup_newest_proven_backup_timestamp_seconds", "The time that the newest verified backup shows");
const NEWEST_DURATION: Metric = gauge("odoo_backup_newest_backup_duration_seconds", "How long the newest backup took");
const NEWEST_DATABASE: Metric =
    gauge("odoo_backup_newest_backup_database_bytes", "Size of the newest backup's dump before compression");
const NEWEST_FILESTORE: Metric =
    gauge("odoo_backup_newest_backup_filestore_bytes", "Size of the newest backup's files before compression");
const NEWEST_FILES: Metric = gauge("odoo_backup_newest_backup_files", "Files in the newest backup");
const NEWEST_STORED: Metric = gauge(
    "odoo_backup_newest_backup_stored_bytes",
    "Bytes that the newest backup's own objects take in the repository",
);
const NEWEST_RATE: Metric = gauge(
    "odoo_backup_newest_backup_bytes_per_second",
    "How fast the newest backup processed what was new in it: the dump and new files",
);
const NEWEST_WARNINGS: Metric = gauge("odoo_backup_newest_backup_warnings", "Warnings of the newest backup");
const FILES_MISSING: Metric =
    gauge("odoo_backup_newest_backup_files_missing", "Files that attachments name and the source has lost");
const ELSEWHERE: Metric = gauge(
    "odoo_backup_newest_backup_attachments_elsewhere",
    "Attachments whose content is in another storage, and not in the newest backup",
);

const NOTIFIER_FAILING: Metric =
    gauge("odoo_backup_notifier_failing", "Whether a notifier did not accept what it was last sent");
const NOTIFICATIONS: Metric = Metric {
    name: "odoo_backup_notifications_total",
    kind: MetricKind::Counter,
    help: "Attempts to send to a notifier, and notices that were given up, since the daemon's state began",
};

const REMOVED: Metric = Metric {
    name: "odoo_backup_retention_removed_total",
    kind: MetricKind::Counter,
    help: "Backups that retention removed since the daemon started",
};

const DOWNLOADS: Metric = Metric {
    name: "odoo_backup_downloads_total",
    kind: MetricKind::Counter,
    help: "Downloads that ended since the daemon started",
};

/// All of them, in the order in which they are written.
#[cfg(test)]
const ALL: [Metric; 42] = [
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
    NEWEST_FILESTORE,
    NEWEST_FILES,
    NEWEST_STORED,
    NEWEST_RATE,
    NEWEST_WARNINGS,
    FILES_MISSING,
    ELSEWHERE,
];

/// The label of an instance of the configuration. `instance` and `job` are Prometheus' own, for
/// what it asked.
const INSTANCE: &str = "odoo_instance";

/// Outcomes that a run can have while the daemon lives.
const OUTCOMES: [&str; 4] = ["done", "failed", "cancelled", "elsewhere"];

/// What is counted while the daemon lives.
#[derive(Default)]
pub(super) struct Counters(Mutex<Counts>);

#[derive(Clone, Default)]
struct Counts {
    /// Runs that ended, by instance, job and outcome.
    runs: BTreeMap<(String, Job, &'static str), u64>,
    /// Backups that were pruned, by instance.
    removed: BTreeMap<String, u64>,
    /// Downloads that ended, by outcome.
    downloads: BTreeMap<&'static str, u64>,
}

/// How a download can end.
pub(super) const DOWNLOAD_OUTCOMES: [&str; 3] = ["done", "failed", "cancelled"];

impl Counters {
    /// Counts a download that ended with one of [`DOWNLOAD_OUTCOMES`].
    pub(super) fn download(&self, outcome: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.downloads.entry(outcome).or_default() += 1;
    }
}

/// Counts until `ended`.
pub(super) async fn count(api: &Api, ended: &CancellationToken) {
    let mut events = api.handle.subscribe();
    while let Some(event) = ended.run_until_cancelled(events.recv()).await {
        let run = match event {
            Ok(Event::Ended { run }) => run,
            // Nothing is done here that could make it lag by a thousand events.
            Ok(_) | Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let mut counts = api.counters.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(RunOutcome::Done { figures, .. }) = &run.outcome {
            let removed = figures.get("removed_backups").copied().unwrap_or_default();
            *counts.removed.entry(run.instance.clone()).or_default() += removed;
        }
        let Some(outcome) = &run.outcome else { continue };
        *counts.runs.entry((run.instance, run.job, outcome.word())).or_default() += 1;
    }
}

/// Metrics for Prometheus.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics",
    responses((status = 200, description = "Prometheus' text format", body = str, content_type = "text/plain"), HttpProblem),
)]
pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let mut text = Text::default();
    of_daemon(&api, &mut text);
    let (instances, known) = (api.handle.instances(), api.facts.known());
    of_jobs(&api, &instances, &known, &mut text);
    of_repository(&known, &mut text);
    ([(header::CONTENT_TYPE, text::CONTENT_TYPE)], text.into_string())
}

fn of_daemon(api: &Api, text: &mut Text) {
    text.add(&BUILD_INFO, [(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)]);
    text.add(&STARTED, [(vec![], seconds(api.handle.began_at()))]);
    let notifiers = api.handle.notifiers();
    text.add(
        &NOTIFIER_FAILING,
        notifiers.iter().map(|it| (vec![("notifier", it.name.as_str())], flag(it.health.failing_since.is_some()))),
    );
    let outcomes = notifiers.iter().flat_map(|it| {
        let counts = [("sent", it.health.sent), ("failed", it.health.failed), ("given_up", it.health.given_up)];
        counts.map(|(outcome, count)| (vec![("notifier", it.name.as_str()), ("outcome", outcome)], count as f64))
    });
    text.add(&NOTIFICATIONS, outcomes);
    let downloads = api.counters.0.lock().unwrap_or_else(PoisonError::into_inner).downloads.clone();
    let count = |outcome| downloads.get(outcome).copied().unwrap_or_default() as f64;
    text.add(&DOWNLOADS, DOWNLOAD_OUTCOMES.map(|outcome| (vec![("outcome", outcome)], count(outcome))));
}

fn of_jobs(api: &Api, instances: &[InstanceView], known: &Known, text: &mut Text) {
    let jobs = || instances.iter().flat_map(|instance| instance.jobs.iter().map(|job| (instance.name.as_str(), job)));
    let mut add = |metric: &Metric, value: &dyn Fn(&JobView) -> Option<f64>| {
        text.add(metric, jobs().filter_map(|(name, job)| Some((labels(name, job.job), value(job)?))));
    };
    add(&LAST_SUCCESS, &|job| job.latest_success.as_ref()?.ended_at.map(seconds));
    add(&LAST_FAILURE, &|job| job.latest_failure.as_ref()?.ended_at.map(seconds));
    add(&DURATION, &|job| took(job.latest_success.as_ref()?));
    add(&NEXT_RUN, &|job| job.next.map(|slot| seconds(slot.begins)));
    add(&INTERVAL, &|job| job.interval_seconds.map(|seconds| seconds as f64));
    add(&RUNNING, &|job| Some(flag(job.running.is_some())));
    let now = api.handle.now();
    let conditions = instances.iter().map(|view| {
        let severity = match known.condition(view, now).severity() {
            Severity::Ok => 0.0,
            Severity::Warning => 1.0,
            Severity::Failed => 2.0,
        };
        (vec![(INSTANCE, view.name.as_str())], severity)
    });
    text.add(&CONDITION, conditions);
    let allowed = instances.iter().filter_map(|instance| Some((instance.name.as_str(), instance.stale_after_seconds?)));
    text.add(&STALE_AFTER, allowed.map(|(name, seconds)| (vec![(INSTANCE, name)], seconds as f64)));
    let counts = api.counters.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // Also those that are zero: what appears at 1 has not increased.
    let ended = jobs().flat_map(|(name, job)| OUTCOMES.map(|outcome| (name, job.job, outcome)));
    text.add(
        &RUNS,
        ended.map(|(name, job, outcome)| {
            let count = counts.runs.get(&(name.to_owned(), job, outcome)).copied().unwrap_or_default();
            ([labels(name, job), vec![("outcome", outcome)]].concat(), count as f64)
        }),
    );
    text.add(
        &REMOVED,
        instances.iter().map(|instance| {
            let count = counts.removed.get(&instance.name).copied().unwrap_or_default();
            (vec![(INSTANCE, instance.name.as_str())], count as f64)
        }),
    );
    let live = api.handle.live();
    let phases = [("waiting", 0), ("working", 1), ("pausing", 2), ("ending", 3)];
    let phase_of = |phase: Phase| match phase {
        Phase::Waiting => 0,
        Phase::Working => 1,
        Phase::Pausing { .. } => 2,
        Phase::Ending => 3,
    };
    text.add(
        &ACTIVE,
        phases.map(|(name, phase)| {
            let count = live.iter().filter(|run| phase_of(run.phase) == phase).count();
            (vec![("phase", name)], count as f64)
        }),
    );
    // An instance may be restored to several targets at once.
    let mut active: BTreeMap<(&str, Job), u64> = BTreeMap::new();
    for run in &live {
        let bytes: u64 = run.tasks.iter().map(|task| task.done_bytes).sum();
        *active.entry((&run.record.instance, run.record.job)).or_default() += bytes;
    }
    text.add(&ACTIVE_BYTES, active.into_iter().map(|((name, job), bytes)| (labels(name, job), bytes as f64)));
}

fn of_repository(known: &Known, text: &mut Text) {
    text.add(&READ, known.refreshed_at.map(|at| (vec![("repository", MAIN)], seconds(at))));
    let was_tried = known.refreshed_at.is_some() || known.error.is_some();
    text.add(&READABLE, was_tried.then(|| (vec![("repository", MAIN)], flag(known.error.is_none()))));
    text.add(
        &BYTES,
        known.instances().map(|(name, facts)| (vec![("repository", MAIN), (INSTANCE, name)], facts.bytes as f64)),
    );
    let mut add = |metric: &Metric, value: &dyn Fn(&InstanceFacts) -> Option<f64>| {
        let samples = known.instances().filter_map(|(name, facts)| Some((vec![(INSTANCE, name)], value(facts)?)));
        text.add(metric, samples);
    };
    let count = |facts: &InstanceFacts, is: &dyn Fn(&super::facts::BackupFacts) -> bool| {
        Some(facts.backups.iter().filter(|backup| is(backup)).count() as f64)
    };
    add(&BACKUPS, &|facts| Some(facts.backups.len() as f64));
    add(&DAMAGED, &|facts| Some(facts.damaged.len() as f64));
    let is_refuted = |outcome| outcome == ProofOutcome::Failed;
    add(&REFUTED, &|facts| {
        count(facts, &|backup| backup.proof.as_ref().is_some_and(|proof| is_refuted(proof.outcome)))
    });
    add(&KNOWN_DAMAGED, &|facts| count(facts, &|backup| backup.is_damaged));
    add(&FUTURE, &|facts| count(facts, &|backup| backup.is_future));
    add(&ALARMS, &|facts| Some(facts.shown.alarms.len() as f64));
    add(&CLOCK, &|facts| Some(facts.shown.clocks.ahead().as_secs_f64()));
    add(&PINNED, &|facts| count(facts, &|backup| backup.pinned));
    add(&REMOVABLE, &|facts| count(facts, &|backup| backup.keep == Some(false)));
    add(&HELD, &|facts| {
        let is_held = facts.plan.as_ref().map_or(true, |plan| !plan.holds.is_empty());
        Some(flag(is_held || !facts.damaged.is_empty()))
    });
    add(&NEWEST, &|facts| Some(seconds(facts.backups.first()?.brief.created_at)));
    add(&NEWEST_GOOD, &|facts| facts.shown.newest_good.map(seconds));
    add(&NEWEST_PROVEN, &|facts| Some(seconds(facts.newest_proven()?.0.brief.created_at)));
    let took = |facts: &InstanceFacts| {
        let newest = &facts.backups.first()?.brief;
        Some(newest.finished_at.duration_since(newest.created_at).as_secs_f64())
    };
    add(&NEWEST_DURATION, &took);
    add(&NEWEST_DATABASE, &|facts| Some(facts.backups.first()?.brief.database.dump_bytes as f64));
    add(&NEWEST_FILESTORE, &|facts| Some(facts.backups.first()?.brief.filestore.bytes as f64));
    add(&NEWEST_FILES, &|facts| Some(facts.backups.first()?.brief.filestore.files as f64));
    add(&NEWEST_STORED, &|facts| Some(facts.backups.first()?.brief.stored_bytes as f64));
    add(&NEWEST_RATE, &|facts| {
        let newest = &facts.backups.first()?.brief;
        let seconds = took(facts).filter(|seconds| *seconds > 0.0)?;
        Some((newest.database.dump_bytes + newest.filestore.new_bytes) as f64 / seconds)
    });
    add(&NEWEST_WARNINGS, &|facts| Some(facts.backups.first()?.brief.warnings.len() as f64));
    add(&FILES_MISSING, &|facts| Some(facts.backups.first()?.missing_files as f64));
    add(&ELSEWHERE, &|facts| Some(facts.backups.first()?.brief.attachments?.elsewhere as f64));
}

fn labels(instance: &str, job: Job) -> Vec<(&'static str, &str)> {
    vec![(INSTANCE, instance), ("kind", job.as_str())]
}

fn took(run: &RunRecord) -> Option<f64> {
    Some(run.ended_at?.duration_since(run.began_at).as_secs_f64())
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

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
