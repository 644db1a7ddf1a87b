//! Writes a part of a filestore as a tar archive in zstd frames, with a list of its content.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::content::{Content, Seen};
use super::name::FileName;
use super::unpack::{LONGEST_PATH, check_path};
use super::walk::{Batches, FileEntry};
use crate::folder::OpenFolder;
use crate::progress::Task;
use crate::stream::{
    ChunkWriter, Digest, Encoded, Fingerprint, FramePart, FrameWriter, LARGEST_FRAME, Level, Malformed, Packed,
    produce, records,
};

/// How large a volume may become before the next one starts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of files. A single larger file has its own volume.
    pub bytes: u64,
    /// The number of files, which bounds the memory for the list.
    pub files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1024 * 1024 * 1024, files: 200_000 }
    }
}

/// A volume is also full when its list has this many bytes: a reader of the list keeps it in
/// memory, and takes at most twice as much.
const FULL_LIST: u64 = 128 * 1024 * 1024;

/// A tar archive consists of blocks of this many bytes.
const BLOCK: u64 = 512;

/// A line of a volume's list. It says where a file is, so that it can be read without the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedFile {
    /// Its path within the filestore.
    pub path: String,
    /// The SHA-256 digest of its content.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
    /// When it was last modified, in seconds since 1970.
    pub mtime: u64,
    /// The position of its zstd frame in the stored volume.
    pub frame: u64,
    /// The length of that frame in bytes.
    pub frame_length: u64,
    /// The position of its content in the decompressed frame.
    pub offset: u64,
}

/// What a volume's list has lines of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListForm {
    /// Format 1.
    Files,
    /// Format 2: the zstd frames of a frame come before its files. Those of the archive's end come
    /// last.
    FramesAndFiles,
}

/// A line of a volume's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListLine {
    /// The next zstd frame.
    Part(FramePart),
    File(ListedFile),
}

impl ListedFile {
    /// Returns its path and the fingerprint of its content.
    pub(crate) fn fingerprint(self) -> (String, Fingerprint) {
        (self.path, Fingerprint { size: self.size, sha256: self.sha256 })
    }
}

/// The most that a volume contains, by its manifest.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The number of files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// Longer than any line of a list: a path of bytes that must all be escaped, and some numbers.
const LONGEST_LINE: usize = 6 * LONGEST_PATH + 1024;

/// Reads the list of a volume that contains at most this.
///
/// Each item may be an error: that of `list`, or [`Malformed`] if it is not such a list.
pub(crate) fn read_list(list: impl io::Read, bounds: Bounds) -> impl Iterator<Item = io::Result<ListedFile>> {
    read_lines(list, bounds).filter_map(|line| match line {
        Ok(ListLine::File(file)) => Some(Ok(file)),
        Ok(ListLine::Part(_)) => None,
        Err(error) => Some(Err(error)),
    })
}

/// Reads the list of a volume, as [`read_list`] does, with the zstd frames.
pub(crate) fn read_lines(list: impl io::Read, bounds: Bounds) -> impl Iterator<Item = io::Result<ListLine>> {
    let mut left = bounds;
    // A frame has a file, and a zstd frame that another follows is full.
    let mut parts = bounds.files.saturating_add(bounds.bytes / LARGEST_FRAME as u64).saturating_add(2);
    records(list, b'\n', LONGEST_LINE).map(move |line| {
        let line = line?;
        if line.starts_with(PART) {
            let part: FramePart = serde_json::from_slice(&line).map_err(|error| Malformed(error.to_string()))?;
            parts = parts
                .checked_sub(1)
                .filter(|_| part.is_possible())
                .ok_or_else(|| Malformed("it lists zstd frames that its volume cannot have".to_owned()))?;
            return Ok(ListLine::Part(part));
        }
        let file = listed(&line)?;
        let counted = left.files.checked_sub(1).zip(left.bytes.checked_sub(file.size));
        let (files, bytes) = counted.ok_or_else(|| {
            let Bounds { files, bytes } = bounds;
            Malformed(format!("it lists more than its volume contains, which is {files} files of {bytes} bytes"))
        })?;
        left = Bounds { files, bytes };
        Ok(ListLine::File(file))
    })
}

