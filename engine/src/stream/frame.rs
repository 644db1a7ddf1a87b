//! Compresses zstd frames, each as a whole.

use std::io::{self, Write};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use super::digest::Running;
use super::{Digest, DigestWriter, Encoded, Level, Outcome, Packed, body_of};

/// The most plain bytes in one zstd frame.
pub(crate) const LARGEST: usize = 8 * 1024 * 1024;

/// Compresses bytes in memory into frames.
///
/// If zstd gets pieces, as from a stream, it copies them into its own window. It then searches
/// across its seam, which takes up to a fifth longer.
pub(super) struct FrameMaker {
    compressor: Compressor<'static>,
}

impl FrameMaker {
    pub(super) fn new(level: Level) -> io::Result<Self> {
        let mut compressor = Compressor::new(level.get())?;
        // The checksum costs almost nothing, and lets `zstd -t` find damage without this program.
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self { compressor })
    }

    /// Compresses `plain` into `frame`, and replaces the content of `frame`.
    pub(super) fn make(&mut self, plain: &[u8], frame: &mut Vec<u8>) -> io::Result<()> {
        frame.clear();
        frame.reserve(compress_bound(plain.len()));
        self.compressor.compress_to_buffer(plain, frame).map(drop)
    }
}

/// Where a part of the plain bytes is in the stored bytes: one zstd frame, or several if it is
/// long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Its first byte.
    pub(crate) offset: u64,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// Its zstd frames.
    pub(crate) parts: Vec<FramePart>,
}

/// One zstd frame as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FramePart {
    /// Its length in bytes.
    #[serde(rename = "zstd")]
    pub(crate) length: u64,
    /// SHA-256 of its bytes.
    pub(crate) sha256: Digest,
}

impl FramePart {
    /// The least and the most bytes of a zstd frame of this program.
    const LENGTHS: RangeInclusive<u64> = 9..=(LARGEST as u64 + LARGEST as u64 / 128);

    /// Returns whether this program may have written it.
    pub(crate) fn is_possible(&self) -> bool {
        Self::LENGTHS.contains(&self.length)
    }
}

/// Compresses into zstd frames that the caller ends: what was written between two ends can be read
/// alone.
pub(crate) struct FrameWriter<W> {
    maker: FrameMaker,
    plain: Running,
    stored: DigestWriter<W>,
    /// The bytes of the current zstd frame.
    pending: Vec<u8>,
    frame: Vec<u8>,
    /// Where the current part starts in the stored bytes, and in the plain ones.
    start: (u64, u64),
    /// The zstd frames of the current part, if they are wanted.
    parts: Option<Vec<FramePart>>,
}

impl<W: Write> FrameWriter<W> {
    /// Starts to write to `out`.
    pub(crate) fn new(out: W, level: Level) -> io::Result<Self> {
        Ok(Self {
            maker: FrameMaker::new(level)?,
            plain: Running::default(),
            stored: DigestWriter::new(out),
            pending: Vec::new(),
            frame: Vec::new(),
            start: (0, 0),
            parts: None,
        })
    }

    /// Also fingerprints each zstd frame.
    pub(crate) fn with_parts(self) -> Self {
        Self { parts: Some(Vec::new()), ..self }
    }

    /// Returns the bytes written since the last end, which is the position of the next byte in the
    /// current part.
    pub(crate) fn position_in_frame(&self) -> u64 {
        self.plain.size() - self.start.1
    }

    /// Ends the current part, even an empty one. Returns where it is.
    pub(crate) fn end_frame(&mut self) -> io::Result<Frame> {
        if !self.pending.is_empty() || self.position_in_frame() == 0 {
            self.compress()?;
        }
        let (offset, end) = (self.start.0, self.stored.position());
        self.start = (end, self.plain.size());
        let parts = self.parts.as_mut().map(std::mem::take).unwrap_or_default();
        Ok(Frame { offset, length: end - offset, parts })
    }

    /// Returns the inner writer, and the fingerprints of everything. The last frame must have been
    /// ended.
    pub(crate) fn into_parts(self) -> (W, Packed) {
        debug_assert_eq!(self.position_in_frame(), 0, "the last frame was not ended");
        let (out, stored) = self.stored.finish();
        (out, Packed { plain: self.plain.fingerprint(), stored, value: () })
    }

    fn compress(&mut self) -> io::Result<()> {
        self.maker.make(&self.pending, &mut self.frame)?;
        self.pending.clear();
        if let Some(parts) = &mut self.parts {
            parts.push(FramePart { length: self.frame.len() as u64, sha256: Digest::of(&self.frame) });
        }
        self.stored.write_all(&self.frame)
    }
}

impl FrameWriter<Vec<u8>> {
    /// Ends the last frame, and returns everything: a list to be stored.
    pub(crate) fn into_list(mut self) -> io::Result<Encoded> {
        self.end_frame()?;
        let (list, packed) = self.into_parts();
        Ok(Encoded { body: body_of(list), outcome: Outcome::known(packed) })
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.pending.len() == LARGEST {
            self.compress()?;
        }
        let taken = &buf[..buf.len().min(LARGEST - self.pending.len())];
        self.plain.update(taken);
        self.pending.extend_from_slice(taken);
        Ok(taken.len())
    }

    /// Does nothing: flushing a compressor would only make its output larger.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Fingerprint;

    #[test]
    fn parts_are_read_alone_or_together() {
        let long: Vec<u8> = (0..LARGEST / 4 * 5).map(|i| (i % 251) as u8).collect();
        let parts: [&[u8]; 5] = [&b"first ".repeat(100_000), b"", &[7; 3], &long, &long[..LARGEST]];
        let mut stored = Vec::new();
        let mut writer = FrameWriter::new(&mut stored, Level::default()).unwrap();
        let mut frames = Vec::new();
        for part in parts {
            writer.write_all(part).unwrap();
            assert_eq!(writer.position_in_frame(), part.len() as u64);
            frames.push(writer.end_frame().unwrap());
        }
        let (_, packed) = writer.into_parts();
        assert_eq!(packed.stored, Fingerprint::of(&stored));
        assert_eq!(packed.plain, Fingerprint::of(&parts.concat()));
        for (frame, part) in frames.iter().zip(parts) {
            let range = usize::try_from(frame.offset).unwrap()..usize::try_from(frame.offset + frame.length).unwrap();
            assert!(zstd::decode_all(&stored[range]).unwrap() == part);
        }
        assert!(zstd::decode_all(stored.as_slice()).unwrap() == parts.concat());
    }
}
