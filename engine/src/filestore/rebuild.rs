//! Recreates a volume's list from the volume, and parts of a volume from the filestore, with
//! exactly the bytes that they had.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use super::FilestoreError;
use super::archive::read_members;
use super::content::Content;
use super::name::FileName;
use super::unpack::check_path;
use super::volume::{Bounds, ListForm, ListLine, ListedFile, append_file, write_line};
use crate::folder::OpenFolder;
use crate::stream::{
    DigestReader, DigestWriter, Fingerprint, FramePart, FrameWriter, Guarded, LARGEST_FRAME, Level, Malformed, Packed,
    Plain, Running,
};

/// A part of a volume that can be read alone, and the files in it. It is one zstd frame or several
/// consecutive ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedFrame {
    /// Its first byte in the stored volume.
    pub(crate) start: u64,
    /// The first byte after it.
    pub(crate) end: u64,
    /// Its zstd frames, if they are listed.
    pub(crate) parts: Vec<FramePart>,
    pub(crate) files: Vec<ListedFile>,
}

/// Returns the frames of a volume by its list. Returns `None` if the list does not describe
/// consecutive frames.
pub(crate) fn frames(list: Vec<ListLine>) -> Option<Vec<ListedFrame>> {
    let mut frames: Vec<ListedFrame> = Vec::new();
    let mut parts = Vec::new();
    for line in list {
        let file = match line {
            ListLine::Part(part) => {
                parts.push(part);
                continue;
            }
            ListLine::File(file) => file,
        };
        let end = file.frame.checked_add(file.frame_length)?;
        let behind = frames.last().map_or(0, |last| last.end);
        match frames.last_mut() {
            Some(last) if (last.start, last.end) == (file.frame, end) => last.files.push(file),
            _ if file.frame == behind && end > behind => {
                let parts = std::mem::take(&mut parts);
                frames.push(ListedFrame { start: file.frame, end, parts, files: vec![file] });
            }
            _ => return None,
        }
    }
    Some(frames)
}

/// Returns whether a frame's stored bytes contain the files that are listed.
///
/// # Errors
/// Those of `stored`, and whatever is wrong with the frame; the caller can tell them apart
pub(crate) fn is_intact(stored: impl Read, frame: &ListedFrame) -> io::Result<bool> {
    let mut listed = frame.files.iter();
    let mut as_listed = true;
    read_entries(Plain::new(Guarded::new(stored, frame.parts.clone()))?, |file| {
        let expected = listed.next();
        as_listed &= expected
            .is_some_and(|listed| (&listed.path, listed.size, listed.sha256) == (&file.path, file.size, file.sha256));
        // After the first difference, the rest need not be read.
        if as_listed { Ok(()) } else { Err(Malformed("it does not contain what its list says".to_owned()).into()) }
    })?;
    Ok(as_listed && listed.next().is_none())
}

/// Returns the instance's filestore as a backup reads it. Returns `None` if it does not exist.
fn open_source(root: &Path) -> Option<OpenFolder> {
    OpenFolder::open(root).ok().map(OpenFolder::following_folders)
}

/// Returns the files of a frame that the filestore at `root` lacks, or has with other content.
///
/// # Errors
/// [`FilestoreError::BadName`] if the list would lead out of the filestore
pub(crate) fn lacking(root: &Path, frame: &ListedFrame) -> io::Result<Vec<String>> {
    let root = open_source(root);
    let mut lacking = Vec::new();
    for file in &frame.files {
        check_path(file.path.as_bytes())?;
        let content = root.as_ref().map_or(Ok(None), |root| Content::open(root, &file.path));
        let seen = content.and_then(|content| {
            let Some(content) = content.filter(|content| content.size == file.size) else { return Ok(false) };
            Ok(content.read(&FileName::new(&file.path), |_| Ok(()))?.sha256 == file.sha256)
        });
        if !seen.unwrap_or(false) {
            lacking.push(file.path.clone());
        }
    }
    Ok(lacking)
}

/// Writes a frame again from the filestore at `root`.
///
/// # Errors
/// An error if a file does not have the listed length. The digest of the whole volume shows whether
/// the content is right.
pub(crate) fn write_frame(out: impl Write, level: Level, root: &Path, frame: &ListedFrame) -> io::Result<()> {
    let mut tar = tar::Builder::new(Gate { inner: FrameWriter::new(out, level)?, closed: false });
    tar.sparse(false);
    let root = OpenFolder::open(root)?.following_folders();
    for file in &frame.files {
        check_path(file.path.as_bytes())?;
        let content = Content::open(&root, &file.path)?.filter(|content| content.size == file.size);
        let gone = || FilestoreError::BadArchive(format!("{:?} has changed in the filestore meanwhile", file.path));
        append_file(&mut tar, &file.path, content.ok_or_else(gone)?, file.mtime)?;
    }
    let gate = tar.get_mut();
    gate.inner.end_frame()?;
    gate.closed = true;
    Ok(())
}

/// Writes the frame at the end of each volume.
///
/// # Errors
/// Those of `out`
pub(crate) fn write_end(out: impl Write, level: Level) -> io::Result<()> {
    let mut end = FrameWriter::new(out, level)?;
    tar::Builder::new(&mut end).finish()?;
    end.end_frame()?;
    Ok(())
}

/// Returns the compression levels at which a volume may have been written, the likeliest first. At
/// these levels, each of `frames`, recreated from the filestore at `root`, and the last `end` bytes
/// have the length that they had. There is none if the compressor has changed since.
///
/// # Errors
/// Those of [`write_frame`]
pub(crate) fn possible_levels(root: Option<&Path>, frames: &[ListedFrame], end: u64) -> io::Result<Vec<Level>> {
    let mut possible = Vec::new();
    for level in Level::all() {
        if fits(level, root, frames, end)? {
            possible.push(level);
        }
    }
    Ok(possible)
}

