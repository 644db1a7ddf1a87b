//! The index of a volume: its frames, and the chunks in it.
//!
//! ```text
//! {"chunker":{…},"key":"…","frame":2097152,"frames":2,"chunks":3}
//! 412345 5891…            a frame: its length as stored, and its SHA-256
//! 1200 77aa…
//! 9216 0c1d…              a chunk: its length before compression, and its keyed digest
//! 8000 -                  bytes that are no chunk
//! 2088448 93fe…
//! ```
//!
//! Frames and chunks follow each other without gaps, so their offsets are sums. Every frame but the
//! last has `frame` bytes before compression.

use std::io::{self, Read, Write};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use zstd::zstd_safe::compress_bound;

use super::chunks::{ChunkDigest, ChunkKey, Chunker};
use super::map::number;
use crate::stream::{BLOCK, Digest, Encoded, FrameWriter, Level, Malformed, records};

/// Lengths that a frame may have before compression. A reader keeps one of each volume in memory.
const FRAME_LENGTHS: Range<u32> = 64 * 1024..4 * 1024 * 1024 + 1;

/// The most chunks in one index. What is beyond is listed as one part that is no chunk.
const MOST_CHUNKS: usize = 2_000_000;

const LONGEST_LINE: usize = 1024;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    chunker: Chunker,
    key: ChunkKey,
    frame: u32,
    frames: u64,
    chunks: u64,
}

/// A volume's length before compression and as stored, by its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Before compression.
    pub plain: u64,
    /// As stored.
    pub stored: u64,
}

/// The frames of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frames {
    length: u32,
    plain: u64,
    /// Where each ends in the stored volume, and its digest.
    frames: Vec<(u64, Digest)>,
}

/// A frame of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it is in the stored volume.
    pub(super) stored: Range<u64>,
    /// SHA-256 of its stored bytes.
    pub(super) sha256: Digest,
    /// Its length before compression.
    pub(super) plain: usize,
}

impl Frames {
    /// Returns the number of frames.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Returns the volume's length before compression.
    pub(super) fn plain(&self) -> u64 {
        self.plain
    }

    /// Returns the index of the frame with this byte of the uncompressed volume, and the byte's
    /// position in it.
    pub(super) fn locate(&self, offset: u64) -> (usize, usize) {
        let length = u64::from(self.length);
        ((offset / length) as usize, (offset % length) as usize)
    }

    /// Returns a frame.
    pub(super) fn get(&self, index: usize) -> Option<Frame> {
        let (end, sha256) = *self.frames.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.frames[before].0);
        let length = u64::from(self.length);
        let plain = (self.plain - index as u64 * length).min(length) as usize;
        Some(Frame { stored: start..end, sha256, plain })
    }
}

/// What an index says apart from its chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// How the dump was cut.
    pub chunker: Chunker,
    /// The key of the chunks' digests.
    pub key: ChunkKey,
    /// The frames.
    pub frames: Frames,
}

/// A part of a volume, as an index lists it.
pub(super) type Listed = (u64, Option<ChunkDigest>);

