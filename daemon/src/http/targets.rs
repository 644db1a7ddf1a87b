//! The targets: what they hold, restores to them, and the undo of a restore.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use config::Config;
use engine::manifest::Manifest;
use engine::repository::{BackupId, BackupRef, Repository};
use engine::restore::{Obstacle, Preflight, Target, TargetIdentity, examine, examine_undo};
use engine::run::Run;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::extract::{Body, Path};
use super::instances::instance;
use super::orders::Accepted;
use super::problem::HttpProblem;
use super::target_states::SeenState;
use crate::journal::RunId;
use crate::sources::{Done, Sources, WantedBackup};
use crate::work::Order;

/// A place that backups are restored to.
#[derive(Serialize, ToSchema)]
#[schema(as = Target)]
pub(super) struct TargetDocument {
    /// Its name.
    name: String,
    /// The instance whose backups it takes; null if a restore must name one.
    #[schema(required = true)]
    instance: Option<String>,
    /// The database's name.
    database: String,
    /// The filestore's folder.
    #[schema(value_type = String)]
    filestore: PathBuf,
    /// Whether the copy is neutralized.
    neutralize: bool,
    /// Whether the people in the copy are replaced.
    anonymize: bool,
    /// The restore or undo that is running or queued; null where there is none.
    #[schema(required = true)]
    running: Option<RunId>,
    /// What it held when it was last looked at; null until then.
    #[schema(required = true)]
    state: Option<SeenState>,
}

impl TargetDocument {
    fn of(api: &Api, target: &Target, state: Option<SeenState>) -> Self {
        Self {
            name: target.name.clone(),
            instance: target.instance.clone(),
            database: target.database.name.clone(),
            filestore: target.filestore.clone(),
            neutralize: target.neutralize.is_some(),
            anonymize: target.anonymize.is_some(),
            running: api.handle.replacing(&target.name),
            state,
        }
    }
}

/// Every target.
#[derive(Serialize, ToSchema)]
pub(super) struct Targets {
    /// The targets, by name.
    targets: Vec<TargetDocument>,
}

/// Every target, as it was last looked at.
#[utoipa::path(
    get, path = "/api/v1/targets", operation_id = "list_targets",
    responses((status = 200, description = "The targets", body = Targets), HttpProblem),
)]
pub(super) async fn list(State(api): State<Api>) -> Json<Targets> {
    let config = api.handle.config();
    let document = |target: &Target| TargetDocument::of(&api, target, api.targets.get(&target.name));
    Json(Targets { targets: config.targets.values().map(document).collect() })
}

/// A target. Its server is asked what it holds.
#[utoipa::path(
    get, path = "/api/v1/targets/{name}", operation_id = "show_target",
    params(("name" = String, Path, description = "The target")),
    responses((status = 200, description = "The target", body = TargetDocument), HttpProblem),
)]
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<TargetDocument>, HttpProblem> {
    let config = api.handle.config();
    let target = config.target(&name)?;
    let state = api.look_at_target(target).await;
    Ok(Json(TargetDocument::of(&api, target, Some(state))))
}

/// A restore to a target.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartRestore {
    /// The instance whose backup it is. By default the target's `instance`.
    instance: Option<String>,
    /// A backup's id, `latest` or `latest~N`.
    backup: String,
    /// Tell whether the restore would start, and change nothing.
    #[serde(default)]
    #[schema(default = false)]
    dry_run: bool,
}

/// Whether a restore would start, and what it would replace.
#[derive(Serialize, ToSchema)]
pub(super) struct RestorePlan {
    /// The target.
    target: String,
    /// The instance that the backup is of.
    instance: String,
    /// The backup's id.
    backup: BackupId,
    /// The moment that it shows.
    created_at: Timestamp,
    /// The name of the repository that it would be read from.
    repository: String,
    /// Why repositories before it and newer backups were passed over, in sentences.
    passed_over: Vec<String>,
    /// What the copy takes.
    needs: RestoreNeeds,
    /// Whether the copy would be neutralized.
    neutralize: bool,
    /// Whether the people in the copy would be replaced.
    anonymize: bool,
    #[serde(flatten)]
    verdict: Verdict,
}

/// What a copy takes.
#[derive(Serialize, ToSchema)]
struct RestoreNeeds {
    /// What the database took at its source. A copy takes less.
    database_bytes: u64,
    /// The files together.
    filestore_bytes: u64,
    /// How many files there are.
    filestore_files: u64,
}

/// Whether an undo would start, and what it would bring back.
#[derive(Serialize, ToSchema)]
pub(super) struct UndoPlan {
    /// The target.
    target: String,
    #[serde(flatten)]
    verdict: Verdict,
}

/// Whether something would start, and why not.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRun)]
struct Verdict {
    /// Whether it would start.
    would_start: bool,
    /// Why it would be refused.
    obstacles: Vec<Obstacle>,
    /// What needs attention.
    warnings: Vec<Obstacle>,
    /// What the target holds. It would be kept for an undo; what it keeps now would be brought back
    /// by an undo, or removed by a restore.
    state: SeenState,
}

