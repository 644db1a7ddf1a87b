//! Moves bytes between producers and stores, with one rule for errors.
//!
//! **The end of a stream means that its producer succeeded.** pg_dump's exit status comes after its
//! stdout closes. A dead thread looks like a clean end of file. So a [`Body`] waits for the child
//! process or the thread before it reports the end. A failed producer ends the stream in an error.
//! So a consumer never commits half a stream.
//!
//! A stored byte passes these stages in this order:
//!
//! ```text
//! pg_dump | filestore walk → plain SHA-256 → zstd → [age →] stored SHA-256 → store
//! ```
//!
//! When it is read, it passes them in reverse. Each digest is compared before the end of the stream
//! is reported.

mod consume;
mod decode;
mod digest;
mod encode;
mod frame;
mod guarded;
mod plain;
mod produce;
mod records;
mod seal;

use std::io::{self, Read, Write};
use std::pin::Pin;

use tokio::io::AsyncRead;

pub(crate) use consume::{ChunkReader, consume};
pub(crate) use decode::{DecodeReader, Mismatch};
pub use decode::{decode, decode_sealed, verified};
pub(crate) use digest::Running;
pub use digest::{Digest, Fingerprint};
pub(crate) use digest::{DigestReader, DigestWriter};
pub(crate) use encode::{BLOCK, Compressors, Encoded, Packed};
pub use encode::{Level, encode, encode_list};
pub(crate) use frame::FramePart;
pub(crate) use frame::FrameWriter;
pub(crate) use frame::LARGEST as LARGEST_FRAME;
pub(crate) use guarded::Guarded;
pub(crate) use plain::Plain;
pub use produce::Outcome;
pub(crate) use produce::transform;
pub(crate) use produce::{ChunkWriter, produce};
pub(crate) use records::Malformed;
pub use records::records;
pub use seal::seal;

/// A stream of bytes. `Ok` at the end means that the producer succeeded; a failed producer ends the
/// stream with `Err`.
pub type Body = Pin<Box<dyn AsyncRead + Send>>;

/// How many bytes move between two threads at once: enough that the hand-over costs little, and few
/// enough that several take little memory.
pub(crate) const CHUNK: usize = 256 * 1024;

/// How many chunks may wait between two threads. The memory of a hand-over is about
/// `CHUNK × (IN_FLIGHT + 2)`.
pub(crate) const IN_FLIGHT: usize = 4;

/// Returns bytes in memory as a body.
pub fn body_of(bytes: impl AsRef<[u8]> + Send + Unpin + 'static) -> Body {
    Box::pin(io::Cursor::new(bytes))
}

/// Copies everything in pieces as large as `buffer`, and returns the number of bytes. [`io::copy`]
/// takes 8 KiB at a time.
pub(crate) fn copy(from: &mut dyn Read, to: &mut dyn Write, buffer: &mut [u8]) -> io::Result<u64> {
    let mut copied = 0;
    loop {
        match from.read(buffer)? {
            0 => return Ok(copied),
            read => {
                to.write_all(&buffer[..read])?;
                copied += read as u64;
            }
        }
    }
}
