//! The daemon itself, and the instances and targets of its configuration.

use axum::Json;
use axum::extract::State;
use config::{Config, InstanceConfig};
use engine::error::Explanation;
use engine::manifest::Depth;
use engine::repository::BackupId;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::extract::Path;
use super::problem::HttpProblem;
use super::runs::RunView;
use crate::condition::{Condition, InstanceState};
use crate::facts::{BackupFacts, Known, ProofFacts};
use crate::view::{InstanceView, JobView, Standing};

/// The daemon, its runs, and what is known of the repository.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    /// Version of odoo-backup.
    version: &'static str,
    /// When the daemon started.
    began_at: Timestamp,
    /// The daemon's clock.
    now: Timestamp,
    /// Whether the daemon is stopping and starts no more runs.
    stopping: bool,
    /// How many runs there may be at once.
    max_concurrent: u32,
    /// The runs that run or are queued.
    runs: Vec<RunView>,
    /// The notifiers, and whether they work.
    notifiers: Vec<Standing>,
    /// Why the daemon's state is in memory alone; null where it is on disk.
    #[schema(required = true)]
    state_error: Option<Explanation>,
    /// The repository.
    repository: RepositoryStatus,
}

/// What is known of the repository.
#[derive(Serialize, ToSchema)]
struct RepositoryStatus {
    /// Where it is; null until it was opened.
    #[schema(required = true)]
    location: Option<String>,
    /// When it was last read; null until then.
    #[schema(required = true)]
    refreshed_at: Option<Timestamp>,
    /// The space that the instances take in it.
    bytes: u64,
    /// How many backups it has that can be read.
    backups: usize,
    /// Why the last attempt to read it failed; null if it succeeded.
    #[schema(required = true)]
    error: Option<Explanation>,
}

/// The daemon, its runs, and what is known of the repository.
#[utoipa::path(
    get, path = "/api/v1/status", operation_id = "status",
    responses((status = 200, description = "The daemon's status", body = Status), HttpProblem),
)]
pub(super) async fn status(State(api): State<Api>) -> Json<Status> {
    let state_error = api.handle.state_trouble().await;
    let (handle, known) = (&api.handle, api.facts.known());
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        began_at: handle.began_at(),
        now: handle.now(),
        stopping: handle.stopping().is_cancelled(),
        max_concurrent: handle.config().daemon.max_concurrent,
        runs: handle.live().into_iter().map(RunView::from).collect(),
        notifiers: handle.notifiers(),
        state_error,
        repository: RepositoryStatus {
            location: known.location.clone(),
            refreshed_at: known.refreshed_at,
            bytes: known.instances().map(|(_, facts)| facts.bytes).sum(),
            backups: known.instances().map(|(_, facts)| facts.backups.len()).sum(),
            error: known.error.clone(),
        },
    })
}

/// An instance.
#[derive(Serialize, ToSchema)]
#[schema(as = Instance)]
pub(super) struct InstanceDocument {
    /// Its name.
    name: String,
    /// How it is doing, in one word.
    state: InstanceState,
    /// How it is doing, and why.
    condition: Condition,
    /// The messages of `condition`.
    problems: Vec<String>,
    /// Its newest backup; null where there is none, or none is known.
    #[schema(required = true)]
    newest_backup: Option<BackupFacts>,
    /// Its newest good backup whose restored copy was verified.
    #[schema(required = true)]
    newest_proof: Option<NewestProof>,
    /// How many backups it has that can be read.
    backups: usize,
    /// How many backups it has that cannot be read.
    damaged: usize,
    /// The space that it takes in the repository.
    stored_bytes: u64,
    /// Its retention policy.
    retention: String,
    /// Whether each good backup is followed by a prune.
    prunes: bool,
    /// How old its newest good backup may become before it is stale; null without a limit.
    #[schema(required = true, minimum = 0)]
    stale_after_seconds: Option<i64>,
    /// Its jobs: a backup always, others where they have a schedule or ran.
    jobs: Vec<JobView>,
}

/// A backup that a restored copy has proven.
#[derive(Serialize, ToSchema)]
pub(super) struct NewestProof {
    /// Its id.
    backup: BackupId,
    /// The moment that it shows.
    created_at: Timestamp,
    /// When the copy was verified.
    at: Timestamp,
    /// How much of the copy was read.
    depth: Depth,
}

impl NewestProof {
    pub(super) fn of((backup, proof): (&BackupFacts, &ProofFacts)) -> Self {
        let (id, created_at) = (backup.brief.id.clone(), backup.brief.created_at);
        Self { backup: id, created_at, at: proof.at, depth: proof.depth }
    }
}

impl InstanceDocument {
    fn new(instance: &InstanceConfig, view: InstanceView, known: &Known, now: Timestamp) -> Self {
        let facts = known.instance(&instance.instance.name);
        let condition = known.condition(&view, now);
        let newest_proof = facts.and_then(|facts| facts.newest_proven()).map(NewestProof::of);
        Self {
            name: view.name,
            state: condition.state(),
            problems: condition.reasons.iter().map(|reason| reason.message.clone()).collect(),
            condition,
            newest_backup: facts.and_then(|facts| facts.backups.first().cloned()),
            newest_proof,
            backups: facts.map_or(0, |facts| facts.backups.len()),
            damaged: facts.map_or(0, |facts| facts.damaged.len()),
            stored_bytes: facts.map_or(0, |facts| facts.bytes),
            retention: instance.instance.retention.policy.to_string(),
            prunes: instance.prune,
            stale_after_seconds: view.stale_after_seconds,
            jobs: view.jobs,
        }
    }
}

fn documents(api: &Api) -> impl Iterator<Item = InstanceDocument> {
    let (config, known, now) = (api.handle.config(), api.facts.known(), api.handle.now());
    let views = api.handle.instances().into_iter();
    views.filter_map(move |view| {
        let instance = config.instances.get(&view.name)?;
        Some(InstanceDocument::new(instance, view, &known, now))
    })
}

/// Every instance.
#[derive(Serialize, ToSchema)]
pub(super) struct Instances {
    /// The instances, by name.
    instances: Vec<InstanceDocument>,
}

/// Every instance.
#[utoipa::path(
    get, path = "/api/v1/instances", operation_id = "list_instances",
    responses((status = 200, description = "The instances", body = Instances), HttpProblem),
)]
pub(super) async fn list(State(api): State<Api>) -> Json<Instances> {
    Json(Instances { instances: documents(&api).collect() })
}

/// An instance.
#[utoipa::path(
    get, path = "/api/v1/instances/{name}", operation_id = "show_instance",
    params(("name" = String, Path, description = "The instance")),
    responses((status = 200, description = "The instance", body = InstanceDocument), HttpProblem),
)]
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<InstanceDocument>, HttpProblem> {
    instance(&api.handle.config(), &name)?;
    let mut documents = documents(&api);
    // Taken out of the configuration at this moment.
    let gone = || HttpProblem::not_found(format!("instance {name:?}"));
    documents.find(|document| document.name == name).map(Json).ok_or_else(gone)
}

/// The instance of this name.
pub(super) fn instance<'a>(config: &'a Config, name: &str) -> Result<&'a InstanceConfig, HttpProblem> {
    Ok(config.instance(name)?)
}
