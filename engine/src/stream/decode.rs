//! Decodes a stored object: fingerprint, open if it is sealed, decompress, fingerprint, and compare
//! before the end is reported.

use std::io::{self, BufReader, Read};

use super::produce::transform;
use super::{Body, CHUNK, Digest, DigestReader, Fingerprint, FramePart, Guarded, Plain, copy};
use crate::progress::Task;
use crate::seal::{Identities, OpenReader};

/// What was read differs from what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    /// The stored bytes differ.
    #[error("the stored object is damaged: expected {expected}, read {found}")]
    Stored {
        /// What the manifest says.
        expected: Fingerprint,
        /// What was read.
        found: Fingerprint,
    },
    /// A zstd frame of it differs.
    #[error("the stored object is damaged: frame {number}: expected SHA-256 {expected}, read {found}")]
    Frame {
        /// Its number, from 0.
        number: usize,
        /// What the object's list says.
        expected: Digest,
        /// What was read.
        found: Digest,
    },
    /// There are more stored bytes than expected. They were not read further.
    #[error("the stored object is damaged: it is longer than the {expected} bytes that it should have")]
    StoredLonger {
        /// The bytes that the manifest states.
        expected: u64,
    },
    /// The stored bytes match, but what they decompress to differs.
    #[error("the decompressed data is not what was backed up: expected {expected}, got {found}")]
    Plain {
        /// What the manifest says.
        expected: Fingerprint,
        /// What they decompressed to.
        found: Fingerprint,
    },
    /// The stored bytes match, but decompress to more than expected. No more than expected was
    /// returned.
    #[error(
        "the decompressed data is not what was backed up: it is longer than the {expected} bytes that it should have"
    )]
    PlainLonger {
        /// The bytes that the manifest states.
        expected: u64,
    },
}

/// Reads the plain bytes of a stored zstd object, which may be sealed. Never reads more stored or
/// plain bytes than the fingerprints say. The end is reported only once both fingerprints match;
/// otherwise the last read fails with [`io::ErrorKind::InvalidData`] and a [`Mismatch`] inside. A
/// sealed object that has the right stored bytes and cannot be opened fails with a `SealError`
/// inside. After a failure every further read fails.
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

type Decoding<R> = DigestReader<Plain<BufReader<Stored<DigestReader<Limited<R>>>>>>;

impl<R: Read> DecodeReader<R> {
    /// Starts to read `stored_bytes`, with the fingerprints of the plain and of the stored bytes.
    pub fn new(stored_bytes: R, plain: Fingerprint, stored: Fingerprint) -> io::Result<Self> {
        Self::start(stored_bytes, None, plain, stored)
    }

    /// Does the same as [`Self::new`] for a sealed object, which one of the keys must open. Each
    /// zstd frame in it is compared with its digest before it is decompressed, if `frames` has any:
    /// all who can write to the repository can seal other bytes to the same keys.
    pub(crate) fn sealed(
        stored_bytes: R,
        keys: Identities,
        frames: Vec<FramePart>,
        plain: Fingerprint,
        stored: Fingerprint,
    ) -> io::Result<Self> {
        Self::start(stored_bytes, Some((keys, frames)), plain, stored)
    }

    fn start(
        stored_bytes: R,
        sealed: Option<(Identities, Vec<FramePart>)>,
        plain: Fingerprint,
        stored: Fingerprint,
    ) -> io::Result<Self> {
        let digested = DigestReader::new(Limited::new(stored_bytes, stored.size));
        let source = match sealed {
            Some((keys, frames)) => Stored::Sealed(Box::new(Guarded::new(OpenReader::new(digested, keys), frames))),
            None => Stored::Open(digested),
        };
        let decoder = Plain::new(source)?;
        Ok(Self { state: State::Reading(Box::new(DigestReader::new(decoder))), plain, stored })
    }

    /// Reads the rest of the stored bytes, and returns what differs in all of them.
    fn compare(&self, reader: Decoding<R>, goes_on: bool) -> io::Result<Option<Mismatch>> {
        let found = reader.fingerprint();
        let mut source = reader.into_inner().into_source().into_inner().into_digested()?;
        io::copy(&mut source, &mut io::sink())?;
        let found_stored = source.fingerprint();
        Ok(if found_stored != self.stored {
            Some(Mismatch::Stored { expected: self.stored, found: found_stored })
        } else if goes_on {
            Some(Mismatch::PlainLonger { expected: self.plain.size })
        } else if found != self.plain {
            Some(Mismatch::Plain { expected: self.plain, found })
        } else {
            None
        })
    }
}