impl Verdict {
    fn new(Preflight { obstacles, warnings }: Preflight, state: SeenState) -> Self {
        Self { would_start: obstacles.is_empty(), obstacles, warnings, state }
    }
}

/// A run, or what it would do.
pub(super) enum Answer<P> {
    Run(Box<Accepted>),
    Plan(P),
}

impl<P: Serialize> IntoResponse for Answer<P> {
    fn into_response(self) -> Response {
        match self {
            Self::Run(run) => (*run).into_response(),
            Self::Plan(plan) => (StatusCode::OK, Json(plan)).into_response(),
        }
    }
}

/// Restore a backup to a target, as a copy; or tell whether that would start.
#[utoipa::path(
    post, path = "/api/v1/targets/{name}/restores", operation_id = "start_restore",
    params(("name" = String, Path, description = "The target")),
    request_body = StartRestore,
    responses((status = 200, description = "What a dry run found", body = RestorePlan), Accepted, HttpProblem),
)]
pub(super) async fn restore(
    State(api): State<Api>,
    Path(name): Path<String>,
    Body(wanted): Body<StartRestore>,
) -> Result<Answer<RestorePlan>, HttpProblem> {
    let config = api.handle.config();
    let target = config.target(&name)?;
    let from = instance_of(&config, target, wanted.instance.as_deref())?;
    if wanted.backup.contains('/') {
        return Err(HttpProblem::invalid("`backup` must be the id of a backup, `latest` or `latest~N`"));
    }
    let selector = format!("{from}/{}", wanted.backup);
    let sources = Sources::of(&config).with_connection(&api.handle.0.connection);
    let backup = WantedBackup { selector: &selector, instance: None };
    if wanted.dry_run {
        return Ok(Answer::Plan(plan(&api, &config, target, &sources, backup).await?));
    }
    // Resolved now: the answer names the backup that `latest` means, and an unknown id is refused
    // at once.
    let BackupRef { instance: from, id: backup } = sources.resolve(backup).await?;
    let id = api.handle.start(&from, Order::Restore { target: name, backup }).await?;
    Ok(Answer::Run(Accepted::of(&api, id)?.into()))
}

/// Examines a restore as `restore --dry-run` does.
async fn plan(
    api: &Api,
    config: &Config,
    target: &Target,
    sources: &Sources<'_>,
    backup: WantedBackup<'_>,
) -> Result<RestorePlan, HttpProblem> {
    let protected = config.protected();
    let examine = async |_: Repository, manifest: Manifest| {
        examine(&protected, &manifest, target, TargetIdentity::Copy, None).await
    };
    let run = Run::default();
    let done = sources.with_first_intact(backup, &run, &|text| tracing::info!("{text}"), examine).await;
    let Done { manifest, repository, passed_over, result } = done?;
    let state = api.look_at_target(target).await;
    Ok(RestorePlan {
        target: target.name.clone(),
        repository,
        passed_over,
        needs: RestoreNeeds {
            database_bytes: manifest.server.database_size,
            filestore_bytes: manifest.filestore.bytes,
            filestore_files: manifest.filestore.files,
        },
        neutralize: target.neutralize.is_some() && manifest.odoo.is_some(),
        anonymize: target.anonymize.is_some(),
        verdict: Verdict::new(result, state),
        instance: manifest.instance,
        backup: manifest.id,
        created_at: manifest.created_at,
    })
}

/// An undo of the last restore to a target.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartUndo {
    /// The instance whose run it is. By default the target's `instance`.
    instance: Option<String>,
    /// Tell whether the undo would start, and change nothing.
    #[serde(default)]
    #[schema(default = false)]
    dry_run: bool,
}

/// Bring back a target's state from before the last restore; or tell whether that would start.
#[utoipa::path(
    post, path = "/api/v1/targets/{name}/undo", operation_id = "start_undo",
    params(("name" = String, Path, description = "The target")),
    request_body = StartUndo,
    responses((status = 200, description = "What a dry run found", body = UndoPlan), Accepted, HttpProblem),
)]
pub(super) async fn undo(
    State(api): State<Api>,
    Path(name): Path<String>,
    Body(wanted): Body<StartUndo>,
) -> Result<Answer<UndoPlan>, HttpProblem> {
    let config = api.handle.config();
    let target = config.target(&name)?;
    let of = instance_of(&config, target, wanted.instance.as_deref())?;
    if wanted.dry_run {
        let found = examine_undo(&config.protected(), target, TargetIdentity::Copy, None).await?;
        let verdict = Verdict::new(found, api.look_at_target(target).await);
        return Ok(Answer::Plan(UndoPlan { target: name, verdict }));
    }
    let id = api.handle.start(of, Order::Undo { target: name }).await?;
    Ok(Answer::Run(Accepted::of(&api, id)?.into()))
}

/// Returns the instance that was named, or whose backups the target takes.
fn instance_of<'a>(config: &Config, target: &'a Target, named: Option<&'a str>) -> Result<&'a str, HttpProblem> {
    let missing =
        || HttpProblem::invalid(format!("`instance` must name the instance of the backups that {} takes", target.name));
    let name = named.or(target.instance.as_deref()).ok_or_else(missing)?;
    instance(config, name).map(|_| name)
}
