//! All instances on one page: totals, and a short row for each.

use axum::Json;
use axum::extract::State;
use engine::repository::BackupId;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::instances::NewestProof;
use super::problem::HttpProblem;
use crate::agenda::Job;
use crate::condition::{InstanceState, Severity};
use crate::facts::{BackupFacts, Known};
use crate::handle::RunResult;
use crate::journal::{RunId, RunOutcome, RunRecord};
use crate::view::{InstanceView, JobView, Phase};

/// What counts as the last day.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// All instances, and totals.
#[derive(Serialize, ToSchema)]
pub(super) struct Overview {
    /// The daemon's clock.
    now: Timestamp,
    /// The totals.
    totals: Totals,
    /// The instances, by name.
    instances: Vec<InstanceRow>,
}

/// Totals over all instances.
#[derive(Default, Serialize, ToSchema)]
struct Totals {
    /// How many instances there are.
    instances: usize,
    /// How many are in each state.
    states: States,
    /// Runs that work.
    running: usize,
    /// Runs that are queued.
    queued: usize,
    /// What the instances take in the main repository.
    stored_bytes: u64,
    /// How many backups it has that can be read.
    backups: usize,
    /// The runs of the last 24 hours.
    last_day: LastDay,
    /// The scheduled run that begins next; null where there is none.
    #[schema(required = true)]
    next: Option<NextRun>,
}

/// How many instances are in each state.
#[derive(Default, Serialize, ToSchema)]
struct States {
    /// Nothing is wrong.
    ok: usize,
    /// Something needs attention.
    warning: usize,
    /// The newest good backup is too old.
    stale: usize,
    /// There is no good backup.
    empty: usize,
    /// Something failed.
    failing: usize,
    /// The repository has not been read.
    unknown: usize,
}

/// Runs that ended in the last 24 hours, by how they ended.
#[derive(Default, Serialize, ToSchema)]
struct LastDay {
    /// All of them.
    runs: usize,
    /// Done without warnings, by this daemon or another one.
    done: usize,
    /// Done with warnings.
    warnings: usize,
    /// Failed, or interrupted.
    failed: usize,
    /// Cancelled.
    cancelled: usize,
}

/// A scheduled run to come.
#[derive(Clone, Serialize, ToSchema)]
struct NextRun {
    /// The instance.
    instance: String,
    /// What will run.
    job: Job,
    /// When it begins.
    begins: Timestamp,
}

/// An instance in a row.
#[derive(Serialize, ToSchema)]
struct InstanceRow {
    /// Its name.
    name: String,
    /// How it is doing, in one word.
    state: InstanceState,
    /// How bad the worst of its problems is.
    severity: Severity,
    /// Its problems, the worst first.
    problems: Vec<String>,
    /// Its newest backup; null where there is none, or none is known.
    #[schema(required = true)]
    newest_backup: Option<NewestRow>,
    /// Its newest good backup of which a restored copy was what had been backed up.
    #[schema(required = true)]
    newest_proof: Option<NewestProof>,
    /// How many backups it has that can be read.
    backups: usize,
    /// How many backups it has that cannot be read.
    damaged: usize,
    /// What it takes in the repository.
    stored_bytes: u64,
    /// How old its newest good backup may become; null: as old as it likes.
    #[schema(required = true, minimum = 0)]
    stale_after_seconds: Option<i64>,
    /// Its runs that are running or queued.
    running: Vec<RunningRow>,
    /// The scheduled run that begins next; null where it has none.
    #[schema(required = true)]
    next: Option<NextRun>,
    /// Its latest run that has ended; null where there is none.
    #[schema(required = true)]
    latest: Option<LatestRow>,
}

/// The newest backup of an instance.
#[derive(Serialize, ToSchema)]
struct NewestRow {
    /// Its id.
    id: BackupId,
    /// The moment that it shows.
    created_at: Timestamp,
    /// When its last object was stored.
    finished_at: Timestamp,
    /// The dump before compression.
    dump_bytes: u64,
    /// The files together.
    filestore_bytes: u64,
    /// What its own objects take in the repository.
    stored_bytes: u64,
    /// How many warnings it has.
    warnings: usize,
}

/// A run that is running or queued.
#[derive(Serialize, ToSchema)]
struct RunningRow {
    /// The run.
    id: RunId,
    /// What it does.
    job: Job,
}

/// A run that has ended.
#[derive(Serialize, ToSchema)]
struct LatestRow {
    /// The run.
    id: RunId,
    /// What it did.
    job: Job,
    /// When it began.
    began_at: Timestamp,
    /// When it ended.
    ended_at: Timestamp,
    /// How it ended: `result` of its outcome.
    result: &'static str,
    /// How many warnings it ended with.
    warnings: usize,
}

