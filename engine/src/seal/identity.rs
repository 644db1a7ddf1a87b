//! A private key of age: a recovery identity, a host's own key, or the key of a chain.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use age::secrecy::ExposeSecret;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Recipient;
use crate::folder::{Durability, write_new};

/// A private key of age's own kind, X25519. `Debug` prints its public half alone, and dropping it
/// overwrites it.
#[derive(Clone)]
pub struct Identity(pub(super) age::x25519::Identity);

impl Identity {
    /// Draws a key.
    ///
    /// # Panics
    /// If the operating system has no random bytes
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Returns the public half.
    pub fn public(&self) -> Recipient {
        Recipient::of(self.0.to_public())
    }

    /// Returns the text of an identity file, as age-keygen writes it.
    pub fn to_file(&self, created: Timestamp) -> Zeroizing<String> {
        let created = created.strftime("%Y-%m-%dT%H:%M:%SZ");
        let (public, secret) = (self.public(), self.0.to_string());
        Zeroizing::new(format!("# created: {created}\n# public key: {public}\n{}\n", secret.expose_secret()))
    }

    /// Writes a new identity file, which only its owner can read; as root, that is the owner of the
    /// folder.
    ///
    /// # Errors
    /// Those of the operating system; [`io::ErrorKind::AlreadyExists`] if the name is taken: a key
    /// is never overwritten
    pub fn create(&self, path: &Path, created: Timestamp) -> io::Result<()> {
        let text = self.to_file(created);
        write_new(path, Durability::Flushed, |file| file.write_all(text.as_bytes())).map(drop)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn file_has_form_of_program() {
        let identity = Identity::generate();
        let text = identity.to_file("2026-11-21T02:00:03.5Z".parse().unwrap());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], ["# created: 2026-11-21T02:00:03Z", &format!("# public key: {}", identity.public())]);
        assert!(lines[2].starts_with("AGE-SECRET-KEY-1") && lines.len() == 3);
    }

    #[test]
    fn debug_hides_key() {
        let identity = Identity::generate();
        assert_eq!(format!("{identity:?}"), format!("Identity({})", identity.public()));
    }

    #[test]
    fn file_is_private_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recovery.key");
        let identity = Identity::generate();
        identity.create(&path, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let taken = Identity::generate().create(&path, Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert!(std::fs::read_to_string(&path).unwrap().contains(&identity.public().to_string()));
    }
}
