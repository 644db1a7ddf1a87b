//! `/metrics`, for Prometheus: what the daemon counts, next to the [metrics](crate::metrics) that
//! are also known without it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::Api;
use super::problem::HttpProblem;
use crate::agenda::Job;
use crate::journal::RunOutcome;
use crate::metrics::table::{ACTIVE, ACTIVE_BYTES, DOWNLOADS, REMOVED, RUNS, STARTED};
use crate::metrics::text::{self, Text};
use crate::metrics::{INSTANCE, labels, of_conditions, of_jobs, of_notifiers, of_program, of_repository, seconds};
use crate::view::{Event, InstanceView, Phase};

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
    of_program(&mut text);
    text.add(&STARTED, [(vec![], seconds(api.handle.began_at()))]);
    of_notifiers(&api.handle.notifiers(), &mut text);
    of_downloads(&api, &mut text);
    let (instances, known) = (api.handle.instances(), api.facts.known());
    of_jobs(&instances, true, &mut text);
    let now = api.handle.now();
    of_conditions(&instances, |view| Some(known.condition(view, now).severity()), &mut text);
    of_runs(&api, &instances, &mut text);
    of_repository(&known, &mut text);
    ([(header::CONTENT_TYPE, text::CONTENT_TYPE)], text.into_string())
}

fn of_downloads(api: &Api, text: &mut Text) {
    let downloads = api.counters.0.lock().unwrap_or_else(PoisonError::into_inner).downloads.clone();
    let count = |outcome| downloads.get(outcome).copied().unwrap_or_default() as f64;
    text.add(&DOWNLOADS, DOWNLOAD_OUTCOMES.map(|outcome| (vec![("outcome", outcome)], count(outcome))));
}

fn of_runs(api: &Api, instances: &[InstanceView], text: &mut Text) {
    let jobs = || instances.iter().flat_map(|instance| instance.jobs.iter().map(|job| (instance.name.as_str(), job)));
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
