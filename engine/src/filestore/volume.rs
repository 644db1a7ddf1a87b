//! A part of a filestore as a tar archive in zstd frames, and the list of what is in it.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::content::{Content, Seen};
use super::name::FileName;
use super::walk::{Batches, FileEntry};
use crate::progress::Task;
use crate::stream::{ChunkWriter, Digest, Encoded, FrameWriter, Level, Outcome, Packed, body_of, produce};

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

/// A tar archive is made of blocks of this many bytes.
const BLOCK: u64 = 512;

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

/// Reads a volume's list.
pub fn read_list(list: impl io::Read) -> impl Iterator<Item = io::Result<Listed>> {
    io::BufReader::new(list).lines().map(|line| Ok(serde_json::from_str(&line?)?))
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
            volume.append(&root, &batch, &batches)?;
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
        let mut tar = tar::Builder::new(FrameWriter::new(out, level)?);
        tar.sparse(false);
        Ok(Self { tar, list: FrameWriter::new(Vec::new(), Level::OF_LISTS)?, files: 0, bytes: 0, task })
    }

    /// Appends a batch as one frame.
    fn append(&mut self, root: &Path, batch: &[FileEntry], batches: &Mutex<Batches>) -> io::Result<()> {
        let mut listed = Vec::with_capacity(batch.len());
        for entry in batch {
            listed.extend(self.append_file(root, entry, batches)?);
        }
        let frame = self.tar.get_mut().end_frame()?;
        for mut file in listed {
            (file.frame, file.frame_length) = (frame.offset, frame.length);
            write_listed(&mut self.list, &file)?;
        }
        Ok(())
    }

    /// Appends a file; `None` where there is nothing of it to be stored. What is wrong with it is noted in the ledger.
    fn append_file(&mut self, root: &Path, entry: &FileEntry, batches: &Mutex<Batches>) -> io::Result<Option<Listed>> {
        let name = FileName::new(&entry.path);
        if entry.verify && !self.is_to_replace(root, entry, &name, batches) {
            return Ok(None);
        }
        let Some(content) = open(root, entry, batches) else { return Ok(None) };
        let (size, mtime) = (content.size, content.mtime);
        let seen = append_file(&mut self.tar, &entry.path, content, mtime)?;
        let padding = size.next_multiple_of(BLOCK) - size;
        let offset = self.tar.get_ref().position_in_frame() - padding - size;
        if !seen.as_named {
            lock(batches).ledger.damaged(&entry.path, false);
        } else if seen.changed {
            lock(batches).ledger.changed(&entry.path);
        }
        self.files += 1;
        self.bytes += size;
        self.task.advance(size);
        let sha256 = seen.sha256;
        Ok(Some(Listed { path: entry.path.clone(), size, sha256, mtime, frame: 0, frame_length: 0, offset }))
    }

    /// Reads a file of which an earlier version is held, and says whether it is to take that one's place.
    fn is_to_replace(&self, root: &Path, entry: &FileEntry, name: &FileName, batches: &Mutex<Batches>) -> bool {
        let Some(content) = open(root, entry, batches) else { return false };
        let size = content.size;
        let seen = content.read(name, |_| Ok(()));
        self.task.advance(size);
        lock(batches).ledger.verified(&entry.path, size, seen.is_ok_and(|seen| seen.as_named))
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

/// Appends a file's entry to a volume.
pub(super) fn append_file(
    tar: &mut tar::Builder<impl Write>,
    path: &str,
    content: Content,
    mtime: u64,
) -> io::Result<Seen> {
    let size = content.size;
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    // Whoever restores by hand decides who may read it; nobody else should before that.
    header.set_mode(0o600);
    header.set_mtime(mtime);
    // The header alone: what follows it the archive would copy in small pieces.
    tar.append_data(&mut header, path, io::empty())?;
    let archive = tar.get_mut();
    let seen = content.read(&FileName::new(path), |piece| archive.write_all(piece))?;
    io::copy(&mut io::repeat(0).take(size.next_multiple_of(BLOCK) - size), archive)?;
    Ok(seen)
}

/// Writes a line of a volume's list.
pub(super) fn write_listed(list: &mut FrameWriter<Vec<u8>>, file: &Listed) -> io::Result<()> {
    serde_json::to_writer(&mut *list, file)?;
    list.write_all(b"\n")
}

/// Opens a file; `None`, and noted, where it is gone or cannot be read.
fn open(root: &Path, entry: &FileEntry, batches: &Mutex<Batches>) -> Option<Content> {
    match Content::open(&root.join(&entry.path)) {
        Ok(Some(content)) => Some(content),
        Ok(None) => {
            lock(batches).ledger.vanished(&entry.path);
            None
        }
        Err(error) => {
            lock(batches).ledger.unreadable(&entry.path, &error);
            None
        }
    }
}
