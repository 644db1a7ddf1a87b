//! Gathering a body's small reads into pieces worth a system call or a request.

use std::io;

use bytes::{BufMut, BytesMut};
use tokio::io::AsyncReadExt;

use crate::stream::Body;

/// What is reserved before anything is known of a body's length: most objects are far smaller than
/// a part.
const FIRST: usize = 64 * 1024;

/// Reads on until `buffer` holds `size` bytes or `body` ends, and says whether it ended.
///
/// May be dropped and called again with the same buffer: what was read is in it.
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
    async fn stops_at_the_size_and_says_when_the_body_ended() {
        let mut body: Body = Box::pin(Cursor::new(vec![7; 250_000]));
        for (wanted, got, ended) in [(100_000, 100_000, false), (150_000, 150_000, false), (1, 0, true)] {
            let mut buffer = BytesMut::new();
            assert_eq!(fill(&mut body, &mut buffer, wanted).await.unwrap(), ended);
            assert_eq!(buffer.len(), got);
        }
    }
}