pub(super) fn invalid(mismatch: Mismatch) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, mismatch)
}

impl<R: Read> Read for DecodeReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let decoder = match &mut self.state {
            State::Reading(decoder) => decoder,
            State::Ended => return Ok(0),
            // A reader that asks again must not see a clean end after an error.
            State::Failed => return Err(io::Error::other("the stored object could not be read")),
        };
        if buf.is_empty() {
            return Ok(0);
        }
        let left = usize::try_from(self.plain.size - decoder.position()).unwrap_or(usize::MAX);
        let room = buf.len().min(left);
        // After all expected bytes were returned, one more byte shows that there are too many.
        let result = if room == 0 { decoder.read(&mut [0]) } else { decoder.read(&mut buf[..room]) };
        let goes_on = match result {
            Ok(read @ 1..) if room > 0 => return Ok(read),
            Ok(read) => read > 0,
            Err(_) => false,
        };
        let State::Reading(decoder) = std::mem::replace(&mut self.state, State::Failed) else { return result };
        let failed = match decoder.get_ref().source().get_ref() {
            Stored::Open(_) => decoder.get_ref().source_failed(),
            Stored::Sealed(reader) => reader.source().source_failed(),
        };
        if failed {
            // A source that failed reports its own error, not what it says when asked again.
            return result.map(|_| 0);
        }
        match (self.compare(*decoder, goes_on), result) {
            // The stored bytes match. Why they could not be decompressed says more than that too
            // few came out.
            (Ok(Some(Mismatch::Plain { .. })), Err(error)) => Err(error),
            // If zstd fails, the bytes are damaged. The digest of all bytes says better which
            // object is damaged and how.
            (Ok(Some(mismatch)), _) => Err(invalid(mismatch)),
            (Err(error), _) | (Ok(None), Err(error)) => Err(error),
            (Ok(None), Ok(_)) => {
                self.state = State::Ended;
                Ok(0)
            }
        }
    }
}

/// What zstd reads: the stored bytes, or what is sealed in them.
enum Stored<R> {
    Open(R),
    Sealed(Box<Guarded<OpenReader<R>>>),
}

impl<R: Read> Stored<R> {
    fn into_digested(self) -> io::Result<R> {
        match self {
            Self::Open(digested) => Ok(digested),
            Self::Sealed(reader) => {
                reader.into_source().into_source().ok_or_else(|| io::Error::other("the object is still read"))
            }
        }
    }
}

impl<R: Read> Read for Stored<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Open(digested) => digested.read(buf),
            Self::Sealed(reader) => reader.read(buf),
        }
    }
}

/// Stored bytes up to an expected number.
struct Limited<R> {
    inner: R,
    expected: u64,
    left: u64,
}

impl<R> Limited<R> {
    fn new(inner: R, expected: u64) -> Self {
        Self { inner, expected, left: expected }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buf.is_empty() {
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(invalid(Mismatch::StoredLonger { expected: self.expected })),
            };
        }
        let room = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.inner.read(&mut buf[..room])?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Returns the plain bytes of a stored body. Its end is reported only once both fingerprints match.
///
/// The stored bytes that are read advance `task`.
pub fn decode(body: Body, plain: Fingerprint, stored: Fingerprint, task: Task) -> Body {
    transform(body, CHUNK, move |source, out| {
        let mut reader = DecodeReader::new(task.reader(source), plain, stored)?;
        copy(&mut reader, out, &mut vec![0; CHUNK]).map(drop)
    })
    .0
}

/// Does the same as [`decode`] for a sealed object, which one of the keys must open.
pub fn decode_sealed(body: Body, keys: Identities, plain: Fingerprint, stored: Fingerprint, task: Task) -> Body {
    transform(body, CHUNK, move |source, out| {
        let mut reader = DecodeReader::sealed(task.reader(source), keys, Vec::new(), plain, stored)?;
        copy(&mut reader, out, &mut vec![0; CHUNK]).map(drop)
    })
    .0
}

/// Returns a stored body unchanged, and no more of it than its fingerprint says. Its end is
/// reported only once that matches. What is read advances `task`.
pub fn verified(body: Body, stored: Fingerprint, task: Task) -> Body {
    transform(body, CHUNK, move |source, out| {
        let mut reader = DigestReader::new(Limited::new(task.reader(source), stored.size));
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
