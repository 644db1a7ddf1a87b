//! Makes dumps and volumes for tests.

use std::io;

use tokio::io::AsyncReadExt;

use crate::stream::Body;

/// Returns bytes that do not compress and never repeat, the same for a seed.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// Reads a body to its end, outside of a runtime.
pub(super) fn bytes_of_body(body: Body) -> Vec<u8> {
    tokio::runtime::Runtime::new().unwrap().block_on(read_body(body)).unwrap()
}

/// Reads a body to its end.
pub(super) async fn read_body(mut body: Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).await?;
    Ok(bytes)
}
