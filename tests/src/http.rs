//! An HTTP client for the daemon that adds nothing of its own: it sends exactly what the test asks
//! for.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client for one address.
#[derive(Debug, Clone)]
pub struct Client {
    address: String,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `200`
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it arrived.
    pub body: Vec<u8>,
    /// Whether all of it arrived: as many bytes as the head says, or the last chunk.
    pub is_whole: bool,
}

impl Client {
    /// Returns a client for an address such as `127.0.0.1:8479`.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), headers: Vec::new() }
    }

    /// Sends this header with each request.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends a `GET` request.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Sends JSON with `POST`.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }

    /// Sends a request with any method, with or without a JSON body.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string);
        let mut stream = self.open(method, path, body.as_deref(), "close").await;
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
        // A server that has refused the request may close before it has read everything.
        let _ = read.unwrap_or_else(|_| panic!("{method} {path} was not answered"));
        Answer::parse(&bytes, &format!("{method} {path}"))
    }

    /// Opens a stream of events.
    pub async fn events(&self, path: &str) -> Events {
        let stream = self.open("GET", path, None, "keep-alive").await;
        let mut events = Events { lines: BufReader::new(stream), path: path.to_owned() };
        let head = events.line().await.unwrap_or_default();
        assert!(head.contains(" 200 "), "{path}: {head}");
        while events.line().await.is_some_and(|line| !line.is_empty()) {}
        events
    }

    async fn open(&self, method: &str, path: &str, body: Option<&str>, connection: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection to the daemon");
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: {connection}\r\n");
        let is_set = |wanted: &str| self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        if !is_set("host") {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        if let Some(body) = body {
            if !is_set("content-type") {
                head.push_str("Content-Type: application/json\r\n");
            }
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let request = format!("{head}\r\n{}", body.unwrap_or_default());
        // As above: the answer contains the reason.
        let _ = stream.write_all(request.as_bytes()).await;
        stream
    }
}

impl Answer {
    fn parse(bytes: &[u8], request: &str) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{request}: no answer in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head of text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let rest = &bytes[end + 4..];
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map(|(_, length)| length.parse::<usize>().expect("a length"));
        let (body, is_whole) = match is_chunked {
            true => unchunked(rest),
            false => (rest.to_vec(), length.is_none_or(|length| length == rest.len())),
        };
        Self { status, headers, body, is_whole }
    }

    /// Returns a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body of text")
    }

    /// Returns the body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Panics with the body unless the status is this.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// Returns the content of chunks, and whether the last one arrived.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return (body, false) };
        let length = std::str::from_utf8(&rest[..end]).ok().and_then(|length| usize::from_str_radix(length, 16).ok());
        let length = length.expect("a chunk's length");
        let content = &rest[end + 2..];
        if length == 0 || content.len() < length + 2 {
            body.extend(&content[..length.min(content.len())]);
            return (body, length == 0);
        }
        body.extend(&content[..length]);
        rest = &content[length + 2..];
    }
}

/// An open stream of events.
#[derive(Debug)]
pub struct Events {
    lines: BufReader<TcpStream>,
    path: String,
}

impl Events {
    /// Returns the name and data of the next event. `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        let mut name = None;
        loop {
            // The chunk lengths are between the lines, and no event is split over two chunks. The
            // last length is 0.
            let line = self.line().await.filter(|line| line != "0")?;
            if let Some(text) = line.strip_prefix("event: ") {
                name = Some(text.to_owned());
            } else if let (Some(text), Some(name)) = (line.strip_prefix("data: "), &name) {
                return Some((name.clone(), serde_json::from_str(text).expect("data of JSON")));
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.lines.read_line(&mut line)).await;
        let read = read.unwrap_or_else(|_| panic!("{}: no event came", self.path));
        read.ok().filter(|length| *length > 0).map(|_| line.trim_end().to_owned())
    }
}
