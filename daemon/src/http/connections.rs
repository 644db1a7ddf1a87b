//! Connections: how many there are, how slow they may be, and their end.
//!
//! A connection either waits for its client, to send a request or the rest of one, or it is busy
//! with an answer. When there are as many as there may be, the one that has waited for the longest
//! gives way to a new one, unless its wait has only begun: clients that are slow on purpose do not
//! block others.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Connections that may be open at once.
const MOST: usize = 512;
/// How long a request's head may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(10);
/// A connection that has waited for less does not give way: its request may be on its way.
const YOUNG: Duration = Duration::from_secs(2);
/// How long the system waits for a client to take what was sent to it.
const UNTAKEN: Duration = Duration::from_secs(60);
/// How long requests have to be answered when the daemon ends.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// After an error that another attempt would only repeat: no file descriptors are left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `ended`.
pub(super) async fn serve(listener: TcpListener, app: Router, ended: &CancellationToken) {
    let guests = Arc::new(Guests::default());
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    while let Some((stream, guest)) = ended.run_until_cancelled(next(&listener, &guests)).await {
        let gives_way = guest.gives_way.clone();
        let service = Serving { app: TowerToHyperService::new(app.clone()), guest };
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that disconnects or sends invalid data affects only itself.
            let _ = gives_way.run_until_cancelled(connection).await;
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, graceful.shutdown()).await;
}

/// Returns the next connection, with its place within the limit.
async fn next(listener: &TcpListener, guests: &Arc<Guests>) -> (TcpStream, Arc<Guest>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Both are improvements that a connection can do without.
                let _ = stream.set_nodelay(true);
                let _ = set_tcp_user_timeout(&stream, u32::try_from(UNTAKEN.as_millis()).unwrap_or(u32::MAX));
                return (stream, guests.admit(address.ip()).await);
            }
            Err(error) => {
                tracing::debug!("unable to take a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whose connections are open.
#[derive(Default)]
struct Guests {
    open: Mutex<Open>,
    left: Notify,
}

#[derive(Default)]
struct Open {
    next: u64,
    guests: BTreeMap<u64, Seat>,
}

/// What the list knows of a connection.
struct Seat {
    gives_way: CancellationToken,
    /// Since when it waits for its client; `None`: it is busy.
    waits_since: Option<Instant>,
}

/// One connection.
pub(super) struct Guest {
    number: u64,
    address: IpAddr,
    gives_way: CancellationToken,
    guests: Arc<Guests>,
}

impl Guests {
    async fn admit(self: &Arc<Self>, address: IpAddr) -> Arc<Guest> {
        loop {
            let left = self.left.notified();
            match self.seat(address) {
                Ok(guest) => return guest,
                // A guest that starts to wait meanwhile has waited for less.
                Err(Some(until)) => drop(tokio::time::timeout_at(until, left).await),
                Err(None) => drop(tokio::time::timeout(YOUNG, left).await),
            }
        }
    }

    /// Returns a place for one more; else when the longest waiting guest would give way.
    fn seat(self: &Arc<Self>, address: IpAddr) -> Result<Arc<Guest>, Option<Instant>> {
        let mut open = self.lock();
        if open.guests.len() >= MOST {
            let waiting = open.guests.iter().filter_map(|(number, seat)| Some((seat.waits_since?, *number)));
            let (since, number) = waiting.min().ok_or(None)?;
            if since.elapsed() < YOUNG {
                return Err(Some(since + YOUNG));
            }
            if let Some(seat) = open.guests.remove(&number) {
                seat.gives_way.cancel();
            }
        }
        let (number, gives_way) = (open.next, CancellationToken::new());
        open.next += 1;
        open.guests.insert(number, Seat { gives_way: gives_way.clone(), waits_since: Some(Instant::now()) });
        Ok(Arc::new(Guest { number, address, gives_way, guests: self.clone() }))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Returns the address that it connects from.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Marks its request as complete: until the returned value is dropped, it does not give way.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.note(None);
        Busy(self.clone())
    }

    fn note(&self, waits_since: Option<Instant>) {
        if let Some(seat) = self.guests.lock().guests.get_mut(&self.number) {
            seat.waits_since = waits_since;
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.lock().guests.remove(&self.number);
        self.guests.left.notify_one();
    }
}

/// A connection's time with a request that is being answered.
pub(super) struct Busy(Arc<Guest>);

impl Busy {
    /// Keeps it until the body was sent, or sending it was given up.
    pub(super) fn until_sent(self, body: Body) -> Body {
        Body::new(Sent { body, _busy: self })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.note(Some(Instant::now()));
    }
}

struct Sent {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The application, with the sender of the request.
struct Serving {
    app: TowerToHyperService<Router>,
    guest: Arc<Guest>,
}

impl Service<Request<Incoming>> for Serving {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.guest.clone());
        self.app.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn longest_waiting_guest_gives_way() {
        let guests = Arc::new(Guests::default());
        let mut seated = Vec::new();
        for _ in 0..MOST {
            tokio::time::advance(Duration::from_millis(1)).await;
            seated.push(guests.seat(HOME).ok().unwrap());
        }
        assert!(guests.seat(HOME).is_err(), "all have only begun to wait");
        tokio::time::advance(YOUNG).await;
        // The first is answered, so that the second has waited for the longest.
        let busy = seated[0].busy();
        let _new = guests.seat(HOME).ok().unwrap();
        let gone: Vec<_> = (0..MOST).filter(|at| seated[*at].gives_way.is_cancelled()).collect();
        assert_eq!(gone, [1]);
        drop(busy);
        assert_eq!(guests.lock().guests.len(), MOST);
    }

    #[tokio::test]
    async fn busy_guests_keep_their_places() {
        let guests = Arc::new(Guests::default());
        let mut seated: Vec<_> = (0..MOST).map(|_| guests.seat(HOME).ok().unwrap()).collect();
        let busy: Vec<_> = seated.iter().map(Guest::busy).collect();
        assert!(matches!(guests.seat(HOME), Err(None)));
        let waiting = tokio::spawn({
            let guests = guests.clone();
            async move { guests.admit(HOME).await }
        });
        drop(busy);
        seated.pop();
        waiting.await.unwrap();
    }
}
