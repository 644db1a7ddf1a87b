//! Seals what is written.

use std::io::{self, Write};

use age::Encryptor;
use age::stream::StreamWriter;

use super::{Recipients, SealError};

/// Seals what is written to it, with 128 KiB of memory. [`Self::finish`] writes the end: without
/// it, the object cannot be opened.
pub struct SealWriter<W: Write>(StreamWriter<W>);

impl<W: Write> SealWriter<W> {
    /// Starts an object that each of the recipients can open, and writes its header.
    ///
    /// # Errors
    /// Those of `out`
    pub fn new(out: W, to: &Recipients) -> io::Result<Self> {
        // The kinds of recipients that there are can be combined.
        let encryptor = Encryptor::with_recipients(to.as_age()).map_err(io::Error::other)?;
        Ok(Self(encryptor.wrap_output(out)?))
    }

    /// Writes the end, and returns the writer behind.
    ///
    /// # Errors
    /// Those of `out`
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Seals bytes in memory.
///
/// # Errors
/// None that is known; those of the library
pub fn seal(bytes: &[u8], to: &Recipients) -> Result<Vec<u8>, SealError> {
    let sealed = || {
        let mut writer = SealWriter::new(Vec::new(), to)?;
        writer.write_all(bytes)?;
        writer.finish()
    };
    sealed().map_err(SealError::Io)
}