/// Reads the index of a volume, and hands out its chunks in order. `begin` gets their number first.
///
/// # Errors
/// Those of `index`, `begin` and `chunk`; `Malformed` if it is no index of such a volume
pub(super) fn read_index_with(
    index: impl Read,
    lengths: Lengths,
    begin: impl FnOnce(u64) -> io::Result<()>,
    mut chunk: impl FnMut(Listed),
) -> io::Result<Index> {
    let mut lines = records(index, b'\n', LONGEST_LINE);
    let mut next = || lines.next().unwrap_or_else(|| Err(malformed("it ends too early")));
    let Header { chunker, key, frame, frames, chunks } =
        serde_json::from_slice(&next()?).map_err(|error| malformed(&error.to_string()))?;
    if !FRAME_LENGTHS.contains(&frame) || frames != lengths.plain.div_ceil(u64::from(frame)).max(1) {
        return Err(malformed("its frames do not fit its volume"));
    }
    let mut read = Vec::new();
    let (mut end, most) = (0, compress_bound(frame as usize) as u64);
    for _ in 0..frames {
        let line = next()?;
        let (stored, sha256) = fields(&line)
            .and_then(|(stored, text)| Some((stored, std::str::from_utf8(text).ok()?.parse::<Digest>().ok()?)))
            .ok_or_else(|| malformed("a line of it is no frame"))?;
        end += stored;
        if stored == 0 || stored > most || end > lengths.stored {
            return Err(malformed("its frames do not fit its volume"));
        }
        read.try_reserve(1).map_err(|_| io::ErrorKind::OutOfMemory)?;
        read.push((end, sha256));
    }
    if end != lengths.stored {
        return Err(malformed("its frames do not fit its volume"));
    }
    if chunks > MOST_CHUNKS as u64 {
        return Err(malformed("it has too many chunks"));
    }
    begin(chunks)?;
    let mut left = lengths.plain;
    for _ in 0..chunks {
        let line = next()?;
        let (length, text) = fields(&line).ok_or_else(|| malformed("a line of it is no chunk"))?;
        let digest = if text == b"-" { None } else { Some(ChunkDigest::parse(text)) };
        let digest = digest.map(|digest| digest.ok_or_else(|| malformed("a line of it is no chunk"))).transpose()?;
        if length == 0 || length > left || digest.is_some() && length > u64::from(chunker.maximum()) {
            return Err(malformed("its chunks do not fit its volume"));
        }
        left -= length;
        chunk((length, digest));
    }
    if left > 0 || lines.next().transpose()?.is_some() {
        return Err(malformed("its chunks do not fit its volume"));
    }
    Ok(Index { chunker, key, frames: Frames { length: frame, plain: lengths.plain, frames: read } })
}

/// Reads the index of a volume without its chunks, as a restore needs it.
///
/// # Errors
/// Those of `index`; `Malformed` if it is no index of such a volume
pub fn read_index(index: impl Read, lengths: Lengths) -> io::Result<Index> {
    read_index_with(index, lengths, |_| Ok(()), drop)
}

/// Splits a line of a number and a text.
fn fields(line: &[u8]) -> Option<(u64, &[u8])> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    Some((number(&line[..space])?, &line[space + 1..]))
}

fn malformed(text: &str) -> io::Error {
    Malformed(text.to_owned()).into()
}

/// Collects what the index of a new volume says.
pub(super) struct IndexWriter {
    frames: Vec<(u32, Digest)>,
    chunks: Vec<(u32, ChunkDigest)>,
    /// Bytes after the last chunk that is listed.
    more: u64,
}

impl IndexWriter {
    pub(super) fn new() -> Self {
        Self { frames: Vec::new(), chunks: Vec::new(), more: 0 }
    }

    /// Adds the next frame.
    pub(super) fn frame(&mut self, stored: u32, sha256: Digest) {
        self.frames.push((stored, sha256));
    }

    /// Adds the next chunk.
    pub(super) fn chunk(&mut self, length: u32, digest: ChunkDigest) {
        if self.chunks.len() < MOST_CHUNKS - 1 {
            self.chunks.push((length, digest));
        } else {
            self.more += u64::from(length);
        }
    }

    /// Returns the index.
    pub(super) fn finish(self, chunker: Chunker, key: ChunkKey) -> io::Result<Encoded> {
        let mut list = FrameWriter::new(Vec::new(), Level::OF_LISTS)?;
        let chunks = self.chunks.len() as u64 + u64::from(self.more > 0);
        let header = Header { chunker, key, frame: BLOCK as u32, frames: self.frames.len() as u64, chunks };
        serde_json::to_writer(&mut list, &header)?;
        list.write_all(b"\n")?;
        for (stored, sha256) in self.frames {
            writeln!(list, "{stored} {sha256}")?;
        }
        for (length, digest) in self.chunks {
            writeln!(list, "{length} {digest}")?;
        }
        if self.more > 0 {
            writeln!(list, "{} -", self.more)?;
        }
        list.into_list()
    }
}

#[cfg(test)]
mod tests;
