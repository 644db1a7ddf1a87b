//! Live events, as Server-Sent Events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::Api;
use super::extract::Path;
use super::problem::HttpProblem;
use super::runs::RunView;
use crate::facts::Known;
use crate::journal::RunId;
use crate::view::Event;

/// Streams that may be open at once.
const MOST: usize = 64;
/// Between two signs of life.
const ALIVE: Duration = Duration::from_secs(15);

/// How many more streams may be opened, and their end.
pub(super) struct Streams {
    room: Arc<Semaphore>,
    ended: CancellationToken,
}

impl Streams {
    pub(super) fn new(ended: CancellationToken) -> Self {
        Self { room: Arc::new(Semaphore::new(MOST)), ended }
    }
}

/// The event of a run's progress.
#[derive(Serialize)]
struct OfRun {
    run: RunView,
}

/// The event that the repository was read.
#[derive(Serialize)]
struct Refreshed {
    refreshed_at: Option<Timestamp>,
}

/// The event that the client reads too slowly and has missed events.
#[derive(Serialize)]
struct Lagged {}

/// One client's stream.
struct Feed {
    events: broadcast::Receiver<Event>,
    facts: watch::Receiver<Arc<Known>>,
    ended: CancellationToken,
    /// The one run that it is about.
    only: Option<RunId>,
    /// What is sent before anything else.
    first: VecDeque<Message>,
    is_last: bool,
    _place: OwnedSemaphorePermit,
}

/// Events of runs, of the configuration, and of each reading of the repository.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "events",
    responses((status = 200, description = "Server-Sent Events", body = str, content_type = "text/event-stream"), HttpProblem),
)]
pub(super) async fn all(State(api): State<Api>) -> Result<Response, HttpProblem> {
    Ok(Feed::open(&api, None)?.into_response())
}

/// Events of a run, until it ends.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/events", operation_id = "run_events",
    params(("id" = RunId, Path, description = "The run")),
    responses((status = 200, description = "Server-Sent Events", body = str, content_type = "text/event-stream"), HttpProblem),
)]
pub(super) async fn of_run(State(api): State<Api>, Path(id): Path<RunId>) -> Result<Response, HttpProblem> {
    // Opened before the run is looked at: its end is seen by one or the other.
    let mut feed = Feed::open(&api, Some(id))?;
    let run = api.run(id)?;
    feed.is_last = !run.is_live();
    let name = if run.is_live() { "progress" } else { "ended" };
    feed.first.push_back(message(name, &OfRun { run }));
    Ok(feed.into_response())
}

impl Feed {
    fn open(api: &Api, only: Option<RunId>) -> Result<Self, HttpProblem> {
        let full = |_| {
            HttpProblem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_streams",
                format!("{MOST} event streams are open, which is the limit"),
            )
        };
        Ok(Self {
            _place: api.streams.room.clone().try_acquire_owned().map_err(full)?,
            events: api.handle.subscribe(),
            facts: api.facts.watch(),
            ended: api.streams.ended.clone(),
            only,
            first: VecDeque::new(),
            is_last: false,
        })
    }

    fn into_response(self) -> Response {
        let messages = stream::unfold(self, async |mut feed| Some((Ok::<_, Infallible>(feed.next().await?), feed)));
        // A proxy that buffers would delay the events.
        let headers = [("x-accel-buffering", "no")];
        (headers, Sse::new(messages).keep_alive(KeepAlive::new().interval(ALIVE))).into_response()
    }

    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.first.pop_front() {
                return Some(message);
            }
            if self.is_last {
                return None;
            }
            let wants_facts = self.only.is_none();
            tokio::select! {
                // Earlier events are sent before the end.
                biased;
                event = self.events.recv() => match event {
                    Ok(event) if self.wants(&event) => {
                        self.is_last = self.only.is_some() && matches!(event, Event::Ended { .. });
                        self.first.extend(message_of(event));
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => self.first.push_back(message("lagged", &Lagged {})),
                    Err(RecvError::Closed) => return None,
                },
                Ok(()) = self.facts.changed(), if wants_facts => {
                    let refreshed_at = self.facts.borrow_and_update().refreshed_at;
                    self.first.push_back(message("repository", &Refreshed { refreshed_at }));
                }
                () = self.ended.cancelled() => return None,
            }
        }
    }

    fn wants(&self, event: &Event) -> bool {
        let Some(only) = self.only else { return true };
        match event {
            Event::Began { run } | Event::Ended { run } => run.id == only,
            Event::Progress { run } => run.record.id == only,
            Event::Log { run, .. } => *run == only,
            _ => false,
        }
    }
}

/// Returns the event, with the run as the API shows it everywhere.
fn message_of(event: Event) -> Option<Message> {
    let document = match event {
        Event::Progress { run } => return Some(message("progress", &OfRun { run: run.into() })),
        event => serde_json::to_value(event).ok()?,
    };
    let name = document["event"].as_str()?;
    Some(message(name, &document))
}

fn message(name: &str, document: &impl Serialize) -> Message {
    let data = serde_json::to_string(document).unwrap_or_else(|_| "null".to_owned());
    Message::default().event(name).data(data)
}
