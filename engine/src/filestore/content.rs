//! A file's content, read once, and held against its name.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use sha1::{Digest as _, Sha1};

use super::name::FileName;
use crate::stream::{Digest, DigestReader};

/// Files up to this length are read whole before anything is said of them: what changes meanwhile cannot harm.
pub(super) const SMALL: u64 = 4 * 1024 * 1024;

/// An open file of a filestore.
pub(super) struct Content {
    source: Source,
    /// Its length in bytes: exactly as much is read.
    pub(super) size: u64,
    /// When it was last modified, in seconds since 1970.
    pub(super) mtime: u64,
    /// Whether it became longer or shorter meanwhile.
    changed: bool,
}

enum Source {
    Small(Vec<u8>),
    Large(File),
}

/// What was found on reading a file to its end.
pub(super) struct Seen {
    /// SHA-256 of what was read.
    pub(super) sha256: Digest,
    /// Whether it is what its name says; names that say nothing are always right.
    pub(super) as_named: bool,
    /// Whether it became longer or shorter while it was read.
    pub(super) changed: bool,
}

impl Content {
    /// Opens a file. `None` where it is no longer there.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut file = match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        // A named pipe, opened without waiting for its other end, would pass for an empty file.
        if !metadata.is_file() {
            return Err(io::Error::other("it is no longer a plain file"));
        }
        let mtime = u64::try_from(metadata.mtime()).unwrap_or(0);
        let size = metadata.len();
        if size > SMALL {
            return Ok(Some(Self { source: Source::Large(file), size, mtime, changed: false }));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        (&mut file).take(size + 1).read_to_end(&mut bytes)?;
        let changed = bytes.len() as u64 != size;
        bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let size = bytes.len() as u64;
        Ok(Some(Self { source: Source::Small(bytes), size, mtime, changed }))
    }

    /// Hands all of it to `sink`, exactly `size` bytes, and says what it is. What became shorter is filled up with zeros.
    ///
    /// # Errors
    /// Those of `sink`. A file that can be read no further counts as one that became shorter.
    pub(super) fn read(self, name: &FileName, sink: impl FnOnce(&mut dyn Read) -> io::Result<()>) -> io::Result<Seen> {
        let mut changed = self.changed;
        let mut small;
        let mut large;
        let inner: &mut dyn Read = match self.source {
            Source::Small(bytes) => {
                small = io::Cursor::new(bytes);
                &mut small
            }
            Source::Large(file) => {
                large = Exactly { file, left: self.size, changed: &mut changed };
                &mut large
            }
        };
        let expected = if let FileName::Sha1(sha1) = name { Some(sha1) } else { None };
        let sha1 = expected.map(|_| Sha1::new());
        let mut reader = Hashing { inner: DigestReader::new(inner), sha1 };
        sink(&mut reader)?;
        let sha256 = reader.inner.fingerprint().sha256;
        let as_named = match (reader.sha1, expected) {
            (Some(found), Some(expected)) => found.finalize().as_slice() == expected,
            _ => true,
        };
        Ok(Seen { sha256, as_named, changed })
    }
}

/// Yields `left` bytes, whatever the file does meanwhile, and notes if it does anything.
struct Exactly<'a> {
    file: File,
    left: u64,
    changed: &'a mut bool,
}

impl Read for Exactly<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = if *self.changed { 0 } else { self.file.read(&mut buf[..wanted]).unwrap_or(0) };
        let read = if read == 0 {
            *self.changed = true;
            buf[..wanted].fill(0);
            wanted
        } else {
            read
        };
        self.left -= read as u64;
        if self.left == 0 && !*self.changed {
            *self.changed = self.file.read(&mut [0; 1]).unwrap_or(1) != 0;
        }
        Ok(read)
    }
}

struct Hashing<'a> {
    inner: DigestReader<&'a mut dyn Read>,
    sha1: Option<Sha1>,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(&buf[..read]);
        }
        Ok(read)
    }
}
