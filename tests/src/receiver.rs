//! A server that accepts webhooks and keeps the requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request that was received.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`
    pub method: String,
    /// The path, with the query.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// Returns the value of a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// A server on loopback. Its thread ends with the process.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    status: Arc<AtomicU16>,
}

impl Receiver {
    /// Starts a server that answers 200.
    ///
    /// # Panics
    /// If no port is free.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (requests, status) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(AtomicU16::new(200)));
        let (taken, answer) = (requests.clone(), status.clone());
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (taken, answer) = (taken.clone(), answer.clone());
                thread::spawn(move || serve(connection, &taken, &answer));
            }
        });
        Self { port, requests, status }
    }

    /// Returns its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Returns the requests until now.
    ///
    /// # Panics
    /// If its thread panicked.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("its thread did not panic").clone()
    }
}

/// Accepts requests until the client disconnects.
fn serve(connection: TcpStream, taken: &Mutex<Vec<Request>>, status: &AtomicU16) -> Option<()> {
    let mut answers = connection.try_clone().ok()?;
    let mut reader = BufReader::new(connection);
    loop {
        let mut lines = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let first = lines.next()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
            .collect();
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut request = Request { method, path, headers, body: String::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        request.body = String::from_utf8(body).ok()?;
        taken.lock().ok()?.push(request);
        let status = status.load(Ordering::SeqCst);
        write!(answers, "HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n").ok()?;
    }
}
