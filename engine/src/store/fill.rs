//! Gathers a body's small reads into pieces worth a system call or a request.

use std::io;

use bytes::{BufMut, BytesMut};
use tokio::io::AsyncReadExt;

use crate::stream::Body;

/// Reserved before the length of a body is known: most objects are far smaller than a part.
const FIRST: usize = 64 * 1024;

/// Reads until `buffer` contains `size` bytes or `body` ends, and returns whether it ended.
///
/// The future may be dropped, and the function called again with the same buffer: no byte is lost.
pub(super) async fn fill(body: &mut Body, buffer: &mut BytesMut, size: usize) -> io::Result<bool> {
    while buffer.len() < size {
        let room = size - buffer.len();
        if buffer.capacity() == buffer.len() {
            buffer.reserve(buffer.len().max(FIRST).min(room));
        }
        if body.read_buf(&mut (&mut *buffer).limit(room)).await? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use bytes::BytesMut;

    use super::fill;
    use crate::stream::Body;

    #[tokio::test]
    async fn fill_stops_at_size_or_end() {
        let mut body: Body = Box::pin(Cursor::new(vec![7; 250_000]));
        for (wanted, got, ended) in [(100_000, 100_000, false), (150_000, 150_000, false), (1, 0, true)] {
            let mut buffer = BytesMut::new();
            assert_eq!(fill(&mut body, &mut buffer, wanted).await.unwrap(), ended);
            assert_eq!(buffer.len(), got);
        }
    }
}