/// How the line of a zstd frame begins.
const PART: &[u8] = b"{\"zstd\":";

fn listed(line: &[u8]) -> Result<ListedFile, Malformed> {
    let file: ListedFile = serde_json::from_slice(line).map_err(|error| Malformed(error.to_string()))?;
    check_path(file.path.as_bytes()).map_err(|error| Malformed(error.to_string()))?;
    if file.frame.checked_add(file.frame_length).is_none() || file.offset.checked_add(file.size).is_none() {
        return Err(Malformed("it lists a file at an impossible position".to_owned()));
    }
    Ok(file)
}

/// The result of writing a volume.
pub(crate) struct WrittenVolume {
    /// The number of files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// The list of its files: one [`ListedFile`] per line, compressed.
    pub list: Encoded,
}

/// Writes batches into a volume, starting with `first`, until there are none left or a limit is
/// reached.
///
/// Several volumes may draw from the same batches at the same time.
pub(crate) fn write_volume(
    first: Vec<FileEntry>,
    batches: Arc<Mutex<Batches>>,
    limits: Limits,
    (level, form): (Level, ListForm),
    task: Task,
) -> Encoded<WrittenVolume> {
    let (body, outcome) = produce(move |out| {
        let root = lock(&batches).root()?.clone();
        let mut writer = Writer { volume: VolumeWriter::new(out, level, form)?, task };
        let mut next = Some(first);
        while let Some(batch) = next {
            writer.append(&root, &batch, &batches)?;
            let listed = writer.volume.list.position_in_frame();
            let full =
                writer.volume.bytes >= limits.bytes || writer.volume.files >= limits.files || listed >= FULL_LIST;
            next = if full { None } else { lock(&batches).next_batch()? };
        }
        writer.volume.finish()
    });
    Encoded { body, outcome }
}

fn lock(batches: &Mutex<Batches>) -> std::sync::MutexGuard<'_, Batches> {
    batches.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A volume in the making: frames with files.
pub(super) struct VolumeWriter<W: Write> {
    tar: tar::Builder<FrameWriter<W>>,
    list: FrameWriter<Vec<u8>>,
    /// The files of the current frame.
    pending: Vec<ListedFile>,
    files: u64,
    bytes: u64,
}

impl<W: Write> VolumeWriter<W> {
    pub(super) fn new(out: W, level: Level, form: ListForm) -> io::Result<Self> {
        let frames = FrameWriter::new(out, level)?;
        let mut tar = tar::Builder::new(match form {
            ListForm::Files => frames,
            ListForm::FramesAndFiles => frames.with_parts(),
        });
        tar.sparse(false);
        let list = FrameWriter::new(Vec::new(), Level::OF_LISTS)?;
        Ok(Self { tar, list, pending: Vec::new(), files: 0, bytes: 0 })
    }

    /// Appends a file of `size` bytes, which `write` writes, to the current frame.
    pub(super) fn append(
        &mut self,
        path: &str,
        (size, mtime): (u64, u64),
        write: impl FnOnce(&mut FrameWriter<W>) -> io::Result<Seen>,
    ) -> io::Result<Seen> {
        let seen = append_entry(&mut self.tar, path, (size, mtime), write)?;
        let padding = size.next_multiple_of(BLOCK) - size;
        let offset = self.tar.get_ref().position_in_frame() - padding - size;
        let (path, sha256) = (path.to_owned(), seen.sha256);
        self.pending.push(ListedFile { path, size, sha256, mtime, frame: 0, frame_length: 0, offset });
        self.files += 1;
        self.bytes += size;
        Ok(seen)
    }

