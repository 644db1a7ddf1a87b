//! What zstd decompresses, and whose fault it is where it does not.

use std::io::{self, BufRead, BufReader, Read};

use zstd::stream::read::Decoder;

use super::{CHUNK, Malformed};

/// The largest window that a frame may ask for, as a power of two: what this program writes asks
/// for 8 MiB at the most.
const LARGEST_WINDOW: u32 = 24;

/// Decompresses a row of zstd frames. What zstd does not understand is [`Malformed`]; what `R`
/// fails with comes back as it is.
pub(crate) struct Plain<R: BufRead>(Decoder<'static, Noting<R>>);

impl<R: Read> Plain<BufReader<R>> {
    pub(crate) fn new(stored: R) -> io::Result<Self> {
        Self::buffered(BufReader::with_capacity(CHUNK, stored))
    }
}

impl<R: BufRead> Plain<R> {
    pub(crate) fn buffered(stored: R) -> io::Result<Self> {
        let mut decoder = Decoder::with_buffer(Noting { inner: stored, failed: false })?;
        decoder.window_log_max(LARGEST_WINDOW)?;
        Ok(Self(decoder))
    }

    /// Ends behind the first frame.
    pub(crate) fn single_frame(self) -> Self {
        Self(self.0.single_frame())
    }

    /// Returns whether it is the source that failed.
    pub(crate) fn source_failed(&self) -> bool {
        self.0.get_ref().failed
    }

    /// Returns the source, behind what was decompressed.
    pub(crate) fn into_source(self) -> R {
        self.0.finish().inner
    }
}

impl<R: BufRead> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| if self.source_failed() { error } else { not_understood(error) })
    }
}

/// Returns an error of zstd's own. That it had no memory says nothing of what it was to read.
fn not_understood(error: io::Error) -> io::Error {
    let text = error.to_string();
    if text.contains("Allocation error") {
        return io::Error::new(io::ErrorKind::OutOfMemory, text);
    }
    Malformed(format!("it cannot be decompressed: {text}")).into()
}

/// Remembers whether reading failed.
struct Noting<R> {
    inner: R,
    failed: bool,
}

impl<R: BufRead> Read for Noting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf);
        self.failed |= read.is_err();
        read
    }
}

impl<R: BufRead> BufRead for Noting<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let filled = self.inner.fill_buf();
        self.failed |= filled.is_err();
        filled
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}
