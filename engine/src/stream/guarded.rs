//! Compares stored bytes with their digests before zstd sees them.

use std::io::{self, Read};

use super::decode::{Mismatch, invalid};
use super::{Digest, FramePart};

/// Stored bytes, each zstd frame of which is passed on only if its digest is right. Without parts,
/// everything is passed on as it is.
pub(crate) struct Guarded<R> {
    inner: R,
    parts: Vec<FramePart>,
    /// The number of the next frame.
    next: usize,
    /// The current frame, and how much of it was passed on.
    frame: Vec<u8>,
    passed: usize,
}

impl<R: Read> Guarded<R> {
    /// Starts with `inner` as the bytes of these frames.
    pub(crate) fn new(inner: R, parts: Vec<FramePart>) -> Self {
        Self { inner, parts, next: 0, frame: Vec::new(), passed: 0 }
    }

    /// Returns the stored bytes.
    pub(super) fn source(&self) -> &R {
        &self.inner
    }

    /// Returns the stored bytes, positioned after what was read of them.
    pub(super) fn into_source(self) -> R {
        self.inner
    }

    fn read_frame(&mut self, part: FramePart) -> io::Result<()> {
        self.frame.clear();
        self.passed = 0;
        (&mut self.inner).take(part.length).read_to_end(&mut self.frame)?;
        let found = Digest::of(&self.frame);
        match found == part.sha256 {
            true => Ok(()),
            false => {
                self.frame.clear();
                Err(invalid(Mismatch::Frame { number: self.next, expected: part.sha256, found }))
            }
        }
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.passed == self.frame.len()
            && let Some(part) = self.parts.get(self.next)
        {
            self.read_frame(*part)?;
            self.next += 1;
        }
        match &self.frame[self.passed..] {
            // After the last frame, the reader finds out whether more follows.
            [] => self.inner.read(buf),
            rest => {
                let length = rest.len().min(buf.len());
                buf[..length].copy_from_slice(&rest[..length]);
                self.passed += length;
                Ok(length)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(frames: &[&[u8]]) -> Vec<FramePart> {
        frames.iter().map(|frame| FramePart { length: frame.len() as u64, sha256: Digest::of(frame) }).collect()
    }

    fn passed(stored: &[u8], parts: Vec<FramePart>) -> (Vec<u8>, io::Result<()>) {
        let mut passed = Vec::new();
        let result = Guarded::new(stored, parts).read_to_end(&mut passed).map(drop);
        (passed, result)
    }

    #[test]
    fn right_frames_are_passed_on() {
        let (all, result) = passed(b"first second", parts(&[b"first ", b"second"]));
        assert!(result.is_ok() && all == b"first second");
        let (all, result) = passed(b"anything", Vec::new());
        assert!(result.is_ok() && all == b"anything");
    }

    #[test]
    fn no_byte_of_wrong_frame_passes() {
        for (stored, before) in [
            (&b"first changed"[..], &b"first "[..]),
            (b"Another second", b""),
            (b"first seco", b"first "),
            (b"first ", b"first "),
            (b"", b""),
        ] {
            let (all, result) = passed(stored, parts(&[b"first ", b"second"]));
            let error = result.unwrap_err();
            assert!(error.get_ref().is_some_and(|inner| inner.is::<Mismatch>()), "{error}");
            assert_eq!(all, before);
        }
    }
}
