//! Bodies for the tests.

use std::io::{self, Cursor};

use bytes::Bytes;
use engine::stream::Body;
use futures::stream;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

/// Returns bytes in which no two places are alike. They differ for each `seed`.
pub(crate) fn content(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Returns a body of these bytes.
pub(crate) fn body(content: impl Into<Vec<u8>>) -> Body {
    Box::pin(Cursor::new(content.into()))
}

/// Returns a body that ends in an error after these bytes.
pub(crate) fn failing(content: Vec<u8>) -> Body {
    let pieces = [Ok(Bytes::from(content)), Err(io::Error::other("pg_dump was killed"))];
    Box::pin(StreamReader::new(stream::iter(pieces)))
}

/// Returns a body that yields the pieces that are sent, and ends when the sender is dropped. At
/// most one piece waits, so when a send returns, the piece before was read.
pub(crate) fn fed() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let pieces = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    (sender, Box::pin(StreamReader::new(Box::pin(pieces))))
}

/// Returns all bytes of a body.
pub(crate) async fn drain(mut body: Body) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    body.read_to_end(&mut all).await?;
    Ok(all)
}
