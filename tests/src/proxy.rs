//! A TCP proxy that harms what passes through it, to order.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What happens to the traffic of all connections together, once.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The connection ends after the server has sent this many bytes, headers among them.
    CutAnswer(usize),
    /// The lowest bit of the byte at this place of what the client sends is turned over.
    FlipRequest(usize),
}

/// A proxy on loopback in front of one port. It ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    state: Arc<Mutex<State>>,
    silent: watch::Sender<bool>,
    /// The most bytes of an answer that pass at once, a hundred times a second.
    slow: Arc<Mutex<Option<usize>>>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<Fault>,
    /// Bytes that passed since the first of `faults` became the first.
    passed: usize,
    /// First lines of the HTTP requests that passed.
    requests: Vec<String>,
    /// Keys that listings do not show, as they stand in an answer.
    hidden: Vec<Vec<u8>>,
}

impl Proxy {
    /// Begins to pass connections on to `upstream` on loopback.
    pub async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let (silent, heard) = watch::channel(false);
        let slow = Arc::new(Mutex::new(None));
        let (shared, pace) = (state.clone(), slow.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, upstream, shared.clone(), heard.clone(), pace.clone()));
            }
        });
        Self { port, state, silent, slow, accepting: accepting.abort_handle() }
    }

    /// Adds a fault behind those that have not happened yet.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().unwrap().faults.push_back(fault);
    }

    /// Faults that have not happened yet.
    pub fn pending(&self) -> usize {
        self.state.lock().unwrap().faults.len()
    }

    /// The first lines (`GET /bucket?list-type=2 HTTP/1.1`) of the HTTP requests that passed since this was last asked. Each is seen where it
    /// begins what a client sends at once, as clients that wait for the answer do.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// From now on so many bytes of each answer pass at once, a hundred times a second; `None`: all
    /// of them.
    pub fn slow_down(&self, bytes: Option<usize>) {
        *self.slow.lock().unwrap() = bytes;
    }

    /// Leaves an object out of listings of S3 from now on, in whose place they show one of another name. By its name it is there as ever.
    pub fn hide(&self, key: &str) {
        self.state.lock().unwrap().hidden.push(format!("{key}</Key>").into_bytes());
    }

    /// From now on connections are accepted and nothing passes: a server that hangs.
    pub fn fall_silent(&self) {
        self.silent.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(
    mut client: TcpStream,
    upstream: u16,
    state: Arc<Mutex<State>>,
    mut silent: watch::Receiver<bool>,
    slow: Arc<Mutex<Option<usize>>>,
) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let requests = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from_client.read(&mut buffer).await?;
            state.lock().unwrap().request(&mut buffer[..read]);
            if read == 0 {
                return Ok::<(), std::io::Error>(());
            }
            to_server.write_all(&buffer[..read]).await?;
        }
    };
    let answers = async {
        let (mut buffer, mut kept) = (vec![0; 16 * 1024], Vec::new());
        loop {
            let read = from_server.read(&mut buffer).await?;
            kept.extend_from_slice(&buffer[..read]);
            let ready = if read == 0 { kept.len() } else { state.lock().unwrap().hide(&mut kept) };
            let passed = state.lock().unwrap().answer(ready);
            let mut rest = &kept[..passed];
            while !rest.is_empty() {
                let pace = *slow.lock().unwrap();
                let (now, later) = rest.split_at(pace.unwrap_or(rest.len()).min(rest.len()));
                to_client.write_all(now).await?;
                rest = later;
                if pace.is_some() {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            }
            kept.drain(..passed);
            if read == 0 || passed < ready {
                return Ok::<(), std::io::Error>(());
            }
        }
    };
    let silence = async { silent.wait_for(|silent| *silent).await.is_ok() };
    let fell_silent = tokio::select! {
        // Before anything else passes, and whatever the budget that the others have used up.
        biased;
        fell_silent = tokio::task::unconstrained(silence) => fell_silent,
        _ = requests => false,
        _ = answers => false,
    };
    if fell_silent {
        // The sockets stay open, and nobody reads them.
        std::future::pending().await
    }
}

impl State {
    fn request(&mut self, bytes: &mut [u8]) {
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        if line.ends_with(b" HTTP/1.1") {
            self.requests.push(String::from_utf8_lossy(line).into_owned());
        }
        if let Some(Fault::FlipRequest(place)) = self.faults.front() {
            let place = place - self.passed;
            if place < bytes.len() {
                bytes[place] ^= 1;
                self.done();
            } else {
                self.passed += bytes.len();
            }
        }
    }

    /// How many of these bytes pass. The connection is to be cut where not all do.
    fn answer(&mut self, bytes: usize) -> usize {
        let Some(Fault::CutAnswer(after)) = self.faults.front() else {
            return bytes;
        };
        let left = after - self.passed;
        if bytes > left {
            self.done();
            return left;
        }
        self.passed += bytes;
        bytes
    }

    /// Changes the names of hidden objects; how many of the bytes can pass, for the end may be the beginning of such a name.
    fn hide(&self, bytes: &mut [u8]) -> usize {
        let mut ready = bytes.len();
        for key in &self.hidden {
            let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(key)).collect();
            // The object's own name, so that it lies in the same folder.
            let name = key[..key.len() - b"</Key>".len()].iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
            found.into_iter().for_each(|at| bytes[at + name] = b'_');
            let begun = (1..key.len()).rev().find(|length| bytes.ends_with(&key[..*length]));
            ready = ready.min(bytes.len() - begun.unwrap_or(0));
        }
        ready
    }

    fn done(&mut self) {
        self.faults.pop_front();
        self.passed = 0;
    }
}
