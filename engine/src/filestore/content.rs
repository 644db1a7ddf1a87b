//! Reads a file's content once, and compares it with its name.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;

use sha1::{Digest as _, Sha1};

use super::name::FileName;
use crate::folder::OpenFolder;
use crate::stream::{CHUNK, Digest, DigestWriter};

/// Files up to this length are read completely before they are judged, so a change in between does
/// no harm.
pub(super) const SMALL: u64 = 4 * 1024 * 1024;

/// An open file of a filestore.
pub(super) struct Content {
    source: Source,
    /// Its length in bytes. Exactly that much is read.
    pub(super) size: u64,
    /// When it was last modified, in seconds since 1970.
    pub(super) mtime: u64,
    /// Whether its length changed meanwhile.
    changed: bool,
}

enum Source {
    Small(Vec<u8>),
    Large(File),
}

/// What reading a file to its end found.
pub(super) struct Seen {
    /// The SHA-256 digest of what was read.
    pub(super) sha256: Digest,
    /// Whether the content matches the name. True for names that do not describe content.
    pub(super) as_named: bool,
    /// Whether its length changed while it was read.
    pub(super) changed: bool,
}

impl Content {
    /// Opens a file of a filestore. Returns `None` if it no longer exists.
    pub(super) fn open(root: &OpenFolder, path: &str) -> io::Result<Option<Self>> {
        let mut file = match root.read_file(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        // A named pipe that is opened without waiting would look like an empty file.
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

    /// Passes exactly `size` bytes to `sink`, piece by piece, and returns what was found. If the
    /// file became shorter, zeros fill the rest.
    ///
    /// # Errors
    /// Those of `sink`. A file that cannot be read further counts as one that became shorter.
    pub(super) fn read(self, name: &FileName, sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Seen> {
        let expected = if let FileName::Sha1(sha1) = name { Some(sha1) } else { None };
        let mut hashing = Hashing { sink, sha256: DigestWriter::new(io::sink()), sha1: expected.map(|_| Sha1::new()) };
        let mut changed = self.changed;
        match self.source {
            Source::Small(bytes) => bytes.chunks(CHUNK).try_for_each(|piece| hashing.pass(piece))?,
            Source::Large(file) => changed |= read_exactly(file, self.size, |piece| hashing.pass(piece))?,
        }
        let sha256 = hashing.sha256.finish().1.sha256;
        let as_named = match (hashing.sha1, expected) {
            (Some(found), Some(expected)) => found.finalize().as_slice() == expected,
            _ => true,
        };
        Ok(Seen { sha256, as_named, changed })
    }
}

/// Passes `size` bytes of a file to `pass`, whatever happens to the file meanwhile. Returns whether
/// its length changed.
fn read_exactly(mut file: File, size: u64, mut pass: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<bool> {
    let mut buffer = vec![0; CHUNK];
    let mut left = size;
    let mut changed = false;
    while left > 0 {
        let wanted = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        let read = if changed { 0 } else { file.read(&mut buffer[..wanted]).unwrap_or(0) };
        let piece = if read == 0 { wanted } else { read };
        if read == 0 {
            changed = true;
            buffer[..wanted].fill(0);
        }
        pass(&buffer[..piece])?;
        left -= piece as u64;
    }
    Ok(changed || file.read(&mut buffer[..1]).unwrap_or(1) != 0)
}

/// Fingerprints what goes to `sink` piece by piece, while each piece is still in the processor's
/// cache.
struct Hashing<S> {
    sink: S,
    sha256: DigestWriter<io::Sink>,
    sha1: Option<Sha1>,
}

impl<S: FnMut(&[u8]) -> io::Result<()>> Hashing<S> {
    fn pass(&mut self, piece: &[u8]) -> io::Result<()> {
        self.sha256.write_all(piece)?;
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(piece);
        }
        (self.sink)(piece)
    }
}
