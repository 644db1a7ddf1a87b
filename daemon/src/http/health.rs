//! Whether the daemon is alive, and whether what it needs can be reached.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use config::{InstanceConfig, explain};
use engine::postgres::{Endpoint, connect};
use engine::repository::Repository;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Api;
use super::guesses::Who;
use super::problem::HttpProblem;

/// How long an answer is kept: requests in between try nothing.
const HOLDS: Duration = Duration::from_secs(15);
/// With many instances longer, because each trial is a new connection, with a password's proof on
/// both sides.
const HOLDS_PER_INSTANCE: Duration = Duration::from_millis(300);
/// How long one trial may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Databases that are tried at once.
const PARALLEL: usize = 16;

/// The latest trials.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Checked)>>);

/// Whether the daemon can work.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(super) struct Checked {
    /// Whether the repository, each instance's database and the state folder can be used, and the
    /// daemon does not end.
    ready: bool,
    /// When the repository and the databases were tried.
    checked_at: Timestamp,
    /// What was tried. Absent for clients that did not show the token: it names hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    checks: Option<Vec<Check>>,
}

/// One thing that the daemon needs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ReadinessCheck)]
struct Check {
    /// `repository`, `instance NAME`, `state`.
    name: String,
    /// Whether it can be used.
    ready: bool,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

/// Whether the process runs.
#[utoipa::path(
    get, path = "/healthz", operation_id = "healthz", security(),
    responses((status = 200, description = "It runs", body = str, content_type = "text/plain"), HttpProblem),
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the repository and the databases can be reached.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", security(),
    responses(
        (status = 200, description = "They can be reached", body = Checked),
        (status = 503, description = "Something cannot be reached, or the daemon ends", body = Checked),
        HttpProblem,
    ),
)]
pub(super) async fn readyz(State(api): State<Api>, who: Who, headers: HeaderMap) -> (StatusCode, Json<Checked>) {
    let mut checked = api.readiness.of(&api).await;
    // Cheap, and so looked at each time.
    if let Some(trouble) = api.handle.state_trouble().await {
        checked.ready = false;
        let check = Check { name: "state".to_owned(), ready: false, error: Some(trouble.to_string()) };
        checked.checks.get_or_insert_default().push(check);
    }
    // It still answers, and begins nothing any more.
    checked.ready &= !api.handle.stopping().is_cancelled();
    let status = if checked.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    checked.checks = checked.checks.filter(|_| api.admits(&headers, who));
    (status, Json(checked))
}

impl Readiness {
    async fn of(&self, api: &Api) -> Checked {
        // Those who ask meanwhile wait for the same answer.
        let mut latest = self.0.lock().await;
        let config = api.handle.config();
        let instances = u32::try_from(config.instances.len()).unwrap_or(u32::MAX);
        let holds = HOLDS.max(HOLDS_PER_INSTANCE.saturating_mul(instances));
        if let Some((_, checked)) = latest.as_ref().filter(|(at, _)| at.elapsed() < holds) {
            return checked.clone();
        }
        let instances = stream::iter(config.instances.values()).map(instance).buffered(PARALLEL).collect::<Vec<_>>();
        let (first, instances) = tokio::join!(repository(api), instances);
        let checks: Vec<_> = std::iter::once(first).chain(instances).collect();
        let ready = checks.iter().all(|check| check.ready);
        let checked = Checked { ready, checked_at: api.handle.now(), checks: Some(checks) };
        *latest = Some((Instant::now(), checked.clone()));
        checked
    }
}

async fn repository(api: &Api) -> Check {
    let open = async {
        let repository = api.handle.repository().await?;
        // It may have been opened long ago.
        Repository::open(repository.store().clone()).await
    };
    check("repository".to_owned(), open).await
}

async fn instance(instance: &InstanceConfig) -> Check {
    let endpoint = Endpoint::resolve(&instance.instance.database);
    check(format!("instance {}", instance.instance.name), connect(&endpoint)).await
}

async fn check<T, E: std::error::Error + 'static>(name: String, trial: impl Future<Output = Result<T, E>>) -> Check {
    let error = match tokio::time::timeout(PATIENCE, trial).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(explain(&error).to_string()),
        Err(_) => Some(format!("no answer within {} seconds", PATIENCE.as_secs())),
    };
    Check { name, ready: error.is_none(), error }
}
