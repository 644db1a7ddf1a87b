//! A [`Body`], seen as a reader by a thread.

use std::io::{self, Read};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{Body, CHUNK, IN_FLIGHT};

/// Runs `work` on a thread of its own, which reads `body`.
///
/// Where the returned future is dropped, the body is dropped at once, and the next read of `work` fails.
///
/// # Errors
/// What `work` fails with; a panic of it.
pub async fn consume<T, F>(body: Body, work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce(ChunkReader) -> io::Result<T> + Send + 'static,
{
    let (reader, _feeder) = feed(body);
    tokio::task::spawn_blocking(move || work(reader)).await.map_err(io::Error::from).flatten()
}

/// Reads a body on behalf of a thread, until the handle is dropped.
///
/// A thread that read the body itself would be stuck with it for as long as the body is, and whatever the body holds,
/// a running pg_dump say, could not be ended.
pub(super) fn feed(mut body: Body) -> (ChunkReader, AbortOnDropHandle<()>) {
    let (sender, chunks) = mpsc::channel(IN_FLIGHT);
    let feeder = tokio::spawn(async move {
        loop {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            let message = match body.read_buf(&mut chunk).await {
                Ok(0) => Message::End,
                Ok(_) => Message::Chunk(chunk.freeze()),
                Err(error) => Message::Failed(error),
            };
            let last = !matches!(message, Message::Chunk(_));
            if sender.send(message).await.is_err() || last {
                return;
            }
        }
    });
    (ChunkReader { chunks, current: Bytes::new(), ended: false }, AbortOnDropHandle::new(feeder))
}

#[derive(Debug)]
enum Message {
    Chunk(Bytes),
    Failed(io::Error),
    /// The body ended in `Ok`: the end of the channel alone would not say so.
    End,
}

/// What a thread reads a body by.
#[derive(Debug)]
pub struct ChunkReader {
    chunks: mpsc::Receiver<Message>,
    current: Bytes,
    ended: bool,
}

impl Read for ChunkReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(Message::Chunk(chunk)) => self.current = chunk,
                Some(Message::Failed(error)) => return Err(error),
                Some(Message::End) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the stream was abandoned")),
            }
        }
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
    async fn a_thread_reads_what_the_body_yields() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        assert!(consume(body_of(bytes.clone()), read_all).await.unwrap() == bytes);
        assert_eq!(consume(body_of(""), read_all).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_failed_body_fails_the_reader_again_and_again() {
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
    async fn an_abandoned_stream_frees_its_body_and_never_looks_like_the_end() {
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