    /// Ends the current frame, unless it is empty.
    pub(super) fn end_frame(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let frame = self.tar.get_mut().end_frame()?;
        frame.parts.iter().try_for_each(|part| write_line(&mut self.list, part))?;
        for mut file in self.pending.drain(..) {
            (file.frame, file.frame_length) = (frame.offset, frame.length);
            write_line(&mut self.list, &file)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Packed<WrittenVolume>> {
        self.end_frame()?;
        self.tar.finish()?;
        let mut frames = self.tar.into_inner()?;
        let end = frames.end_frame()?;
        end.parts.iter().try_for_each(|part| write_line(&mut self.list, part))?;
        let list = self.list.into_list()?;
        let Packed { plain, stored, .. } = frames.into_parts().1;
        Ok(Packed { plain, stored, value: WrittenVolume { files: self.files, bytes: self.bytes, list } })
    }
}

struct Writer<'a> {
    volume: VolumeWriter<&'a mut ChunkWriter>,
    task: Task,
}

impl Writer<'_> {
    /// Appends a batch as one frame.
    fn append(&mut self, root: &OpenFolder, batch: &[FileEntry], batches: &Mutex<Batches>) -> io::Result<()> {
        batch.iter().try_for_each(|entry| self.append_file(root, entry, batches))?;
        self.volume.end_frame()
    }

    /// Appends a file, if it must be stored. Records problems in the ledger.
    fn append_file(&mut self, root: &OpenFolder, entry: &FileEntry, batches: &Mutex<Batches>) -> io::Result<()> {
        let name = FileName::new(&entry.path);
        if entry.verify && !self.is_to_replace(root, entry, &name, batches) {
            return Ok(());
        }
        let Some(content) = open(root, entry, batches) else { return Ok(()) };
        let (size, mtime) = (content.size, content.mtime);
        let seen = self
            .volume
            .append(&entry.path, (size, mtime), |archive| content.read(&name, |piece| archive.write_all(piece)))?;
        if !seen.as_named {
            lock(batches).ledger.damaged(&entry.path, false);
        } else if seen.changed {
            lock(batches).ledger.changed(&entry.path);
        }
        self.task.advance(size);
        Ok(())
    }

    /// Reads a file that an earlier volume has, and returns whether it replaces that version.
    fn is_to_replace(&self, root: &OpenFolder, entry: &FileEntry, name: &FileName, batches: &Mutex<Batches>) -> bool {
        let Some(content) = open(root, entry, batches) else { return false };
        let size = content.size;
        let seen = content.read(name, |_| Ok(()));
        self.task.advance(size);
        lock(batches).ledger.verified(&entry.path, size, seen.is_ok_and(|seen| seen.as_named))
    }
}

/// Appends a file's entry to a volume.
pub(super) fn append_file(
    tar: &mut tar::Builder<impl Write>,
    path: &str,
    content: Content,
    mtime: u64,
) -> io::Result<Seen> {
    let name = FileName::new(path);
    append_entry(tar, path, (content.size, mtime), |archive| content.read(&name, |piece| archive.write_all(piece)))
}

/// Appends a file's entry to a volume. `write` writes its content of `size` bytes.
fn append_entry<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    (size, mtime): (u64, u64),
    write: impl FnOnce(&mut W) -> io::Result<Seen>,
) -> io::Result<Seen> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    // After a restore by hand, the operator decides who may read the file. Until then only its
    // owner may.
    header.set_mode(0o600);
    header.set_mtime(mtime);
    // This appends only the header: the archive would copy the content in small pieces.
    tar.append_data(&mut header, path, io::empty())?;
    let archive = tar.get_mut();
    let seen = write(archive)?;
    io::copy(&mut io::repeat(0).take(size.next_multiple_of(BLOCK) - size), archive)?;
    Ok(seen)
}

/// Writes a line of a volume's list.
pub(super) fn write_line(list: &mut FrameWriter<Vec<u8>>, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *list, line)?;
    list.write_all(b"\n")
}

/// Opens a file. Returns `None`, and records why, if it is gone or cannot be read.
fn open(root: &OpenFolder, entry: &FileEntry, batches: &Mutex<Batches>) -> Option<Content> {
    match Content::open(root, &entry.path) {
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
