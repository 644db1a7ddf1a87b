//! What can be done: runs begun and stopped, backups pinned, the configuration read anew.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use engine::check::Sample;
use engine::repository::{BackupId, BackupRef, Pin};
use engine::run::Interruptible;
use engine::run::Run;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::extract::{Body, Path};
use super::instances::instance;
use super::problem::Problem;
use crate::journal::RunId;
use crate::sources::{Sources, Wanted as Backup};
use crate::work::Order;

/// What is to be done to an instance.
#[derive(Deserialize)]
#[serde(tag = "job", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Wanted {
    Backup {
        #[serde(default)]
        reread: bool,
    },
    Check {
        /// `5%`; where nothing is said, as the configuration says.
        read_data: Option<String>,
    },
    Drill {},
}

impl Wanted {
    fn order(self) -> Result<Order, Problem> {
        Ok(match self {
            Self::Backup { reread } => Order::Backup { reread },
            Self::Drill {} => Order::Drill,
            Self::Check { read_data } => {
                let sample = read_data.map(|sample| sample.parse::<Sample>()).transpose();
                Order::Check { read_data: sample.map_err(|error| Problem::invalid(format!("`read_data`: {error}")))? }
            }
        })
    }
}

/// `POST /api/v1/instances/{name}/runs`
pub(super) async fn start(
    State(api): State<Api>,
    Path(name): Path<String>,
    Body(wanted): Body<Wanted>,
) -> Result<impl IntoResponse, Problem> {
    let id = api.handle.start(&name, wanted.order()?).await?;
    accepted(&api, id)
}

/// What is to be restored into a target.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    /// Whose backup; where nothing is said, that whose backups the target takes.
    instance: Option<String>,
    /// Its id, or `latest`.
    backup: String,
}

/// `POST /api/v1/targets/{name}/restores`
pub(super) async fn restore(
    State(api): State<Api>,
    Path(name): Path<String>,
    Body(wanted): Body<Restore>,
) -> Result<impl IntoResponse, Problem> {
    let config = api.handle.config();
    let target = config.target(&name)?;
    let Some(from) = wanted.instance.as_ref().or(target.instance.as_ref()) else {
        return Err(Problem::invalid(format!("`instance` must name the instance whose backup is restored to {name}")));
    };
    instance(&config, from)?;
    if wanted.backup.contains('/') {
        return Err(Problem::invalid("`backup` must be the id of a backup, or `latest`"));
    }
    let selector = format!("{from}/{}", wanted.backup);
    // Found now, so that whoever asks for the latest knows which that is, and one that is not there is refused at once.
    let sources = Sources::of(&config).with_connection(&api.handle.0.connection);
    let BackupRef { instance: from, id: backup } =
        sources.resolve(Backup { selector: &selector, instance: None }).await?;
    let id = api.handle.start(&from, Order::Restore { target: name, backup }).await?;
    accepted(&api, id)
}

/// That a run goes on, or is about to end.
fn accepted(api: &Api, id: RunId) -> Result<impl IntoResponse + use<>, Problem> {
    let location = [(header::LOCATION, format!("/api/v1/runs/{id}"))];
    Ok((StatusCode::ACCEPTED, location, Json(api.run(id)?)))
}

/// `POST /api/v1/runs/{id}/cancel`
pub(super) async fn cancel(State(api): State<Api>, Path(id): Path<RunId>) -> Result<impl IntoResponse, Problem> {
    if !api.handle.cancel(id) {
        api.run(id)?;
        let ended = Problem::new(StatusCode::CONFLICT, "already_ended", format!("run {id} has already ended"));
        return Err(ended.of_run(id));
    }
    accepted(&api, id)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    note: Option<String>,
}

/// How long a lock is waited for; whoever asked waits as long.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// A note is for a person to read.
const LONGEST_NOTE: usize = 1000;

/// `PUT /api/v1/instances/{name}/backups/{id}/pin`
pub(super) async fn pin(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
    Body(Note { note }): Body<Note>,
) -> Result<Json<Value>, Problem> {
    if note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(Problem::invalid(format!("`note` is longer than {LONGEST_NOTE} characters")));
    }
    let pin = mark(&api, &name, &id, Mark::Pin(note)).await?.unwrap_or_default();
    Ok(Json(json!({ "pinned": true, "pinned_at": pin.pinned_at, "note": pin.note })))
}

/// `DELETE /api/v1/instances/{name}/backups/{id}/pin`
pub(super) async fn unpin(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    mark(&api, &name, &id, Mark::Unpin).await?;
    Ok(Json(json!({ "pinned": false })))
}

/// What a person says of a backup.
enum Mark {
    Pin(Option<String>),
    Unpin,
}

/// Marks a backup; returns its pin, where it has one then.
async fn mark(api: &Api, name: &str, id: &str, mark: Mark) -> Result<Option<Pin>, Problem> {
    instance(&api.handle.config(), name)?;
    let id: BackupId = id.parse().map_err(|_| Problem::not_found(format!("backup {name}/{id}")))?;
    let repository = api.handle.repository().await?;
    // A task of its own: the lock that it holds is released whether or not somebody still waits for the answer.
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
            Err(Problem::new(StatusCode::CONFLICT, "busy", format!("{name} is locked by another process"))
                .hint("try again when that process is done"))
        }
        Ok(done) => Ok(done?),
        Err(fault) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", fault.to_string())),
    }
}

/// `POST /api/v1/reload`
pub(super) async fn reload(State(api): State<Api>) -> Result<StatusCode, Problem> {
    api.handle.reload().await?;
    Ok(StatusCode::NO_CONTENT)
}
