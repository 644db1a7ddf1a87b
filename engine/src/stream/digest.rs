//! Computes SHA-256 digests of streams.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

/// A SHA-256 digest; 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(into = "String", try_from = "String")]
#[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A text that is not a [`Digest`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a SHA-256 digest of 64 hexadecimal digits")]
pub struct InvalidDigest(String);

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let invalid = || InvalidDigest(text.to_owned());
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

/// What identifies a sequence of bytes: its length and its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Length in bytes.
    pub size: u64,
    /// The SHA-256 digest of the bytes.
    pub sha256: Digest,
}

impl Fingerprint {
    /// Returns the fingerprint of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: Digest::of(bytes) }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with SHA-256 {}", self.size, self.sha256)
    }
}

/// A fingerprint that is being computed.
#[derive(Clone, Default)]
pub(crate) struct Running {
    size: u64,
    hasher: Sha256,
}

impl Running {
    /// Returns the bytes so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    /// Returns the fingerprint of everything that was taken.
    pub(crate) fn fingerprint(self) -> Fingerprint {
        Fingerprint { size: self.size, sha256: Digest(self.hasher.finalize().into()) }
    }
}

/// Passes writes on, and fingerprints them.
pub(crate) struct DigestWriter<W> {
    inner: W,
    seen: Running,
}

impl<W: Write> DigestWriter<W> {
    /// Starts with `inner` as the writer behind.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, seen: Running::default() }
    }

    /// Returns the bytes written so far.
    pub(crate) fn position(&self) -> u64 {
        self.seen.size
    }

    /// Returns the inner writer, and the fingerprint of everything that was written.
    pub(crate) fn finish(self) -> (W, Fingerprint) {
        (self.inner, self.seen.fingerprint())
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buf)?;
        self.seen.update(&buf[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Passes reads on, and fingerprints them.
pub(crate) struct DigestReader<R> {
    inner: R,
    seen: Running,
}

impl<R: Read> DigestReader<R> {
    /// Starts with `inner` as the reader behind.
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, seen: Running::default() }
    }

    /// Returns a reference to the inner reader.
    pub(crate) fn get_ref(&self) -> &R {
        &self.inner
    }

    /// Returns the inner reader.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }

    /// Returns the bytes read so far.
    pub(crate) fn position(&self) -> u64 {
        self.seen.size
    }

    /// Returns the fingerprint of everything that was read so far.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.seen.clone().fingerprint()
    }
}

impl<R: Read> Read for DigestReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.seen.update(&buf[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example for "abc" of FIPS 180-4.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digest_round_trips_as_text() {
        assert_eq!(Digest::of(b"abc").to_string(), ABC);
        assert_eq!(ABC.parse::<Digest>().unwrap(), Digest::of(b"abc"));
        for wrong in ["", "ba78", &ABC.replace('b', "g"), &format!("+{}", &ABC[1..]), &format!("{ABC}00")] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn reader_and_writer_agree() {
        let mut writer = DigestWriter::new(Vec::new());
        writer.write_all(b"a").unwrap();
        writer.write_all(b"bc").unwrap();
        let (bytes, written) = writer.finish();
        let mut reader = DigestReader::new(bytes.as_slice());
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.fingerprint(), written);
        assert_eq!(written, Fingerprint::of(b"abc"));
    }
}
