//! A part of a filestore as a tar archive in zstd frames, and the list of what is in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::FilestoreError;
use super::walk::{Batches, FileEntry};
use crate::progress::Task;
use crate::stream::{
    ChunkWriter, Digest, DigestReader, Encoded, FrameWriter, Level, Outcome, Packed, body_of, produce,
};

/// How large a volume may become before the next one is begun.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of files. A single file that is larger makes a volume of its own.
    pub bytes: u64,
    /// Number of files; bounds the memory for the list.
    pub files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1024 * 1024 * 1024, files: 200_000 }
    }
}

/// A line of a volume's list: where a file is, so that it can be read without the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its path within the filestore.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
    /// When it was last modified, in seconds since 1970.
    pub mtime: u64,
    /// First byte of its zstd frame in the stored volume.
    pub frame: u64,
    /// Length of that frame in bytes.
    pub frame_length: u64,
    /// First byte of its content in what the frame decompresses to.
    pub offset: u64,
}

/// What came of a volume.
pub struct WrittenVolume {
    /// Number of files.
    pub files: u64,
    /// Their length in bytes, together.
    pub bytes: u64,
    /// The list of its files: one [`Listed`] a line, compressed.
    pub list: Encoded,
}

/// Writes batches into a volume until there are none left or a limit is reached, beginning with `first`.
///
/// Several volumes may draw from the same batches at once.
pub fn write_volume(
    first: Vec<FileEntry>,
    batches: Arc<Mutex<Batches>>,
    limits: Limits,
    level: Level,
    task: Task,
) -> Encoded<WrittenVolume> {
    let (body, outcome) = produce(move |out| {
        let root = lock(&batches).root().to_owned();
        let mut volume = Writer::new(out, level, task)?;
        let mut next = Some(first);
        while let Some(batch) = next {
            volume.append(&root, &batch)?;
            let full = volume.bytes >= limits.bytes || volume.files >= limits.files;
            next = if full { None } else { lock(&batches).next_batch()? };
        }
        volume.finish()
    });
    Encoded { body, outcome }
}

fn lock(batches: &Mutex<Batches>) -> std::sync::MutexGuard<'_, Batches> {
    batches.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer<'a> {
    tar: tar::Builder<FrameWriter<&'a mut ChunkWriter>>,
    list: FrameWriter<Vec<u8>>,
    files: u64,
    bytes: u64,
    task: Task,
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut ChunkWriter, level: Level, task: Task) -> io::Result<Self> {
        let mut tar = tar::Builder::new(FrameWriter::new(out, level, 0)?);
        tar.sparse(false);
        Ok(Self { tar, list: FrameWriter::new(Vec::new(), level, 0)?, files: 0, bytes: 0, task })
    }

    /// Appends a batch as one frame.
    fn append(&mut self, root: &Path, batch: &[FileEntry]) -> io::Result<()> {
        let mut listed = Vec::with_capacity(batch.len());
        for entry in batch {
            listed.extend(self.append_file(root, entry)?);
        }
        let frame = self.tar.get_mut().end_frame()?;
        for mut file in listed {
            (file.frame, file.frame_length) = (frame.offset, frame.length);
            serde_json::to_writer(&mut self.list, &file)?;
            self.list.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Appends a file; `None` where it is no longer there.
    fn append_file(&mut self, root: &Path, entry: &FileEntry) -> io::Result<Option<Listed>> {
        let path = root.join(&entry.path);
        let Some(file) = open(&path)? else { return Ok(None) };
        let metadata = file.metadata().map_err(FilestoreError::io("look at", &path))?;
        // A named pipe, opened without waiting for its other end, would pass for an empty file.
        if !metadata.is_file() {
            return Err(FilestoreError::NotAFile { path }.into());
        }
        let size = metadata.len();
        let mtime = u64::try_from(metadata.mtime()).unwrap_or(0);
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        // Whoever restores by hand decides who may read it; nobody else should before that.
        header.set_mode(0o600);
        header.set_mtime(mtime);
        let mut content = Content { file: DigestReader::new(file), path: &path, expected: size, read: 0 };
        // A long path takes an entry of its own before the file's: the content's place is known only when the first byte comes.
        self.tar.append_data(&mut header, &entry.path, &mut content)?;
        content.expect_end()?;
        let padding = size.next_multiple_of(512) - size;
        let offset = self.tar.get_ref().position_in_frame() - padding - size;
        self.files += 1;
        self.bytes += size;
        self.task.advance(size);
        let sha256 = content.file.fingerprint().sha256;
        Ok(Some(Listed { path: entry.path.clone(), size, sha256, mtime, frame: 0, frame_length: 0, offset }))
    }

    fn finish(mut self) -> io::Result<Packed<WrittenVolume>> {
        self.tar.finish()?;
        let mut frames = self.tar.into_inner()?;
        frames.end_frame()?;
        self.list.end_frame()?;
        let (list, packed_list) = self.list.into_parts();
        let list = Encoded { body: body_of(list), outcome: Outcome::known(packed_list) };
        let Packed { plain, stored, .. } = frames.into_parts().1;
        Ok(Packed { plain, stored, value: WrittenVolume { files: self.files, bytes: self.bytes, list } })
    }
}

/// Opens a file for reading if it is still there, and still no link.
fn open(path: &Path) -> Result<Option<File>, FilestoreError> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FilestoreError::io("read", path)(error)),
    }
}

/// A file's content of exactly the length that its header promises, or an error: a file that changes must not look whole.
struct Content<'a> {
    file: DigestReader<File>,
    path: &'a Path,
    expected: u64,
    read: u64,
}

impl Content<'_> {
    fn changed(&self, found: u64) -> io::Error {
        FilestoreError::Changed { path: self.path.to_owned(), expected: self.expected, found }.into()
    }

    /// After the last byte: it must not have grown.
    fn expect_end(&mut self) -> io::Result<()> {
        let file = self.file.get_ref();
        let now = file.metadata().map_err(FilestoreError::io("look at", self.path))?.len();
        if now == self.expected { Ok(()) } else { Err(self.changed(now)) }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.expected - self.read;
        let wanted = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut buf[..wanted]).map_err(FilestoreError::io("read", self.path))?;
        if read == 0 {
            return Err(self.changed(self.read));
        }
        self.read += read as u64;
        Ok(read)
    }
}
