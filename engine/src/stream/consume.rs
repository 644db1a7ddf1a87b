//! Lets a thread read a [`Body`].

use std::io::{self, Read};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{Body, CHUNK, IN_FLIGHT};

/// Runs `work` on its own thread, where it reads `body`.
///
/// If the returned future is dropped, the body is dropped at once, and the next read of `work`
/// fails.
///
/// # Errors
/// The error of `work`, or its panic
pub(crate) async fn consume<T, F>(body: Body, work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce(ChunkReader) -> io::Result<T> + Send + 'static,
{
    let (reader, _feeder) = feed(body, CHUNK);
    tokio::task::spawn_blocking(move || work(reader)).await.map_err(io::Error::from).flatten()
}

/// Reads a body for a thread, in chunks of `size` bytes, until the handle is dropped.
///
/// If the thread read the body itself, it would hang while the body hangs. Then what the body owns,
/// such as a running pg_dump, could not be ended.
pub(super) fn feed(mut body: Body, size: usize) -> (ChunkReader, AbortOnDropHandle<()>) {
    let (sender, chunks) = mpsc::channel(IN_FLIGHT);
    let feeder = tokio::spawn(async move {
        loop {
            let mut chunk = BytesMut::with_capacity(size);
            let ended = fill(&mut body, &mut chunk, size).await;
            // What came before a failure is passed on before it.
            if !chunk.is_empty() && sender.send(Message::Chunk(chunk.freeze())).await.is_err() {
                return;
            }
            let last = match ended {
                Ok(false) => continue,
                Ok(true) => Message::End,
                Err(error) => Message::Failed(error),
            };
            // A reader that has stopped does not need this.
            let _ = sender.send(last).await;
            return;
        }
    });
    (ChunkReader { chunks, current: Bytes::new(), ended: false }, AbortOnDropHandle::new(feeder))
}

/// Reads until `chunk` contains `size` bytes or `body` ends, and returns whether it ended. A pipe
/// yields little at a time.
async fn fill(body: &mut Body, chunk: &mut BytesMut, size: usize) -> io::Result<bool> {
    while chunk.len() < size {
        let room = size - chunk.len();
        if body.read_buf(&mut (&mut *chunk).limit(room)).await? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[derive(Debug)]
enum Message {
    Chunk(Bytes),
    Failed(io::Error),
    /// The body ended in `Ok`. The end of the channel alone would not show that.
    End,
}

/// The reader of a body for a thread.
#[derive(Debug)]
pub struct ChunkReader {
    chunks: mpsc::Receiver<Message>,
    current: Bytes,
    ended: bool,
}

impl ChunkReader {
    /// Returns the next bytes without copying them: as many as the feeder reads at once, fewer only
    /// before the end. Returns `None` at the end.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        while self.current.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(Message::Chunk(chunk)) => self.current = chunk,
                Some(Message::Failed(error)) => return Err(error),
                Some(Message::End) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the stream was abandoned")),
            }
        }
        Ok(Some(std::mem::take(&mut self.current)).filter(|chunk| !chunk.is_empty()))
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.current = self.next_chunk()?.unwrap_or_default();
        let taken = self.current.len().min(buf.len());
        buf[..taken].copy_from_slice(&self.current[..taken]);
        self.current.advance(taken);
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::stream::{body_of, produce};

    fn read_all(mut reader: ChunkReader) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[tokio::test]
    async fn thread_reads_what_body_yields() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        assert!(consume(body_of(bytes.clone()), read_all).await.unwrap() == bytes);
        assert_eq!(consume(body_of(""), read_all).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn failed_body_keeps_failing() {
        let (body, _) = produce::<(), _>(|_| Err(io::Error::other("disk on fire")));
        let (first, second) = consume(body, |mut reader| {
            let read = |reader: &mut ChunkReader| reader.read(&mut [0; 8]).unwrap_err().to_string();
            Ok((read(&mut reader), read(&mut reader)))
        })
        .await
        .unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("disk on fire", "the stream was abandoned"));
    }

    #[tokio::test]
    async fn abandoned_stream_never_looks_ended() {
        let (never_written, body) = tokio::io::duplex(64);
        let (sender, seen) = oneshot::channel();
        let consumed = consume(Box::pin(body), move |mut reader| {
            let _ = sender.send(reader.read(&mut [0; 8]));
            Ok(())
        });
        assert!(tokio::time::timeout(std::time::Duration::ZERO, consumed).await.is_err());
        assert_eq!(seen.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        let mut end = never_written;
        assert_eq!(end.read(&mut [0; 8]).await.unwrap(), 0, "the other end was dropped");
    }
}
