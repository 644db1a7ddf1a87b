//! The way back: fingerprint, decompress, fingerprint, and compare before the end is reported.

use std::io::{self, BufReader, Read};

use zstd::stream::read::Decoder;

use super::produce::transform;
use super::{Body, CHUNK, DigestReader, Fingerprint, copy};
use crate::progress::Task;

/// What was read is not what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The stored bytes differ.
    #[error("the stored object is damaged: expected {expected}, read {found}")]
    Stored {
        /// What the manifest says.
        expected: Fingerprint,
        /// What was read.
        found: Fingerprint,
    },
    /// The stored bytes are right, what they decompress to is not.
    #[error("the decompressed data is not what was backed up: expected {expected}, got {found}")]
    Plain {
        /// What the manifest says.
        expected: Fingerprint,
        /// What came out.
        found: Fingerprint,
    },
}

/// Reads the plain bytes of a stored zstd object. Its end is reported only once both fingerprints agree; otherwise the last
/// read fails with [`io::ErrorKind::InvalidData`] and a [`Mismatch`] inside. Behind a failure every further read fails.
pub struct DecodeReader<R: Read> {
    state: State<R>,
    plain: Fingerprint,
    stored: Fingerprint,
}

enum State<R: Read> {
    Reading(Box<Decoding<R>>),
    /// The end was reported.
    Ended,
    Failed,
}

type Decoding<R> = DigestReader<Decoder<'static, BufReader<DigestReader<R>>>>;

impl<R: Read> DecodeReader<R> {
    /// Begins behind `stored_bytes`, with the fingerprints of what is to be read and of what is stored.
    pub fn new(stored_bytes: R, plain: Fingerprint, stored: Fingerprint) -> io::Result<Self> {
        let decoder = Decoder::with_buffer(BufReader::with_capacity(CHUNK, DigestReader::new(stored_bytes)))?;
        Ok(Self { state: State::Reading(Box::new(DigestReader::new(decoder))), plain, stored })
    }

    /// Reads what is left of the stored bytes, and says what of all of them differs.
    fn compare(&self, reader: Decoding<R>) -> io::Result<Option<Mismatch>> {
        let found = reader.fingerprint();
        let mut source = reader.into_inner().finish();
        io::copy(&mut source, &mut io::sink())?;
        let found_stored = source.get_ref().fingerprint();
        Ok(if found_stored != self.stored {
            Some(Mismatch::Stored { expected: self.stored, found: found_stored })
        } else if found != self.plain {
            Some(Mismatch::Plain { expected: self.plain, found })
        } else {
            None
        })
    }
}

fn invalid(mismatch: Mismatch) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, mismatch)
}

impl<R: Read> Read for DecodeReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let decoder = match &mut self.state {
            State::Reading(decoder) => decoder,
            State::Ended => return Ok(0),
            // A reader that asks again must not see a clean end behind an error.
            State::Failed => return Err(io::Error::other("the stored object could not be read")),
        };
        if buf.is_empty() {
            return Ok(0);
        }
        let result = match decoder.read(buf) {
            Ok(read @ 1..) => return Ok(read),
            other => other,
        };
        let State::Reading(decoder) = std::mem::replace(&mut self.state, State::Failed) else { return result };
        match (self.compare(*decoder), result) {
            // Where zstd stumbles the bytes are damaged; to say which object and how, the digest of the whole is better evidence.
            (Ok(Some(mismatch)), _) => Err(invalid(mismatch)),
            // Also where the rest cannot be read: a source that broke is told by its own error, not by what it says when asked again.
            (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
            (Ok(None), Ok(_)) => {
                self.state = State::Ended;
                Ok(0)
            }
        }
    }
}

/// The plain bytes of a stored body, whose end is reported only once both fingerprints agree.
///
/// `task` is advanced by the stored bytes that are read.
pub fn decode(body: Body, plain: Fingerprint, stored: Fingerprint, task: Task) -> Body {
    transform(body, CHUNK, move |source, out| {
        let mut reader = DecodeReader::new(task.reader(source), plain, stored)?;
        copy(&mut reader, out, &mut vec![0; CHUNK]).map(drop)
    })
    .0
}

/// A stored body as it is, whose end is reported only once its fingerprint agrees. `task` is advanced by what is read.
pub fn verified(body: Body, stored: Fingerprint, task: Task) -> Body {
    transform(body, CHUNK, move |source, out| {
        let mut reader = DigestReader::new(task.reader(source));
        copy(&mut reader, out, &mut vec![0; CHUNK])?;
        match reader.fingerprint() {
            found if found == stored => Ok(()),
            found => Err(invalid(Mismatch::Stored { expected: stored, found })),
        }
    })
    .0
}

#[cfg(test)]
mod tests;
