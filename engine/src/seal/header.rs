//! The header of a sealed object: to whom it is sealed.
//!
//! ```text
//! age-encryption.org/v1
//! -> X25519 …            for each recipient: type and arguments, then lines of base64
//! …
//! --- …                  a code that shows whether the header was changed
//! ```
//!
//! Age reads a header of any length, in a time that grows with its square. So it is read here up to
//! a limit, and then handed to age. <https://c2sp.org/age>

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use super::SealError;
use crate::text::counted;

/// A header for 32 recipients has some 4 KiB.
const LARGEST: usize = 16 * 1024;

const MAGIC: &[u8] = b"age-encryption.org/";
const VERSION: &[u8] = b"v1";

/// A complete header.
#[derive(Debug)]
pub(crate) struct Header {
    /// Its bytes, up to the end of its last line.
    pub(super) bytes: Vec<u8>,
    /// To what it is sealed.
    pub(super) kinds: Kinds,
}

impl Header {
    /// Reads a header, and not a byte more.
    pub(crate) fn read(from: &mut impl Read) -> Result<Self, SealError> {
        let mut header = Self { bytes: Vec::new(), kinds: Kinds::default() };
        let first = header.line(from)?;
        let version = first.strip_prefix(MAGIC).ok_or(SealError::NotSealed)?;
        if version != VERSION {
            return Err(SealError::NewerFormat);
        }
        loop {
            let line = header.line(from)?;
            if line.starts_with(b"---") {
                return Ok(header);
            }
            if let Some(arguments) = line.strip_prefix(b"-> ") {
                header.kinds.add(arguments.split(|byte| *byte == b' ').next().unwrap_or_default())?;
            }
        }
    }

    /// Reads the next line. Returns it without its end.
    fn line(&mut self, from: &mut impl Read) -> Result<Vec<u8>, SealError> {
        let start = self.bytes.len();
        let mut byte = [0];
        loop {
            match from.read(&mut byte) {
                Ok(0) if self.bytes.len() < MAGIC.len() || !self.bytes.starts_with(MAGIC) => {
                    return Err(SealError::NotSealed);
                }
                Ok(0) => return Err(SealError::Truncated),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SealError::Io(error)),
            }
            if byte[0] == b'\n' {
                let line = self.bytes[start..].to_vec();
                self.bytes.push(b'\n');
                return Ok(line);
            }
            self.bytes.push(byte[0]);
            // What is not sealed is not read to the end of its first line, which may be far.
            let compared = self.bytes.len().min(MAGIC.len());
            if self.bytes[..compared] != MAGIC[..compared] {
                return Err(SealError::NotSealed);
            }
            if self.bytes.len() >= LARGEST {
                return Err(SealError::Header("it is longer than it can be"));
            }
        }
    }
}

/// Kinds of keys that something is sealed to, for a message: `2 X25519 keys and 1 ssh-ed25519 key`.
/// Which keys they are, age does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds(BTreeMap<&'static str, u64>);

impl Kinds {
    fn add(&mut self, kind: &[u8]) -> Result<(), SealError> {
        let known = match kind {
            b"X25519" => "X25519 key",
            b"ssh-ed25519" => "ssh-ed25519 key",
            b"ssh-rsa" => "ssh-rsa key",
            b"scrypt" => return Err(SealError::SealedByPassphrase),
            // Age adds an entry that means nothing, so that readers keep ignoring what is new.
            kind if kind.ends_with(b"-grease") => return Ok(()),
            _ => "other key",
        };
        *self.0.entry(known).or_default() += 1;
        Ok(())
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no key");
        }
        for (index, (kind, count)) in self.0.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { " and " }, counted(*count, kind))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Header, SealError> {
        Header::read(&mut text.as_bytes())
    }

    #[test]
    fn header_ends_at_its_last_line() {
        let text = "age-encryption.org/v1\n-> X25519 a\nbody\n-> X25519 b\nbody\n-> ssh-ed25519 c d\nbody\n-> q-grease\n\n--- mac\n";
        let mut bytes = &*format!("{text}payload").into_bytes();
        let header = Header::read(&mut bytes).unwrap();
        assert_eq!((header.bytes.as_slice(), bytes), (text.as_bytes(), b"payload".as_slice()));
        assert_eq!(header.kinds.to_string(), "2 X25519 keys and 1 ssh-ed25519 key");
    }

    #[test]
    fn other_content_is_not_sealed() {
        for text in ["", "age", "age-encryption.org", "PGDMP", &"a".repeat(1 << 20), "\n", "age-encryption.com/v1\n"] {
            assert!(matches!(read(text), Err(SealError::NotSealed)), "{text:.30}");
        }
        for text in ["age-encryption.org/v2\n", "age-encryption.org/\n"] {
            assert!(matches!(read(text), Err(SealError::NewerFormat)), "{text}");
        }
        let by_passphrase = "age-encryption.org/v1\n-> scrypt c2FsdA 18\nbody\n--- mac\n";
        assert!(matches!(read(by_passphrase), Err(SealError::SealedByPassphrase)));
    }

    #[test]
    fn header_is_cut_or_endless() {
        for text in ["age-encryption.org/", "age-encryption.org/v1\n", "age-encryption.org/v1\n-> X25519 a\n--- mac"] {
            assert!(matches!(read(text), Err(SealError::Truncated)), "{text}");
        }
        let endless = [
            format!("age-encryption.org/v1\n{}", "-> a\n".repeat(100_000)),
            format!("age-encryption.org/{}", "v".repeat(1 << 20)),
        ];
        for text in endless {
            assert!(matches!(read(&text), Err(SealError::Header(_))));
        }
    }
}
