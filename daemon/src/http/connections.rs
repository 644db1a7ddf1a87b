//! Connections: how many there are, how slow they may be, and their end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// More connections than this wait until others are closed.
const MOST: usize = 512;
/// How long a request's head may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(10);
/// How long the system waits for a client to take what was sent to it.
const UNTAKEN: Duration = Duration::from_secs(60);
/// How long requests have to be answered when the daemon ends.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// After an error that another attempt would only repeat: no file descriptors are left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `ended`.
pub(super) async fn serve(listener: TcpListener, app: Router, ended: &CancellationToken) {
    let room = Arc::new(Semaphore::new(MOST));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    while let Some(Some((stream, place))) = ended.run_until_cancelled(next(&listener, &room)).await {
        let service = TowerToHyperService::new(app.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that goes away or sends nonsense is nobody's trouble but its own.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, graceful.shutdown()).await;
}

/// The next connection, with its place among those that there may be. `None` never comes: nobody closes the semaphore.
async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Both are improvements that a connection can do without.
                let _ = stream.set_nodelay(true);
                let _ = set_tcp_user_timeout(&stream, u32::try_from(UNTAKEN.as_millis()).unwrap_or(u32::MAX));
                return Some((stream, place));
            }
            Err(error) => {
                tracing::debug!("unable to take a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
