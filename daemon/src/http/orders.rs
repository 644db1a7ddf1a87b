//! Requests that change something: start and cancel runs, pin backups, reload the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::check::Sample;
use engine::repository::{BackupId, BackupRef, Pin};
use engine::run::Interruptible;
use engine::run::Run;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::openapi::content::Content;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response as ResponseObject, ResponseBuilder};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoResponses, ToSchema};

use super::Api;
use super::extract::{Body, Path};
use super::instances::instance;
use super::problem::HttpProblem;
use super::runs::RunView;
use crate::journal::RunId;
use crate::work::Order;

/// A job for an instance.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "job", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum StartRun {
    /// Back it up.
    Backup {
        /// Read every file, also those that earlier backups hold.
        #[serde(default)]
        #[schema(default = false)]
        reread: bool,
    },
    /// Check its backups.
    Check {
        /// How much is read back: `5%`, `10GB`. By default as the configuration says.
        read_data: Option<String>,
    },
    /// Restore its latest backup, verify the copy, and drop it.
    Drill {},
}

impl StartRun {
    fn order(self) -> Result<Order, HttpProblem> {
        Ok(match self {
            Self::Backup { reread } => Order::Backup { reread },
            Self::Drill {} => Order::Drill,
            Self::Check { read_data } => {
                let sample = read_data.map(|sample| sample.parse::<Sample>()).transpose();
                Order::Check {
                    read_data: sample.map_err(|error| HttpProblem::invalid(format!("`read_data`: {error}")))?,
                }
            }
        })
    }
}

/// Start a run.
#[utoipa::path(
    post, path = "/api/v1/instances/{name}/runs", operation_id = "start_run",
    params(("name" = String, Path, description = "The instance")),
    request_body = StartRun,
    responses(Accepted, HttpProblem),
)]
pub(super) async fn start(
    State(api): State<Api>,
    Path(name): Path<String>,
    Body(wanted): Body<StartRun>,
) -> Result<Accepted, HttpProblem> {
    let id = api.handle.start(&name, wanted.order()?).await?;
    Accepted::of(&api, id)
}

/// The answer 202 to a request that starts a run: the run, with its address.
pub(super) struct Accepted {
    id: RunId,
    run: RunView,
}

impl Accepted {
    pub(super) fn of(api: &Api, id: RunId) -> Result<Self, HttpProblem> {
        Ok(Self { id, run: api.run(id)? })
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let location = [(header::LOCATION, format!("/api/v1/runs/{}", self.id))];
        (StatusCode::ACCEPTED, location, Json(self.run)).into_response()
    }
}

impl IntoResponses for Accepted {
    fn responses() -> BTreeMap<String, RefOr<ResponseObject>> {
        let run = Ref::from_schema_name(RunView::name());
        let response = ResponseBuilder::new()
            .description("The run: queued, running, or being cancelled")
            .content("application/json", Content::new(Some(run)))
            .header("Location", HeaderBuilder::new().description(Some("The run")).build())
            .build();
        BTreeMap::from([(StatusCode::ACCEPTED.as_str().to_owned(), response.into())])
    }
}

/// Cancel a run. It cleans up, which takes a moment.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/cancel", operation_id = "cancel_run",
    params(("id" = RunId, Path, description = "The run")),
    responses(Accepted, HttpProblem),
)]
pub(super) async fn cancel(State(api): State<Api>, Path(id): Path<RunId>) -> Result<Accepted, HttpProblem> {
    if !api.handle.cancel(id) {
        api.run(id)?;
        let ended = HttpProblem::new(StatusCode::CONFLICT, "already_ended", format!("run {id} has already ended"));
        return Err(ended.of_run(id));
    }
    Accepted::of(&api, id)
}

/// The note of a pin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    /// Why it is kept.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// Whether a backup is pinned.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = Pin)]
pub(super) struct Pinned {
    /// Whether it is kept until it is unpinned.
    pinned: bool,
    /// When it was pinned. Absent where it is not pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>, required = false)]
    pinned_at: Option<Option<Timestamp>>,
    /// The note of the pin; null without one. Absent if the backup is not pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    note: Option<Option<String>>,
}

/// How long to wait for a lock. The client waits as long for its answer.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// Characters of a note at most: people read it.
const LONGEST_NOTE: usize = 1000;

/// Keep a backup until it is unpinned.
#[utoipa::path(
    put, path = "/api/v1/instances/{name}/backups/{id}/pin", operation_id = "pin",
    params(("name" = String, Path, description = "The instance"), ("id" = String, Path, description = "The backup's id")),
    request_body = Note,
    responses((status = 200, description = "It is pinned", body = Pinned), HttpProblem),
)]
pub(super) async fn pin(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
    Body(Note { note }): Body<Note>,
) -> Result<Json<Pinned>, HttpProblem> {
    if note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(HttpProblem::invalid(format!("`note` is longer than {LONGEST_NOTE} characters")));
    }
    let pin = mark(&api, &name, &id, Mark::Pin(note)).await?.unwrap_or_default();
    Ok(Json(Pinned { pinned: true, pinned_at: Some(pin.pinned_at), note: Some(pin.note) }))
}

/// Leave a backup to the retention policy again.
#[utoipa::path(
    delete, path = "/api/v1/instances/{name}/backups/{id}/pin", operation_id = "unpin",
    params(("name" = String, Path, description = "The instance"), ("id" = String, Path, description = "The backup's id")),
    responses((status = 200, description = "It is not pinned", body = Pinned), HttpProblem),
)]
pub(super) async fn unpin(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<Pinned>, HttpProblem> {
    mark(&api, &name, &id, Mark::Unpin).await?;
    Ok(Json(Pinned::default()))
}

/// A change of a backup's pin.
enum Mark {
    Pin(Option<String>),
    Unpin,
}

/// Pins or unpins a backup; returns its pin, if it has one afterwards.
async fn mark(api: &Api, name: &str, id: &str, mark: Mark) -> Result<Option<Pin>, HttpProblem> {
    instance(&api.handle.config(), name)?;
    let id: BackupId = id.parse().map_err(|_| HttpProblem::not_found(format!("backup {name}/{id}")))?;
    let repository = api.handle.repository().await?;
    // A task of its own releases its lock even if the client no longer waits for the answer.
    let task = api.handle.0.tasks.spawn({
        let (api, backup) = (api.clone(), BackupRef::new(name, id));
        async move {
            let run = Run::default();
            let work = async {
                match mark {
                    Mark::Pin(note) => repository.pin(&backup, note, &run).await.map(Some),
                    Mark::Unpin => repository.unpin(&backup, &run).await.map(|_| None),
                }
            };
            let limit = async {
                tokio::time::sleep(LOCK_PATIENCE).await;
                run.cancel.cancel();
                std::future::pending().await
            };
            let done = tokio::select! {
                done = work => done,
                never = limit => never,
            };
            api.refresh(Some(&backup.instance)).await;
            done
        }
    });
    match task.await {
        Ok(Err(error)) if error.is_interruption() => {
            Err(HttpProblem::new(StatusCode::CONFLICT, "busy", format!("{name} is locked by another process"))
                .hint("try again when that process is done"))
        }
        Ok(done) => Ok(done?),
        Err(fault) => Err(HttpProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", fault.to_string())),
    }
}

/// Reload the configuration.
#[utoipa::path(
    post, path = "/api/v1/reload", operation_id = "reload",
    responses((status = 204, description = "It is in effect"), HttpProblem),
)]
pub(super) async fn reload(State(api): State<Api>) -> Result<StatusCode, HttpProblem> {
    api.handle.reload().await?;
    Ok(StatusCode::NO_CONTENT)
}
