//! Reads a program's stdout on a thread that lets the pipe fill.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::process::ChildStdout;
use tokio::sync::mpsc;

use crate::stream::{CHUNK, IN_FLIGHT};

/// The requested capacity of the pipe.
const PIPE: usize = 1024 * 1024;

/// How long to leave the pipe alone if it contained little.
const PAUSE: Duration = Duration::from_millis(1);

/// What a program writes, until it closes its end.
///
/// pg_dump writes 4 KiB at a time, and each write would wake a runtime that waits for its pipe: a
/// quarter of what pg_dump itself takes. A thread that sleeps for a moment finds the pipe well
/// filled, and wakes no other.
pub(in crate::postgres) struct PipeReader {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl PipeReader {
    /// Starts to read. After a drop, releases the pipe when the program next writes or ends.
    pub(in crate::postgres) fn start(stdout: ChildStdout) -> io::Result<Self> {
        let pipe = File::from(stdout.into_owned_fd()?);
        // If the system's limit is lower, the pipe stays as it was.
        let filling = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE).is_ok();
        let (sender, chunks) = mpsc::channel(IN_FLIGHT);
        // Not a thread of the runtime, which could not end before this one, and a silent program
        // may block it forever.
        thread::Builder::new().name("pipe".into()).spawn(move || hand_over(pipe, filling, &sender))?;
        Ok(Self { chunks, current: Bytes::new() })
    }
}

/// Passes on what comes, until the end, a failure, or until the reader is gone. A `filling` pipe
/// collects what is written during a pause.
fn hand_over(mut pipe: File, filling: bool, chunks: &mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut chunk = BytesMut::zeroed(CHUNK);
        let (filled, ended) = fill(&mut pipe, &mut chunk, filling);
        chunk.truncate(filled);
        // A reader that is gone needs no answer.
        if filled > 0 && chunks.blocking_send(Ok(chunk.freeze())).is_err() {
            return;
        }
        match ended {
            Ok(false) => {}
            Ok(true) => return,
            Err(error) => {
                let _ = chunks.blocking_send(Err(error));
                return;
            }
        }
    }
}

/// Returns how much was read, and whether that was the end.
fn fill(pipe: &mut File, chunk: &mut [u8], filling: bool) -> (usize, io::Result<bool>) {
    let mut filled = 0;
    while filled < chunk.len() {
        match pipe.read(&mut chunk[filled..]) {
            Ok(0) => return (filled, Ok(true)),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return (filled, Err(error)),
        }
        if filling && filled < chunk.len() {
            thread::sleep(PAUSE);
        }
    }
    (filled, Ok(false))
}

impl AsyncRead for PipeReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.current.is_empty() {
            match ready!(self.chunks.poll_recv(cx)) {
                Some(chunk) => self.current = chunk?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = self.current.len().min(buf.remaining());
        buf.put_slice(&self.current[..taken]);
        self.current.advance(taken);
        Poll::Ready(Ok(()))
    }
}
