//! Private keys to open sealed objects with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ssh_key::{Algorithm, PrivateKey};

use super::{Identity, SealError};
use crate::small_file::read_private;
use crate::text::one_line;

/// The most keys. Each is tried at every object.
const MOST: usize = 64;

const PEM: &str = "-----BEGIN ";
const OPENSSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const SECRET: &str = "AGE-SECRET-KEY-";

/// Private keys, of which one must fit. Cheap to clone. `Debug` prints no key.
#[derive(Clone)]
pub struct Identities {
    keys: Arc<[Key]>,
    /// The identity file. `None` for the keys of chains and of the host.
    file: Option<Arc<Path>>,
}

#[derive(Clone)]
enum Key {
    X25519(Identity),
    Ssh(age::ssh::Identity),
}

impl Identities {
    /// Reads an identity file: one of age-keygen, or an ssh-ed25519 private key without a
    /// passphrase. Only its owner may be able to read it.
    ///
    /// # Errors
    /// [`SealError::File`]; [`SealError::NotIdentity`]; [`SealError::Passphrase`]
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let bytes = read_private(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| not_identity(path, "it is not text"))?;
        Self::parse(path, text)
    }

    /// Parses the content of an identity file.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, SealError> {
        let beginning = text.trim_start();
        let keys = if beginning.starts_with("age-encryption.org/") || beginning.starts_with("-----BEGIN AGE ENCRYPTED")
        {
            return Err(SealError::Passphrase(path.to_owned()));
        } else if beginning.starts_with(OPENSSH) {
            vec![ssh(path, beginning)?]
        } else if beginning.starts_with(PEM) {
            return Err(not_identity(path, "it is a private key in another format than OpenSSH's"));
        } else {
            lines(path, text)?
        };
        Ok(Self { keys: keys.into(), file: Some(path.into()) })
    }

    /// Combines keys of chains, or of the host.
    pub fn of(keys: impl IntoIterator<Item = Identity>) -> Self {
        Self { keys: keys.into_iter().map(Key::X25519).collect(), file: None }
    }

    /// Returns how many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the file that they come from, unless they are keys of chains or of the host.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.file.as_deref().map(Path::to_owned)
    }

    pub(super) fn as_age(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| match key {
            Key::X25519(identity) => &identity.0 as &dyn age::Identity,
            Key::Ssh(identity) => identity,
        })
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("keys", &self.keys.len()).field("file", &self.file).finish()
    }
}

fn not_identity(path: &Path, reason: impl Into<String>) -> SealError {
    SealError::NotIdentity { path: path.to_owned(), reason: reason.into() }
}

/// Reads an SSH key. The type is checked first: age would also take RSA keys.
fn ssh(path: &Path, text: &str) -> Result<Key, SealError> {
    let key = PrivateKey::from_openssh(text.trim()).map_err(|error| not_identity(path, error.to_string()))?;
    if key.is_encrypted() {
        return Err(SealError::Passphrase(path.to_owned()));
    }
    if key.algorithm() != Algorithm::Ed25519 {
        let reason = format!("it is an {} key, and only ssh-ed25519 opens backups", one_line(key.algorithm().as_str()));
        return Err(not_identity(path, reason));
    }
    match age::ssh::Identity::from_buffer(text.as_bytes(), None) {
        Ok(identity @ age::ssh::Identity::Unencrypted(_)) => Ok(Key::Ssh(identity)),
        Ok(_) | Err(_) => Err(not_identity(path, "age does not read it")),
    }
}

/// Reads the lines of an identity file. No line is repeated in an error.
fn lines(path: &Path, text: &str) -> Result<Vec<Key>, SealError> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        match line.parse() {
            Ok(identity) => keys.push(Key::X25519(Identity(identity))),
            Err(_) if line.starts_with("AGE-PLUGIN-") || line.starts_with("AGE-SECRET-KEY-PQ-") => {
                let reason = format!("line {number} needs a plugin of age or a later version of it");
                return Err(not_identity(path, reason));
            }
            Err(_) if line.starts_with(SECRET) => {
                return Err(not_identity(
                    path,
                    format!("the key in line {number} is cut, or a character of it is wrong"),
                ));
            }
            Err(_) if line.starts_with("age1") || line.starts_with("ssh-") => {
                return Err(not_identity(
                    path,
                    format!("line {number} is a public key, and an identity is the private one"),
                ));
            }
            Err(_) => return Err(not_identity(path, format!("line {number} is not a key"))),
        }
        if keys.len() > MOST {
            return Err(not_identity(path, format!("it has more than {MOST} keys")));
        }
    }
    if keys.is_empty() {
        return Err(not_identity(path, "it has no key"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn parsed(text: &str) -> Result<Identities, SealError> {
        Identities::parse(Path::new("/root/recovery.key"), text)
    }

    #[test]
    fn identity_file_has_several_keys() {
        let [one, two] = [(); 2].map(|()| Identity::generate().to_file(Timestamp::UNIX_EPOCH));
        assert_eq!(parsed(&format!("{}\r\n \n{}", *one, *two)).unwrap().len(), 2);
    }

    #[test]
    fn other_files_are_no_identities() {
        let identity = Identity::generate();
        let text = identity.to_file(Timestamp::UNIX_EPOCH);
        let secret = text.lines().last().unwrap();
        for (text, part) in [
            (String::new(), "it has no key"),
            ("# only a comment\n".into(), "it has no key"),
            (format!("# a\n{}", &secret[..40]), "line 2 is cut"),
            (identity.public().to_string(), "is a public key"),
            ("AGE-PLUGIN-YUBIKEY-1QQPQYQCPQC".into(), "needs a plugin"),
            ("hunter2".into(), "line 1 is not a key"),
            ("-----BEGIN RSA PRIVATE KEY-----\n".into(), "another format"),
            (format!("{OPENSSH}\nAAAA\n"), "is not an identity"),
            (format!("{secret}\n").repeat(MOST + 1), "more than 64"),
        ] {
            let error = parsed(&text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
            assert!(!error.contains(&secret[20..40]), "{error}");
        }
        for encrypted in ["age-encryption.org/v1\n-> scrypt", "-----BEGIN AGE ENCRYPTED FILE-----\n"] {
            assert!(matches!(parsed(encrypted), Err(SealError::Passphrase(_))));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let text = Identity::generate().to_file(Timestamp::UNIX_EPOCH);
        let shown = format!("{:?}", parsed(&text).unwrap());
        assert_eq!(shown, "Identities { keys: 1, file: Some(\"/root/recovery.key\") }");
    }
}