impl LatestRow {
    fn of(run: &RunRecord) -> Option<Self> {
        let (ended_at, outcome) = run.ended_at.zip(run.outcome.as_ref())?;
        Some(Self {
            id: run.id,
            job: run.job,
            began_at: run.began_at,
            ended_at,
            result: outcome.word(),
            warnings: outcome.warnings().len(),
        })
    }
}

impl NewestRow {
    fn of(backup: &BackupFacts) -> Self {
        let brief = &backup.brief;
        Self {
            id: brief.id.clone(),
            created_at: brief.created_at,
            finished_at: brief.finished_at,
            dump_bytes: brief.database.dump_bytes,
            filestore_bytes: brief.filestore.bytes,
            stored_bytes: brief.stored_bytes,
            warnings: brief.warnings.len(),
        }
    }
}

impl InstanceRow {
    fn of(view: InstanceView, known: &Known, now: Timestamp) -> Self {
        let (facts, condition) = (known.instance(&view.name), known.condition(&view, now));
        let next = view.jobs.iter().filter_map(|job| Some((job.next?.begins, job.job))).min();
        let running = |job: &JobView| Some(RunningRow { id: job.running?, job: job.job });
        let ended = |job: &JobView| job.ended().and_then(LatestRow::of);
        Self {
            state: condition.state(),
            severity: condition.severity(),
            newest_backup: facts.and_then(|facts| facts.backups.first()).map(NewestRow::of),
            newest_proof: facts.and_then(|facts| facts.newest_proven()).map(NewestProof::of),
            backups: facts.map_or(0, |facts| facts.backups.len()),
            damaged: facts.map_or(0, |facts| facts.damaged.len()),
            stored_bytes: facts.map_or(0, |facts| facts.bytes),
            stale_after_seconds: view.stale_after_seconds,
            running: view.jobs.iter().filter_map(running).collect(),
            next: next.map(|(begins, job)| NextRun { instance: view.name.clone(), job, begins }),
            latest: view.jobs.iter().filter_map(ended).max_by_key(|run| run.id),
            problems: condition.reasons.into_iter().map(|reason| reason.message).collect(),
            name: view.name,
        }
    }
}

impl Totals {
    fn of(api: &Api, rows: &[InstanceRow], now: Timestamp) -> Self {
        let mut totals = Self { instances: rows.len(), ..Self::default() };
        for row in rows {
            *totals.states.of(row.state) += 1;
            totals.stored_bytes += row.stored_bytes;
            totals.backups += row.backups;
        }
        totals.next = rows.iter().filter_map(|row| row.next.as_ref()).min_by_key(|next| next.begins).cloned();
        for run in api.handle.live() {
            match run.phase {
                Phase::Waiting => totals.queued += 1,
                Phase::Working | Phase::Pausing { .. } | Phase::Ending => totals.running += 1,
            }
        }
        let since = now.checked_sub(DAY).unwrap_or(Timestamp::MIN);
        api.handle.each_ended_since(since, |outcome| totals.last_day.count(outcome));
        totals
    }
}

impl States {
    fn of(&mut self, state: InstanceState) -> &mut usize {
        match state {
            InstanceState::Ok => &mut self.ok,
            InstanceState::Warning => &mut self.warning,
            InstanceState::Stale => &mut self.stale,
            InstanceState::Empty => &mut self.empty,
            InstanceState::Failing => &mut self.failing,
            InstanceState::Unknown => &mut self.unknown,
        }
    }
}

impl LastDay {
    fn count(&mut self, outcome: &RunOutcome) {
        self.runs += 1;
        match RunResult::of(Some(outcome)) {
            RunResult::Done => self.done += 1,
            RunResult::Warnings => self.warnings += 1,
            RunResult::Failed => self.failed += 1,
            RunResult::Cancelled => self.cancelled += 1,
            RunResult::Running => {}
        }
    }
}

/// All instances in short rows, and totals: what an overview shows.
#[utoipa::path(
    get, path = "/api/v1/overview", operation_id = "overview",
    responses((status = 200, description = "The instances and totals", body = Overview), HttpProblem),
)]
pub(super) async fn overview(State(api): State<Api>) -> Json<Overview> {
    let (known, now) = (api.facts.known(), api.handle.now());
    let views = api.handle.instances().into_iter();
    let instances: Vec<_> = views.map(|view| InstanceRow::of(view, &known, now)).collect();
    Json(Overview { now, totals: Totals::of(&api, &instances, now), instances })
}
