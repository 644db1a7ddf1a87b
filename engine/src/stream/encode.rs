//! The way out: fingerprint, compress, fingerprint again.

use std::io::{self, Read, Write};

use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

use super::digest::Running;
use super::{Body, CHUNK, DigestWriter, Fingerprint, Outcome, transform};
use crate::progress::Task;

/// A zstd compression level, 1 to 19. Higher ones need more memory to read than `zstd -d` allows by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(i32);

impl Level {
    /// Checks a level.
    pub fn new(level: i32) -> Option<Self> {
        (1..=19).contains(&level).then_some(Self(level))
    }
}

impl Default for Level {
    /// zstd's own default, 3: below it the dump grows faster than the time falls.
    fn default() -> Self {
        Self(3)
    }
}

/// A stream on its way to a store.
pub struct Encoded<T = ()> {
    /// What is to be stored.
    pub body: Body,
    /// What is to be known of it once the body was read to its end.
    pub outcome: Outcome<Packed<T>>,
}

/// Fingerprints of a stream on both sides of compression, and what else its producer found out.
#[derive(Debug)]
pub struct Packed<T = ()> {
    /// Of what went in.
    pub plain: Fingerprint,
    /// Of what is stored.
    pub stored: Fingerprint,
    /// What else there is to be known.
    pub value: T,
}

/// Compresses a body into one zstd frame, with `threads` of zstd's own beside the one that feeds it (0: none).
///
/// `task` is advanced by what goes in.
pub fn encode(body: Body, level: Level, threads: u32, task: Task) -> Encoded {
    let (body, outcome) = transform(body, move |mut plain, out| {
        let mut frames = FrameWriter::new(out, level, threads)?;
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = plain.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            frames.write_all(&buffer[..read])?;
            task.advance(read as u64);
        }
        frames.end_frame()?;
        Ok(frames.into_parts().1)
    });
    Encoded { body, outcome }
}

/// Compresses into zstd frames that the caller ends where it likes: what was written between two ends can be read back alone.
pub struct FrameWriter<W> {
    encoder: Encoder<'static>,
    plain: Running,
    stored: DigestWriter<W>,
    buffer: Vec<u8>,
    /// Where the frame under way began in the stored bytes, and in the plain ones.
    start: (u64, u64),
}

/// Where a frame lies in the stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Its first byte.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl<W: Write> FrameWriter<W> {
    /// Begins in front of `out`, with `threads` of zstd's own beside the one that writes (0: none).
    pub fn new(out: W, level: Level, threads: u32) -> io::Result<Self> {
        let mut encoder = Encoder::new(level.0)?;
        // Costs next to nothing and lets `zstd -t` find damage, for those who have nothing but a shell.
        encoder.set_parameter(CParameter::ChecksumFlag(true))?;
        if threads > 0 {
            encoder.set_parameter(CParameter::NbWorkers(threads))?;
        }
        let buffer = Vec::with_capacity(CHUNK);
        Ok(Self { encoder, plain: Running::default(), stored: DigestWriter::new(out), buffer, start: (0, 0) })
    }

    /// Bytes written since the frame under way began: where in it the next byte will stand.
    pub fn position_in_frame(&self) -> u64 {
        self.plain.size() - self.start.1
    }

    /// Ends the frame under way, even an empty one, and says where it lies.
    pub fn end_frame(&mut self) -> io::Result<Frame> {
        loop {
            self.buffer.clear();
            let remaining = self.encoder.finish(&mut OutBuffer::around(&mut self.buffer), false)?;
            self.stored.write_all(&self.buffer)?;
            if remaining == 0 {
                break;
            }
        }
        self.encoder.reinit()?;
        let (offset, end) = (self.start.0, self.stored.position());
        self.start = (end, self.plain.size());
        Ok(Frame { offset, length: end - offset })
    }

    /// The writer behind, and the fingerprints of the whole. The last frame must have been ended.
    pub fn into_parts(self) -> (W, Packed) {
        debug_assert_eq!(self.position_in_frame(), 0, "the last frame was not ended");
        let (out, stored) = self.stored.finish();
        (out, Packed { plain: self.plain.fingerprint(), stored, value: () })
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut input = InBuffer::around(buf);
        while input.pos() == 0 && !buf.is_empty() {
            self.buffer.clear();
            self.encoder.run(&mut input, &mut OutBuffer::around(&mut self.buffer))?;
            self.stored.write_all(&self.buffer)?;
        }
        self.plain.update(&buf[..input.pos()]);
        Ok(input.pos())
    }

    /// Does nothing: flushing a compressor in between only makes its output larger.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_can_be_read_alone_and_all_of_them_together() {
        let parts: [&[u8]; 3] = [&b"first ".repeat(100_000), b"", &[7; 3]];
        let mut stored = Vec::new();
        let mut writer = FrameWriter::new(&mut stored, Level::default(), 0).unwrap();
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
            assert_eq!(zstd::decode_all(&stored[range]).unwrap(), part);
        }
        assert_eq!(zstd::decode_all(stored.as_slice()).unwrap(), parts.concat());
    }
}
