//! The HTTP server: health, metrics, the API and the page that uses it. `docs/http-api.md`
//! describes it for users.
//!
//! Requests do not read the repository, except the page of one backup: lists and metrics show
//! [`facts`], read after each run and every few minutes.

mod access;
mod backups;
mod connections;
mod downloads;
mod events;
mod extract;
mod facts;
mod guesses;
mod health;
mod instances;
mod metrics;
mod openapi;
mod orders;
mod overview;
mod page;
mod problem;
mod repositories;
mod runs;
mod target_states;
mod targets;
mod token;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use engine::folder::{Durability, write_atomically};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::access::Access;
use self::connections::Guest;
use self::downloads::Downloads;
use self::events::Streams;
use self::facts::Facts;
use self::health::Readiness;
use self::metrics::Counters;
use self::problem::HttpProblem;
use self::repositories::Surveys;
use self::target_states::TargetStates;
use self::token::Token;
use crate::handle::Handle;

/// No request of this API needs more.
const LARGEST_BODY: usize = 64 * 1024;
/// How long an answer may take, from a request's head to the answer's.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a request's body may take.
const BODY: Duration = Duration::from_secs(10);
/// Between two looks whether that file is there.
const LOOK: Duration = Duration::from_secs(10);
/// The file in the state folder that says where the daemon listens.
const ADDRESS: &str = "address";

/// What every request is answered from.
#[derive(Clone)]
struct Api(Arc<Served>);

struct Served {
    handle: Handle,
    access: Access,
    facts: Facts,
    targets: TargetStates,
    surveys: Surveys,
    downloads: Downloads,
    readiness: Readiness,
    counters: Counters,
    streams: Streams,
}

impl std::ops::Deref for Api {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.0
    }
}

/// Why the daemon cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is in use, or not this machine's.
    #[error("unable to listen on {address}")]
    Listen {
        /// `listen`
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The token cannot be read.
    #[error("unable to read the token in {}", .path.display())]
    Token {
        /// `token_file`
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What the file holds is no token.
    #[error("{} contains no valid token: it must be one word of {shortest} or more letters, digits and signs", .path.display())]
    BadToken {
        /// `token_file`
        path: PathBuf,
        /// How many characters are the fewest.
        shortest: usize,
    },
    /// The file with its address cannot be written.
    #[error("unable to write {}", .path.display())]
    Address {
        /// The file in the state folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ListenError {
    /// Returns what the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => Some(
                "stop the other daemon if one is running, or set another port as `listen` in the [daemon] section"
                    .into(),
            ),
            Self::Listen { .. } => Some("set `listen` in the [daemon] section to an address of this machine".into()),
            Self::Token { path, .. } | Self::BadToken { path, .. } => {
                let path = path.display();
                Some(format!(
                    "create one with `openssl rand -hex 32 > {path}`, readable only by the user of the daemon"
                ))
            }
            Self::Address { .. } => None,
        }
    }
}

/// The service, listening.
#[derive(Debug)]
pub(crate) struct Server {
    ended: CancellationToken,
    task: JoinHandle<()>,
    address_file: PathBuf,
}

impl Server {
    /// Listens where the configuration says, and serves from then on.
    ///
    /// # Errors
    /// [`ListenError`]
    pub(crate) async fn start(handle: &Handle) -> Result<Self, ListenError> {
        let config = handle.config();
        let token = config.daemon.token_file.as_deref().map(Token::read).transpose()?;
        let address = config.daemon.listen;
        let listen = |source| ListenError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let address_file = handle.state_dir().join(ADDRESS);
        match write_address(&address_file, address) {
            // Commands next to the daemon do not find it then; the daemon itself continues.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                tracing::warn!("unable to write {}: {error}", address_file.display());
            }
            Err(source) => return Err(ListenError::Address { path: address_file, source }),
            Ok(()) => {}
        }
        let ended = CancellationToken::new();
        let api = Api(Arc::new(Served {
            handle: handle.clone(),
            access: Access::new(token),
            facts: Facts::default(),
            targets: TargetStates::default(),
            surveys: Surveys::default(),
            downloads: Downloads::default(),
            readiness: Readiness::default(),
            counters: Counters::default(),
            streams: Streams::new(ended.clone()),
        }));
        tracing::info!(%address, "listening");
        let task = tokio::spawn({
            let (ended, address_file) = (ended.clone(), address_file.clone());
            async move {
                tokio::join!(
                    keep_address(&address_file, address, &ended),
                    connections::serve(listener, router(api.clone()), &ended),
                    facts::keep(&api, &ended),
                    repositories::keep(&api, &ended),
                    target_states::keep(&api, &ended),
                    metrics::count(&api, &ended),
                );
            }
        });
        Ok(Self { ended, task, address_file })
    }

    /// Takes no new requests, gives those that are being answered a moment, and ends.
    pub(crate) async fn end(self) {
        self.ended.cancel();
        if let Err(fault) = self.task.await {
            tracing::error!("the HTTP server failed because of a bug in odoo-backup: {fault}");
        }
        // A client that finds it gets no answer, and so can tell it from a running daemon.
        let _ = std::fs::remove_file(self.address_file);
    }
}

