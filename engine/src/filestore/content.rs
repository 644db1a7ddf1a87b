//! A file's content, read once, and held against its name.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;

use sha1::{Digest as _, Sha1};

use super::name::FileName;
use crate::folder::OpenFolder;
use crate::stream::{CHUNK, Digest, DigestWriter};

/// Files up to this length are read whole before anything is said of them: what changes meanwhile
/// cannot harm.
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
    /// Opens a file of a filestore. `None` where it is no longer there.
    pub(super) fn open(root: &OpenFolder, path: &str) -> io::Result<Option<Self>> {
        let mut file = match root.read_file(path) {
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

    /// Hands all of it to `sink`, piece by piece and exactly `size` bytes, and says what it is.
    /// What became shorter is filled up with zeros.
    ///
    /// # Errors
    /// Those of `sink`. A file that can be read no further counts as one that became shorter.
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

/// Hands `size` bytes of a file to `pass`, whatever the file does meanwhile, and says if it did
/// anything.
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

/// Fingerprints what goes to `sink`, a piece at a time, so that it is still at hand for the
/// processor.
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
