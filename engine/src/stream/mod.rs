//! Bytes on their way, and the one rule that keeps them honest.
//!
//! **A stream's end means that its producer succeeded.** pg_dump's exit status comes after its stdout closes, and a dead
//! thread looks like a clean end of file; so whatever makes a [`Body`] waits for the child or the thread before it
//! reports the end, and a failed producer ends the stream in an error. Whoever consumes a stream can then not commit half of one.

use std::pin::Pin;

use tokio::io::AsyncRead;

/// Bytes on their way. `Ok` end of stream means the producer succeeded; a failed producer ends the stream with `Err`.
pub type Body = Pin<Box<dyn AsyncRead + Send>>;
