//! Opens what was sealed.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use age::stream::StreamReader;
use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use super::header::Header;
use super::range::CHUNK;
use super::{Identities, SealError};

/// More than any object has, and few enough for sums.
const LARGEST: u64 = 1 << 53;

/// Reads what is in a sealed object, with 128 KiB of memory. Returns no byte that was changed after
/// it was sealed, and reports the end only if it is there. A failure is an [`io::Error`] around a
/// [`SealError`], or the unchanged error of `R`; after it every further read fails.
pub struct OpenReader<R> {
    source: Source<R>,
    with: Identities,
    state: State<R>,
    /// In the content.
    position: u64,
}

enum State<R> {
    /// The header was not read.
    Start,
    Reading(Box<StreamReader<Rest<R>>>),
    Failed,
}

impl<R: Read> OpenReader<R> {
    /// Starts to open an object. Nothing is read yet.
    pub fn new(sealed: R, with: Identities) -> Self {
        let source = Watched { inner: sealed, failed: false, ended: false };
        Self { source: Source(Arc::new(Mutex::new(source))), with, state: State::Start, position: 0 }
    }

    /// Returns whether reading from `R` failed, as opposed to what was read.
    pub fn source_failed(&self) -> bool {
        self.source.lock().failed
    }

    /// Returns the source, positioned after what was read of it. Returns `None` if a part of this
    /// reader still uses it, which is not possible.
    pub fn into_source(self) -> Option<R> {
        drop(self.state);
        let watched = Arc::into_inner(self.source.0)?.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(watched.inner)
    }

    /// Reads the header if that was not done, and returns the reader of the content.
    fn reader(&mut self) -> Result<&mut StreamReader<Rest<R>>, SealError> {
        if matches!(self.state, State::Start) {
            self.state = State::Failed;
            self.state = State::Reading(Box::new(self.start()?));
        }
        match &mut self.state {
            State::Reading(reader) => Ok(reader),
            _ => Err(after_failure()),
        }
    }

    fn start(&mut self) -> Result<StreamReader<Rest<R>>, SealError> {
        let Header { bytes, kinds } = Header::read(&mut self.source)?;
        let rest = Rest { header: Cursor::new(bytes), source: self.source.clone() };
        let opened = Decryptor::new_buffered(rest).and_then(|decryptor| decryptor.decrypt(self.with.as_age()));
        opened.map_err(|error| match (error, self.with.file()) {
            (DecryptError::NoMatchingKeys, Some(path)) => SealError::WrongIdentity { path, sealed_to: kinds },
            (DecryptError::NoMatchingKeys, None) => SealError::UnknownKey { sealed_to: kinds },
            (DecryptError::InvalidMac | DecryptError::DecryptionFailed, _) => SealError::Altered,
            (DecryptError::Io(error), _) if self.source_failed() => SealError::Io(error),
            // The header is complete, so it is the 16 bytes after it that are missing.
            (DecryptError::Io(_), _) if self.source.lock().ended => SealError::Truncated,
            (DecryptError::UnknownFormat, _) => SealError::NewerFormat,
            _ => SealError::Header("its lines are not those of age"),
        })
    }

    /// Returns what an error of age's reader means.
    fn meaning(&self, error: io::Error) -> SealError {
        let source = self.source.lock();
        match error.kind() {
            _ if source.failed => SealError::Io(error),
            io::ErrorKind::UnexpectedEof => SealError::Truncated,
            // Whether the last part was cut or changed, its code does not show.
            _ if source.ended => SealError::AlteredEnd,
            _ => SealError::Altered,
        }
    }

    fn fail<T>(&mut self, error: SealError) -> io::Result<T> {
        self.state = State::Failed;
        Err(error.into())
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let result = match self.reader() {
            Ok(reader) => reader.read(buf),
            Err(error) => return self.fail(error),
        };
        match result {
            Ok(read) => {
                self.position += read as u64;
                Ok(read)
            }
            Err(error) => {
                let meaning = self.meaning(error);
                self.fail(meaning)
            }
        }
    }
}

impl<R: Read + Seek> OpenReader<R> {
    /// Goes to a position of the content, counted as if it were not sealed. The source must start
    /// with the sealed object.
    ///
    /// What is read before the cut of a cut object is returned: only a reader that comes to the end
    /// learns that it is missing. So what is read must be compared with a digest.
    ///
    /// # Errors
    /// As for reading; [`SealError::Truncated`] if the content ends before
    pub fn go_to(&mut self, position: u64) -> io::Result<()> {
        if let State::Failed = self.state {
            return Err(after_failure().into());
        }
        if position >= LARGEST {
            return self.fail(SealError::Truncated);
        }
        let start = position - position % CHUNK;
        if start != self.position - self.position % CHUNK || position < self.position {
            let reader = match self.reader() {
                Ok(reader) => reader,
                Err(error) => return self.fail(error),
            };
            // Age panics where it is asked for a position beyond the end of a piece, and reads the
            // end of the object where a piece starts. At the second byte it does neither.
            let gone = reader.seek(SeekFrom::Start(start + 1)).and_then(|_| reader.seek(SeekFrom::Start(start)));
            if let Err(error) = gone {
                let meaning = self.meaning(error);
                return self.fail(meaning);
            }
            self.position = start;
        }
        let left = position - self.position;
        match io::copy(&mut self.by_ref().take(left), &mut io::sink())? {
            skipped if skipped == left => Ok(()),
            _ => self.fail(SealError::Truncated),
        }
    }
}

/// A reader that asks again must not see a clean end after an error.
fn after_failure() -> SealError {
    SealError::Io(io::Error::other("the sealed object could not be read"))
}

/// Opens an object in memory that has at most `most` bytes.
///
/// # Errors
/// [`SealError`]
pub fn open(sealed: &[u8], with: &Identities, most: u64) -> Result<Zeroizing<Vec<u8>>, SealError> {
    // Sealed bytes are never fewer than those in them, so this vector does not grow.
    let largest = usize::try_from(most).unwrap_or(usize::MAX).min(sealed.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity(largest.saturating_add(1)));
    let reader = OpenReader::new(sealed, with.clone());
    reader
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| error.downcast::<SealError>().unwrap_or_else(SealError::Io))?;
    if bytes.len() as u64 > most { Err(SealError::TooLong(most)) } else { Ok(bytes) }
}

/// The sealed bytes. Age's reader does not return them, so they are shared with it.
struct Source<R>(Arc<Mutex<Watched<R>>>);

struct Watched<R> {
    inner: R,
    failed: bool,
    ended: bool,
}

impl<R> Source<R> {
    fn lock(&self) -> MutexGuard<'_, Watched<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Clone for Source<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut watched = self.lock();
        let read = watched.inner.read(buf);
        match &read {
            Ok(0) if !buf.is_empty() => watched.ended = true,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => watched.failed = true,
            _ => {}
        }
        read
    }
}

/// The header, which was read already, and then the source.
struct Rest<R> {
    header: Cursor<Vec<u8>>,
    source: Source<R>,
}

impl<R: Read> Read for Rest<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.header.read(buf)? {
            0 => self.source.read(buf),
            read => Ok(read),
        }
    }
}

/// Only the header is read so: line by line.
impl<R: Read> BufRead for Rest<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.header.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.header.consume(amount);
    }
}

impl<R: Read + Seek> Seek for Rest<R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let mut watched = self.source.lock();
        watched.ended = false;
        let result = watched.inner.seek(position);
        watched.failed |= result.is_err();
        result
    }
}
