//! Downloads: an attachment or a file of a backup, or the whole backup as a zip of Odoo's.
//!
//! A link alone downloads nothing: a page of another site could make a browser follow it. A POST,
//! which is refused to other sites, returns an address that is valid once and for a minute.

mod name;
mod stream;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::error::Error;
use engine::fetch::Located;
use engine::manifest::Manifest;
use engine::repository::Repository;
use engine::run::Run;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::ToSchema;

use self::name::{content_disposition, last_part};
use self::stream::{Held, Source, sent};
use super::Api;
use super::access::is_from_another_site;
use super::backups::look_up;
use super::extract::{Body, Path};
use super::problem::HttpProblem;
use super::token::random_id;
use crate::sources::tools;

/// Downloads at once: each reads the repository, and a zip runs pg_restore.
const MOST: usize = 4;
/// Tickets that were not used yet.
const MOST_TICKETS: usize = 64;
/// How long a ticket is valid.
const VALID: SignedDuration = SignedDuration::from_secs(60);

/// Tickets that were not used yet, and the room for downloads.
pub(super) struct Downloads {
    tickets: Mutex<HashMap<String, Ticket>>,
    room: Arc<Semaphore>,
}

impl Default for Downloads {
    fn default() -> Self {
        Self { tickets: Mutex::default(), room: Arc::new(Semaphore::new(MOST)) }
    }
}

/// The right to one download.
struct Ticket {
    content: Content,
    name: String,
    ends: Timestamp,
}

/// What is downloaded.
struct Content {
    repository: Repository,
    manifest: Manifest,
    /// The file of it; `None`: all of it, as a zip.
    file: Option<Located>,
}

impl Downloads {
    /// Issues a ticket, and returns its id.
    fn issue(&self, ticket: Ticket, now: Timestamp) -> Result<String, HttpProblem> {
        let random = |error| {
            HttpProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("no random number: {error}"))
        };
        let id = random_id().map_err(random)?;
        let mut tickets = self.lock();
        tickets.retain(|_, ticket| ticket.ends > now);
        if tickets.len() >= MOST_TICKETS {
            return Err(busy());
        }
        tickets.insert(id.clone(), ticket);
        Ok(id)
    }

    /// Uses up a ticket, if there is room for another download.
    fn redeem(&self, id: &str, now: Timestamp) -> Result<(Ticket, OwnedSemaphorePermit), HttpProblem> {
        let permit = self.room.clone().try_acquire_owned().map_err(|_| busy())?;
        let ticket = self.lock().remove(id).filter(|ticket| ticket.ends > now);
        let ticket = ticket.ok_or_else(|| {
            HttpProblem::not_found("such download: its address is valid once, and for a minute")
                .hint("request another one with `POST /api/v1/downloads`")
        })?;
        Ok((ticket, permit))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Ticket>> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn busy() -> HttpProblem {
    let detail = format!("{MOST} downloads are running, which is the limit");
    HttpProblem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_downloads", detail)
        .hint("try again when one of them has ended")
}

/// What is to be downloaded.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum StartDownload {
    /// The whole backup, as the zip that Odoo's database manager makes and takes.
    Zip {
        /// The instance.
        instance: String,
        /// The backup's id.
        backup: String,
    },
    /// The file of an attachment.
    Attachment {
        /// The instance.
        instance: String,
        /// The backup's id.
        backup: String,
        /// The attachment's id in Odoo.
        attachment: i64,
    },
    /// A file of the filestore.
    File {
        /// The instance.
        instance: String,
        /// The backup's id.
        backup: String,
        /// Its path within the filestore.
        path: String,
    },
}

/// A download that can be fetched once.
#[derive(Serialize, ToSchema)]
#[schema(as = Download)]
pub(super) struct TicketDocument {
    /// Where it is fetched, by GET.
    url: String,
    /// The name that it is saved under.
    name: String,
    /// Its length; null where it is not known before it was sent.
    #[schema(required = true)]
    bytes: Option<u64>,
    /// What it contains, before a zip compresses it.
    content_bytes: u64,
    /// Until when it can be fetched.
    expires_at: Timestamp,
}

