//! A TCP proxy that corrupts or blocks traffic on request.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A fault that happens once to the traffic of all connections together.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The connection ends after the server has sent this many bytes, including headers.
    CutAnswer(usize),
    /// The lowest bit of this byte of the client's data is flipped.
    FlipRequest(usize),
}

/// A proxy on loopback in front of one port. It ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    state: Arc<Mutex<State>>,
    silent: watch::Sender<bool>,
    /// Most bytes of an answer that pass at once, a hundred times a second.
    slow: Arc<Mutex<Option<usize>>>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<Fault>,
    /// Bytes that passed since the first of `faults` moved to the front.
    passed: usize,
    /// First lines of the HTTP requests that passed.
    requests: Vec<String>,
    /// Keys that listings do not show, in the form that they have in an answer.
    hidden: Vec<Vec<u8>>,
}

impl Proxy {
    /// Starts to forward connections to `upstream` on loopback.
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

    /// Adds a fault after those that have not happened yet.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().unwrap().faults.push_back(fault);
    }

    /// Returns the number of faults that have not happened yet.
    pub fn pending(&self) -> usize {
        self.state.lock().unwrap().faults.len()
    }

    /// Returns the first lines (`GET /bucket?list-type=2 HTTP/1.1`) of the HTTP requests that
    /// passed since the last call. It sees a request only at the start of the data that a client
    /// sends at once, as clients that wait for the answer do.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// Limits each answer to this many bytes at once, a hundred times a second. `None` removes the
    /// limit.
    pub fn slow_down(&self, bytes: Option<usize>) {
        *self.slow.lock().unwrap() = bytes;
    }

    /// Hides an object from S3 listings, which show an object of another name in its place. The
    /// object stays available by its name.
    pub fn hide(&self, key: &str) {
        self.state.lock().unwrap().hidden.push(format!("{key}</Key>").into_bytes());
    }

    /// Accepts connections from now on but forwards nothing, like a server that hangs.
    pub fn stop_forwarding(&self) {
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
    let has_stopped = tokio::select! {
        // Before anything else passes, whatever budget the other branches have used.
        biased;
        has_stopped = tokio::task::unconstrained(silence) => has_stopped,
        _ = requests => false,
        _ = answers => false,
    };
    if has_stopped {
        // The sockets stay open, and no task reads them.
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

    /// Returns how many of these bytes pass. If not all do, the caller must cut the connection.
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

    /// Changes the names of hidden objects. Returns how many of the bytes can pass, because the end
    /// may be the start of such a name.
    fn hide(&self, bytes: &mut [u8]) -> usize {
        let mut ready = bytes.len();
        for key in &self.hidden {
            let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(key)).collect();
            // Changes the last part of the name, so that the object stays in the same folder.
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
