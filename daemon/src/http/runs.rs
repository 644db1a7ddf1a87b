//! Runs, current and past.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::error::{Explanation, explain};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Path, Query, limited};
use super::problem::HttpProblem;
use crate::agenda::Job;
use crate::handle::{RunFilter, RunResult};
use crate::journal::{RunId, RunRecord};
use crate::progress::{PhaseState, TaskState};
use crate::view::{LiveRun, LogLine, Phase};

/// Lines of a log in one answer: the last.
const LINES: usize = 5000;
/// Runs in one answer: by default, and at most.
const RUNS: (usize, usize) = (50, 500);

/// A run, and what it does at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(super) struct RunView {
    #[serde(flatten)]
    record: RunRecord,
    /// What it does at this moment; null where it has ended.
    #[schema(required = true)]
    live: Option<LiveView>,
}

/// What a run does at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Live)]
struct LiveView {
    #[serde(flatten)]
    phase: Phase,
    /// Which attempt this is, from 1.
    attempt: u32,
    /// Why the last attempt failed; null in the first attempt.
    #[schema(required = true)]
    last_failure: Option<Explanation>,
    /// Whether it is being stopped.
    stopping: bool,
    /// Its parts that count bytes.
    tasks: Vec<TaskState>,
    /// Its phases in this attempt, in the order in which they began.
    phases: Vec<PhaseState>,
}

impl From<LiveRun> for RunView {
    fn from(run: LiveRun) -> Self {
        let LiveRun { record, phase, attempt, last_failure, stopping, tasks, phases } = run;
        Self { record, live: Some(LiveView { phase, attempt, last_failure, stopping, tasks, phases }) }
    }
}

impl From<RunRecord> for RunView {
    fn from(record: RunRecord) -> Self {
        Self { record, live: None }
    }
}

impl RunView {
    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }
}

impl Api {
    /// Returns a run, ended or not.
    pub(super) fn run(&self, id: RunId) -> Result<RunView, HttpProblem> {
        // In this order: a run that ends in between is seen as ended. Its end is recorded and
        // reported just before it is removed.
        let live = self.handle.live_run(id).map(RunView::from);
        let record = self.handle.run(id);
        let view = match record {
            Some(record) if record.ended_at.is_some() => Some(record.into()),
            record => live.or(record.map(RunView::from)),
        };
        view.ok_or_else(|| HttpProblem::not_found(format!("run {id}")))
    }
}

/// Which runs are shown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunPage {
    /// Of this instance.
    instance: Option<String>,
    /// Of this job.
    job: Option<Job>,
    /// That ended so, or have not ended.
    result: Option<RunResult>,
    /// Before this run: `next` of the page before.
    before: Option<RunId>,
    /// How many at most; 50 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Runs, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Runs {
    /// The runs of this page.
    runs: Vec<RunView>,
    /// `before` of the next page; null on the last page.
    #[schema(required = true)]
    next: Option<RunId>,
}

/// Runs, newest first.
#[utoipa::path(
    get, path = "/api/v1/runs", operation_id = "list_runs",
    params(RunPage),
    responses((status = 200, description = "A page of runs", body = Runs), HttpProblem),
)]
pub(super) async fn list(State(api): State<Api>, Query(page): Query<RunPage>) -> Result<Json<Runs>, HttpProblem> {
    let limit = limited(page.limit, RUNS)?;
    let RunPage { instance, job, result, before, .. } = page;
    let mut records = api.handle.runs(&RunFilter { instance, job, result, before, limit: Some(limit + 1) });
    let has_more = records.len() > limit;
    records.truncate(limit);
    let next = records.last().filter(|_| has_more).map(|last| last.id);
    let live = |record: RunRecord| match record.ended_at {
        Some(_) => record.into(),
        None => api.handle.live_run(record.id).map_or_else(|| record.into(), RunView::from),
    };
    Ok(Json(Runs { runs: records.into_iter().map(live).collect(), next }))
}

/// A run.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}", operation_id = "show_run",
    params(("id" = RunId, Path, description = "The run")),
    responses((status = 200, description = "The run", body = RunView), HttpProblem),
)]
pub(super) async fn show(State(api): State<Api>, Path(id): Path<RunId>) -> Result<Json<RunView>, HttpProblem> {
    api.run(id).map(Json)
}

/// What a run logged.
#[derive(Serialize, ToSchema)]
pub(super) struct Log {
    /// Its last lines, at most 5000.
    lines: Vec<LogLine>,
    /// How many lines before them are left out.
    left_off: usize,
}

/// What a run logged.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/log", operation_id = "run_log",
    params(("id" = RunId, Path, description = "The run")),
    responses((status = 200, description = "The log, or its last lines", body = Log), HttpProblem),
)]
pub(super) async fn log(State(api): State<Api>, Path(id): Path<RunId>) -> Result<Json<Log>, HttpProblem> {
    api.run(id)?;
    let handle = api.handle.clone();
    let read = tokio::task::spawn_blocking(move || handle.log(id)).await;
    let failed = |error: &(dyn std::error::Error + 'static)| {
        HttpProblem::explained(StatusCode::INTERNAL_SERVER_ERROR, "internal", explain(error))
    };
    let mut lines = read.map_err(|fault| failed(&fault))?.map_err(|error| failed(&error))?;
    let left_off = lines.len().saturating_sub(LINES);
    lines.drain(..left_off);
    Ok(Json(Log { lines, left_off }))
}