/// Prepare a download. It is fetched at the address in the answer.
#[utoipa::path(
    post, path = "/api/v1/downloads", operation_id = "start_download",
    request_body = StartDownload,
    responses((status = 201, description = "The download", body = TicketDocument), HttpProblem),
)]
pub(super) async fn prepare(
    State(api): State<Api>,
    Body(wanted): Body<StartDownload>,
) -> Result<Response, HttpProblem> {
    let run = Run::default();
    let (name, content) = match wanted {
        StartDownload::Zip { instance, backup } => {
            let (_, repository, manifest) = look_up(&api, &instance, &backup).await?;
            if manifest.odoo.is_none() {
                let error = Error::NotOdoo { backup: manifest.id.to_string() };
                return Err(HttpProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_odoo", error.to_string()));
            }
            (format!("{instance}-{backup}.zip"), Content { repository, manifest, file: None })
        }
        StartDownload::File { instance, backup, path } => {
            let (_, repository, manifest) = look_up(&api, &instance, &backup).await?;
            let file = engine::fetch::locate(&repository, &manifest, &path, &run).await?;
            (path, Content { repository, manifest, file: Some(file) })
        }
        StartDownload::Attachment { instance, backup, attachment } => {
            let (_, repository, manifest) = look_up(&api, &instance, &backup).await?;
            let found = engine::fetch::attachment(&repository, &manifest, attachment, &run).await?;
            let file = engine::fetch::locate(&repository, &manifest, &found.path, &run).await?;
            (found.name, Content { repository, manifest, file: Some(file) })
        }
    };
    let (now, name) = (api.handle.now(), last_part(&name));
    let ends = now.saturating_add(VALID).unwrap_or(now);
    let bytes = content.file.as_ref().map(Located::size);
    let whole = content.manifest.database.dump.plain().size + content.manifest.filestore.bytes;
    let id = api.downloads.issue(Ticket { content, name: name.clone(), ends }, now)?;
    let document = TicketDocument {
        url: format!("/api/v1/downloads/{id}"),
        name,
        bytes,
        content_bytes: bytes.unwrap_or(whole),
        expires_at: ends,
    };
    Ok((StatusCode::CREATED, Json(document)).into_response())
}

/// Fetch a download. Its end arrives only if all digests match; else the connection is closed
/// before.
#[utoipa::path(
    get, path = "/api/v1/downloads/{ticket}", operation_id = "fetch_download",
    params(("ticket" = String, Path, description = "The last part of `url`")),
    responses(
        (status = 200, description = "The content", body = String, content_type = "application/octet-stream"),
        HttpProblem,
    ),
)]
pub(super) async fn fetch(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, HttpProblem> {
    // To ask for the head would use up the ticket.
    if method != Method::GET {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(HttpProblem::new(status, "method_not_allowed", "a download can only be fetched by GET"));
    }
    if is_from_another_site(&headers) {
        let detail = "the request comes from the page of another site";
        return Err(HttpProblem::new(StatusCode::FORBIDDEN, "cross_site", detail));
    }
    let (Ticket { content, name, .. }, permit) = api.downloads.redeem(&id, api.handle.now())?;
    let length = content.file.as_ref().map(Located::size);
    let body = start(&api, content, permit);
    let mut response = HttpBody::from_stream(body).into_response();
    let headers = response.headers_mut();
    let sandbox = "default-src 'none'; sandbox; frame-ancestors 'none'";
    for (header, value) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_SECURITY_POLICY, sandbox),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(header, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_DISPOSITION, content_disposition(&name));
    headers.extend(length.map(|length| (header::CONTENT_LENGTH, HeaderValue::from(length))));
    Ok(response)
}

/// Starts to read, in a task that ends when the client goes away or the daemon stops.
fn start(api: &Api, content: Content, permit: OwnedSemaphorePermit) -> Source {
    let cancel = api.handle.stopping().child_token();
    let (source, sink, rest) = sent(cancel.clone());
    let api = api.clone();
    let tasks = api.handle.0.tasks.clone();
    tasks.spawn(async move {
        let _permit = permit;
        let backup = content.manifest.backup();
        let what = content.file.as_ref().map_or("zip", |file| file.path());
        tracing::info!(what, "download of {backup} began");
        let run = Run { cancel, ..Run::default() };
        let (result, outcome) = match read(&api, &content, sink, &run).await {
            Ok(()) => (Held::Whole, "done"),
            Err(_) if run.cancel.is_cancelled() || rest.is_closed() => (Held::Broken, "cancelled"),
            Err(error) => {
                let error = engine::error::explain(&error);
                tracing::error!(what, hint = error.hint, "download of {backup} failed: {error}");
                (Held::Broken, "failed")
            }
        };
        let outcome = if rest.end(result).await { outcome } else { "cancelled" };
        api.counters.download(outcome);
        tracing::info!(what, outcome, "download of {backup} ended");
    });
    source
}

async fn read(api: &Api, content: &Content, sink: stream::Sink, run: &Run) -> Result<(), Error> {
    let Content { repository, manifest, file } = content;
    if let Some(file) = file {
        return engine::fetch::write(repository, manifest, file, sink, run).await;
    }
    let config = api.handle.config();
    let export = async |run: &Run| engine::export::zip(repository, manifest, &tools(&config), sink, run).await;
    match config.instances.get(&manifest.instance) {
        Some(instance) => run.unless_stalled(instance.routine.stall_timeout, export).await.map(drop),
        None => export(run).await.map(drop),
    }
}