/// Writes the file again where it is missing: it could not be written before, or its folder was
/// away.
async fn keep_address(path: &Path, address: SocketAddr, ended: &CancellationToken) {
    while ended.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        if !path.exists() && write_address(path, address).is_ok() {
            tracing::info!("wrote {}", path.display());
        }
    }
}

/// Writes the address atomically, because it may be read at any moment.
fn write_address(path: &Path, address: SocketAddr) -> io::Result<()> {
    use std::io::Write;
    // Of another start of the machine it says nothing.
    write_atomically(path, Durability::Unflushed, |file| writeln!(file, "{address}")).map(drop)
}

/// What every client is answered.
fn open() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(health::healthz)).routes(routes!(health::readyz)).routes(routes!(
        access::show_session,
        access::sign_in,
        access::sign_out
    ))
}

/// What clients are answered that show the token, where one is needed.
fn closed() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::openapi))
        .routes(routes!(instances::status))
        .routes(routes!(overview::overview))
        .routes(routes!(instances::list))
        .routes(routes!(instances::show))
        .routes(routes!(downloads::prepare))
        .routes(routes!(downloads::fetch))
        .routes(routes!(repositories::list))
        .routes(routes!(targets::list))
        .routes(routes!(targets::show))
        .routes(routes!(backups::retention))
        .routes(routes!(backups::backups))
        .routes(routes!(backups::backup))
        .routes(routes!(backups::files))
        .routes(routes!(orders::pin, orders::unpin))
        .routes(routes!(orders::start))
        .routes(routes!(targets::restore))
        .routes(routes!(targets::undo))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::log))
        .routes(routes!(orders::cancel))
        .routes(routes!(events::of_run))
        .routes(routes!(events::all))
        .routes(routes!(orders::reload))
}

fn router(api: Api) -> Router {
    let closed = closed().route_layer(middleware::from_fn_with_state(api.clone(), access::require_token));
    let served: Router<Api> = open().merge(closed).into();
    let not_allowed = || async {
        HttpProblem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this cannot be done to that")
    };
    Router::new()
        .merge(page::page())
        .merge(served)
        .fallback(|| async { HttpProblem::not_found("such address") })
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(api.clone(), access::refuse_other_sites))
        .layer(middleware::from_fn(in_time))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(with_body))
        .layer(middleware::from_fn(with_headers))
        .with_state(api)
}

/// Reads the body before anything is done because of it. Until it is there, the connection may have
/// to give way to another one.
async fn with_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = match tokio::time::timeout(BODY, to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let detail = format!("the body is larger than {LARGEST_BODY} bytes, or incomplete");
            return HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).into_response();
        }
        Err(_) => {
            let problem = HttpProblem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body arrived too slowly");
            return ([(header::CONNECTION, "close")], problem).into_response();
        }
    };
    let busy = parts.extensions.get::<Arc<Guest>>().map(Guest::busy);
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    match busy {
        Some(busy) => response.map(|body| busy.until_sent(body)),
        None => response,
    }
}

/// Limits the time of a request, because a store may hang.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => HttpProblem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "the request took too long").into_response(),
    }
}

/// Adds headers that restrict browsers. Only the page's own files may be cached.
async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
        base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    for (name, value) in [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "no-referrer")] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    // A download has a stricter one.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(header::HeaderValue::from_static(csp));
    headers.entry(header::CACHE_CONTROL).or_insert(header::HeaderValue::from_static("no-store"));
    response
}
