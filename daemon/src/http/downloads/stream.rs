//! The way from a thread that reads a backup to the body of an answer.
//!
//! The last part is held back until all digests were compared. A client that has received the whole
//! length, or the end of a chunked answer, has what was backed up.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::Bytes;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What is sent at once.
const PART: usize = 64 * 1024;
/// Parts that may wait for a client.
const WAITING: usize = 4;

type Part = io::Result<Bytes>;

/// Where the content is written to, on a thread.
pub(super) struct Sink {
    parts: mpsc::Sender<Part>,
    held: Arc<Mutex<Vec<u8>>>,
}

/// What was not sent yet, and how the answer ends.
pub(super) struct Rest {
    parts: mpsc::Sender<Part>,
    held: Arc<Mutex<Vec<u8>>>,
}

/// Whether all digests matched.
pub(super) enum Held {
    /// They did: the rest is sent.
    Whole,
    /// They did not, or the content ended early: the connection breaks.
    Broken,
}

/// The body of the answer. When the client goes away, it is dropped and cancels the work.
pub(super) struct Source {
    parts: mpsc::Receiver<Part>,
    _cancel: DropGuard,
}

/// Returns the two ends, and what decides how the answer ends.
pub(super) fn sent(cancel: CancellationToken) -> (Source, Sink, Rest) {
    let (sender, parts) = mpsc::channel(WAITING);
    let held = Arc::new(Mutex::new(Vec::with_capacity(2 * PART)));
    let source = Source { parts, _cancel: cancel.drop_guard() };
    (source, Sink { parts: sender.clone(), held: held.clone() }, Rest { parts: sender, held })
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let full = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            // Never all of it: the last byte is the one that shows that the rest is right.
            let full = (!held.is_empty() && held.len() + bytes.len() > PART).then(|| std::mem::take(&mut *held));
            held.extend_from_slice(bytes);
            full
        };
        if let Some(full) = full {
            let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone");
            self.parts.blocking_send(Ok(full.into())).map_err(gone)?;
        }
        Ok(bytes.len())
    }

    /// Sends nothing: what is held back stays so until the digests were compared.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Rest {
    /// Returns whether the client is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.parts.is_closed()
    }

    /// Ends the answer. Returns whether the client was still there.
    pub(super) async fn end(self, held: Held) -> bool {
        let last = match held {
            Held::Whole => {
                let rest = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
                Ok(Bytes::from(rest))
            }
            Held::Broken => Err(io::Error::other("the download failed")),
        };
        self.parts.send(last).await.is_ok()
    }
}

impl Stream for Source {
    type Item = Part;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Part>> {
        self.parts.poll_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    async fn received(content: Vec<u8>, held: Held) -> (Vec<u8>, bool) {
        let (mut source, mut sink, rest) = sent(CancellationToken::new());
        let writing = tokio::task::spawn_blocking(move || {
            sink.write_all(&content)?;
            sink.flush()
        });
        let ending = async {
            writing.await.unwrap().unwrap();
            rest.end(held).await
        };
        let reading = async {
            let (mut bytes, mut failed) = (Vec::new(), false);
            while let Some(part) = source.next().await {
                match part {
                    Ok(part) => bytes.extend_from_slice(&part),
                    Err(_) => failed = true,
                }
            }
            (bytes, failed)
        };
        tokio::join!(ending, reading).1
    }

    #[tokio::test]
    async fn damaged_content_never_ends_well() {
        for length in [0, 1, PART, PART + 1, 10 * PART] {
            let content = vec![7; length];
            assert_eq!(received(content.clone(), Held::Whole).await, (content.clone(), false));
            let (bytes, failed) = received(content, Held::Broken).await;
            assert!(failed && (bytes.len() < length || length == 0), "{length}");
        }
    }

    #[tokio::test]
    async fn client_that_leaves_cancels_the_work() {
        let cancel = CancellationToken::new();
        let (source, mut sink, rest) = sent(cancel.clone());
        drop(source);
        assert!(cancel.is_cancelled() && rest.is_closed());
        let written =
            tokio::task::spawn_blocking(move || sink.write_all(&vec![0; PART]).and_then(|()| sink.write_all(&[0])));
        assert_eq!(written.await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(!rest.end(Held::Whole).await);
    }
}
