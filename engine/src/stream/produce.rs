//! Lets a thread that writes, and may read another body, be read as a [`Body`].

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::consume::{ChunkReader, feed};
use super::{Body, CHUNK, IN_FLIGHT};

/// Runs `work` on its own thread. Returns what it writes as a [`Body`], and what it returns as an
/// [`Outcome`].
///
/// The body ends in `Ok` only after `work` returned `Ok`. An error or a panic ends it in `Err`. If
/// the body is dropped, the next write of `work` fails with [`io::ErrorKind::BrokenPipe`].
///
/// Must be called within a tokio runtime.
pub(crate) fn produce<T, F>(work: F) -> (Body, Outcome<T>)
where
    T: Send + 'static,
    F: FnOnce(&mut ChunkWriter) -> io::Result<T> + Send + 'static,
{
    start(work, None)
}

/// Does the same as [`produce`], and `work` also reads another body in chunks of `size` bytes. If
/// the resulting body is dropped, that one is dropped at once.
pub(crate) fn transform<T, F>(body: Body, size: usize, work: F) -> (Body, Outcome<T>)
where
    T: Send + 'static,
    F: FnOnce(ChunkReader, &mut ChunkWriter) -> io::Result<T> + Send + 'static,
{
    let (reader, feeder) = feed(body, size);
    start(move |out| work(reader, out), Some(feeder))
}

fn start<T, F>(work: F, feeder: Option<AbortOnDropHandle<()>>) -> (Body, Outcome<T>)
where
    T: Send + 'static,
    F: FnOnce(&mut ChunkWriter) -> io::Result<T> + Send + 'static,
{
    let (chunks, receiver) = mpsc::channel(IN_FLIGHT);
    let (outcome, result) = oneshot::channel();
    let worker = tokio::task::spawn_blocking(move || {
        let mut writer = ChunkWriter { chunks, pending: BytesMut::new() };
        let value = work(&mut writer)?;
        writer.send()?;
        Ok(value)
    });
    let state = State::Running { worker, outcome };
    (Box::pin(ProducedBody { chunks: receiver, current: Bytes::new(), state, _feeder: feeder }), Outcome(result))
}

/// What a producer found out, available once its body has ended.
#[derive(Debug)]
pub struct Outcome<T>(oneshot::Receiver<T>);

impl<T> Outcome<T> {
    /// Returns an outcome that is known from the start.
    pub fn known(value: T) -> Self {
        let (sender, receiver) = oneshot::channel();
        // The receiver exists, so this cannot fail.
        let _ = sender.send(value);
        Self(receiver)
    }

    /// Returns what the producer returned.
    ///
    /// # Errors
    /// An error if the body was not read to its end: a store that reports success without reading
    /// everything would lose data.
    pub fn get(mut self) -> io::Result<T> {
        self.0.try_recv().map_err(|_| io::Error::other("the stream was not read to its end"))
    }
}

/// The writer of a producer. Collects small writes into chunks, and waits if the reader is slower.
#[derive(Debug)]
pub(crate) struct ChunkWriter {
    chunks: mpsc::Sender<Bytes>,
    pending: BytesMut,
}

impl ChunkWriter {
    fn send(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.pending).freeze();
        self.chunks.blocking_send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.pending.capacity() == 0 {
            self.pending.reserve(CHUNK);
        }
        let taken = buf.len().min(CHUNK - self.pending.len());
        self.pending.extend_from_slice(&buf[..taken]);
        if self.pending.len() == CHUNK {
            self.send()?;
        }
        Ok(taken)
    }

    /// Does nothing: the rest is handed over when the producer returns, so flushing would only make
    /// small chunks.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct ProducedBody<T> {
    chunks: mpsc::Receiver<Bytes>,
    current: Bytes,
    state: State<T>,
    /// Reads the body that this one is made from.
    _feeder: Option<AbortOnDropHandle<()>>,
}

enum State<T> {
    Running { worker: JoinHandle<io::Result<T>>, outcome: oneshot::Sender<T> },
    Succeeded,
    Failed,
}

impl<T> AsyncRead for ProducedBody<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.current.is_empty() {
            match ready!(self.chunks.poll_recv(cx)) {
                Some(chunk) => self.current = chunk,
                // The thread has dropped its end. Only its return value shows whether it succeeded.
                None => return self.poll_end(cx),
            }
        }
        let taken = self.current.len().min(buf.remaining());
        buf.put_slice(&self.current[..taken]);
        self.current.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<T> ProducedBody<T> {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = match &mut self.state {
            State::Running { worker, .. } => ready!(Pin::new(worker).poll(cx)),
            State::Succeeded => return Poll::Ready(Ok(())),
            // A reader that polls again must not see a clean end after an error.
            State::Failed => return Poll::Ready(Err(io::Error::other("the producer of this stream failed"))),
        };
        match (ended.map_err(io::Error::other).flatten(), std::mem::replace(&mut self.state, State::Failed)) {
            (Ok(value), State::Running { outcome, .. }) => {
                // If the outcome is not needed, that is not an error.
                let _ = outcome.send(value);
                self.state = State::Succeeded;
                Poll::Ready(Ok(()))
            }
            (ended, _) => Poll::Ready(ended.map(|_| ())),
        }
    }
}

// No field is ever pinned by address.
impl<T> Unpin for ProducedBody<T> {}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn outcome_follows_everything_written() {
        let (mut body, outcome) = produce(|out| {
            for i in 0..200_000_u32 {
                out.write_all(&i.to_le_bytes())?;
            }
            Ok("done")
        });
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(outcome.get().unwrap(), "done");
        let expected: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        assert!(bytes == expected);
    }

    #[tokio::test]
    async fn failed_producer_never_looks_ended() {
        let (mut body, outcome) = produce::<(), _>(|out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk on fire"))
        });
        let mut bytes = Vec::new();
        assert_eq!(body.read_to_end(&mut bytes).await.unwrap_err().to_string(), "disk on fire");
        assert_eq!(bytes, b"", "bytes before the failure are dropped");
        assert!(body.read_to_end(&mut bytes).await.is_err(), "a second read fails too");
        assert!(outcome.get().is_err());
    }

    #[tokio::test]
    async fn panicking_producer_never_looks_ended() {
        let (mut body, _outcome) = produce::<(), _>(|_| panic!("a bug"));
        assert!(body.read_to_end(&mut Vec::new()).await.is_err());
    }

    #[tokio::test]
    async fn producer_stops_without_reader() {
        let (sender, stopped) = oneshot::channel();
        let (body, _outcome) = produce::<(), _>(move |out| {
            let error = loop {
                if let Err(error) = out.write_all(&[0; CHUNK]) {
                    break error;
                }
            };
            let _ = sender.send(error.kind());
            Err(error)
        });
        drop(body);
        assert_eq!(stopped.await.unwrap(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn unread_body_has_no_outcome() {
        let (mut body, outcome) = produce(|out| out.write_all(b"two"));
        body.read_exact(&mut [0; 2]).await.unwrap();
        drop(body);
        assert!(outcome.get().is_err());
    }

    #[tokio::test]
    async fn dropped_transformation_drops_stuck_source() {
        let (mut never_written, stuck) = tokio::io::duplex(64);
        let (body, _) = transform(Box::pin(stuck), CHUNK, |mut reader, out| io::copy(&mut reader, out));
        drop(body);
        assert_eq!(never_written.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
