//! Decompresses zstd, and tells damage from errors of the source.

use std::io::{self, BufRead, BufReader, Read};

use zstd::stream::read::Decoder;

use super::{CHUNK, Malformed};

/// The largest window that a frame may require, as a power of two. This program writes frames that
/// require at most 8 MiB.
const LARGEST_WINDOW: u32 = 24;

/// Decompresses consecutive zstd frames. What zstd does not understand is [`Malformed`]; an error
/// of `R` is returned unchanged.
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

    /// Makes the reader end after the first frame.
    pub(crate) fn single_frame(self) -> Self {
        Self(self.0.single_frame())
    }

    /// Returns whether the source failed.
    pub(crate) fn source_failed(&self) -> bool {
        self.0.get_ref().failed
    }

    /// Returns the source.
    pub(crate) fn source(&self) -> &R {
        &self.0.get_ref().inner
    }

    /// Returns the source, positioned after what was decompressed.
    pub(crate) fn into_source(self) -> R {
        self.0.finish().inner
    }
}

impl<R: BufRead> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| if self.source_failed() { error } else { not_understood(error) })
    }
}

/// Converts an error of zstd. Lack of memory says nothing of the data.
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