fn fits(level: Level, root: Option<&Path>, frames: &[ListedFrame], end: u64) -> io::Result<bool> {
    for frame in frames {
        let Some(root) = root else { return Ok(false) };
        if length(|out| write_frame(out, level, root, frame))? != frame.end - frame.start {
            return Ok(false);
        }
    }
    Ok(length(|out| write_end(out, level))? == end)
}

/// Returns how many bytes `write` writes.
fn length(write: impl FnOnce(&mut DigestWriter<io::Sink>) -> io::Result<()>) -> io::Result<u64> {
    let mut out = DigestWriter::new(io::sink());
    write(&mut out).map(|()| out.position())
}

/// Discards the end that a tar archive writes when it is dropped, because only the last frame ends
/// the archive.
struct Gate<W> {
    inner: W,
    closed: bool,
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.closed { Ok(buf.len()) } else { self.inner.write(buf) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads a stored volume within `bounds`, and lists its content. Also returns the fingerprint of
/// what was read, which alone shows whether the list can be trusted.
///
/// # Errors
/// An error if it is not a volume; those of `stored`
pub(crate) fn list_again(stored: impl Read, bounds: Bounds) -> io::Result<(Vec<ListLine>, Fingerprint)> {
    let digest = DigestReader::new(stored);
    let inner = BufReader::with_capacity(crate::stream::CHUNK, digest);
    let mut source = Positioned { inner, position: 0, part: Running::default() };
    let mut lines: Vec<ListLine> = Vec::new();
    let mut left = bounds;
    while !source.fill_buf()?.is_empty() {
        let (frame, mut files) = (source.position, Vec::new());
        let decoder = Some(Plain::buffered(source)?.single_frame());
        let mut part = Part { decoder, in_frame: 0, parts: Vec::new() };
        read_entries(&mut part, |file| {
            let counted = left.files.checked_sub(1).zip(left.bytes.checked_sub(file.size));
            let (files_left, bytes) =
                counted.ok_or_else(|| Malformed("it contains more than its manifest says".to_owned()))?;
            left = Bounds { files: files_left, bytes };
            files.push(ListedFile { frame, ..file });
            Ok(())
        })?;
        let Some(decoder) = part.decoder else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        source = decoder.into_source();
        part.parts.push(source.end_part());
        let frame_length = source.position - frame;
        lines.extend(part.parts.into_iter().map(ListLine::Part));
        lines.extend(files.into_iter().map(|file| ListLine::File(ListedFile { frame_length, ..file })));
    }
    Ok((lines, source.inner.get_ref().fingerprint()))
}

/// The plain bytes of a part of a volume. If it has several zstd frames, all but the last are full.
struct Part<R: BufRead> {
    /// The decoder of the current frame. `None` only if it could not be opened.
    decoder: Option<Plain<Positioned<R>>>,
    /// The bytes read of that frame.
    in_frame: usize,
    /// The zstd frames before it.
    parts: Vec<FramePart>,
}

impl<R: BufRead> Read for Part<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.decoder else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            let read = decoder.read(buf)?;
            self.in_frame += read;
            if read > 0 || buf.is_empty() || self.in_frame != LARGEST_FRAME {
                return Ok(read);
            }
            let Some(decoder) = self.decoder.take() else { return Ok(0) };
            let mut source = decoder.into_source();
            let is_end = source.fill_buf()?.is_empty();
            if !is_end {
                self.parts.push(source.end_part());
            }
            self.in_frame = if is_end { LARGEST_FRAME + 1 } else { 0 };
            self.decoder = Some(Plain::buffered(source)?.single_frame());
        }
    }
}

/// Reads what a frame decompresses to, to its end.
fn read_entries(plain: impl Read, mut each: impl FnMut(ListedFile) -> io::Result<()>) -> io::Result<()> {
    read_members(plain, |member, content| {
        let mut content = DigestReader::new(content);
        io::copy(&mut content, &mut io::sink())?;
        let Fingerprint { size, sha256 } = content.fingerprint();
        let (path, mtime, offset) = (member.path.clone(), member.mtime, member.offset);
        each(ListedFile { path, size, sha256, mtime, frame: 0, frame_length: 0, offset })
    })
}

/// Returns a volume's list as it is stored.
///
/// # Errors
/// None is expected, because it is written to memory
pub(crate) fn write_list(lines: &[ListLine], form: ListForm) -> io::Result<(Vec<u8>, Packed)> {
    let mut list = FrameWriter::new(Vec::new(), Level::OF_LISTS)?;
    lines.iter().try_for_each(|line| match line {
        ListLine::Part(part) if form == ListForm::FramesAndFiles => write_line(&mut list, part),
        ListLine::Part(_) => Ok(()),
        ListLine::File(file) => write_line(&mut list, file),
    })?;
    list.end_frame()?;
    Ok(list.into_parts())
}

struct Positioned<R> {
    inner: R,
    position: u64,
    /// What was read of the current zstd frame.
    part: Running,
}

impl<R> Positioned<R> {
    /// Ends the current zstd frame.
    fn end_part(&mut self) -> FramePart {
        let Fingerprint { size, sha256 } = std::mem::take(&mut self.part).fingerprint();
        FramePart { length: size, sha256 }
    }
}

impl<R: BufRead> Read for Positioned<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.position += read as u64;
        self.part.update(&buf[..read]);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Positioned<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount as u64;
        // What is consumed was filled before, so this reads nothing.
        if let Ok(filled) = self.inner.fill_buf() {
            self.part.update(&filled[..amount.min(filled.len())]);
        }
        self.inner.consume(amount);
    }
}
