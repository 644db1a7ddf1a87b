//! The key that signs.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ssh_key::private::Ed25519Keypair;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::Namespace;
use crate::folder::{Durability, write_new};
use crate::small_file::{PrivateFileError, read_private};
use crate::text::one_line;

/// The end of the name of a key's public half, as ssh-keygen chooses it.
const PUBLIC: &str = ".pub";

/// Why there is no signing key, or no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The file was not read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file contains something else.
    #[error("{} is not a private key in OpenSSH's format: {reason}", path.display())]
    NotKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is encrypted.
    #[error("the signing key {} has a passphrase, which a program without a terminal cannot ask for", .0.display())]
    Passphrase(PathBuf),
    /// The key is of another type than Ed25519.
    #[error("the signing key {} is an {algorithm} key: only ssh-ed25519 signs backups", path.display())]
    OtherType {
        /// The file.
        path: PathBuf,
        /// `ssh-rsa`
        algorithm: String,
    },
    /// A new key would replace a file.
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    /// A new key could not be written.
    #[error("unable to create {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The operating system has no random bytes.
    #[error("unable to draw a signing key: {0}")]
    Random(getrandom::Error),
    /// The library failed.
    #[error("unable to sign with the key {key}: {reason}")]
    Failed {
        /// Its fingerprint.
        key: String,
        /// What the library says.
        reason: String,
    },
}

impl SignError {
    /// Returns what the operator can do, if that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.hint(),
            Self::NotKey { .. } | Self::OtherType { .. } => {
                "make a key with `ssh-keygen -t ed25519 -N '' -f FILE`, and add its public half to the signers file"
                    .into()
            }
            Self::Passphrase(path) => format!(
                "make a key of its own for odoo-backup, without a passphrase: `ssh-keygen -t ed25519 -N '' -f FILE`; \
                 leave {} as it is",
                path.display()
            ),
            Self::Exists(_) => {
                "choose another name: a key is never overwritten, because backups may be signed with it".into()
            }
            Self::Create { source, path } => return crate::folder::hint_of(source, path),
            Self::Random(_) | Self::Failed { .. } => return None,
        })
    }
}

/// A private key that signs backups. `Debug` prints its fingerprint alone, and dropping it
/// overwrites it.
#[derive(Clone)]
pub struct SigningKey(PrivateKey);

impl SigningKey {
    /// Draws a key.
    ///
    /// # Errors
    /// [`SignError::Random`]
    pub fn generate(comment: &str) -> Result<Self, SignError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(SignError::Random)?;
        let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        key.set_comment(one_line(comment));
        Ok(Self(key))
    }

    /// Draws a key and writes both halves: the private one to `path`, the public one to that name
    /// with `.pub` appended. Both are readable by their owner alone; as root, that is the owner of
    /// the folder.
    ///
    /// # Errors
    /// [`SignError::Exists`] if either name is taken; [`SignError::Create`]; [`SignError::Random`]
    pub fn create(path: &Path, comment: &str) -> Result<Self, SignError> {
        let mut public = path.as_os_str().to_owned();
        public.push(PUBLIC);
        let public = PathBuf::from(public);
        if public.symlink_metadata().is_ok() {
            return Err(SignError::Exists(public));
        }
        let key = Self::generate(comment)?;
        let private = key.0.to_openssh(LineEnding::LF).map_err(|error| key.failed(&error))?;
        write(path, private.as_bytes())?;
        write(&public, format!("{}\n", key.public()).as_bytes())?;
        Ok(key)
    }

    /// Reads a key from a file that only its owner may read.
    ///
    /// # Errors
    /// [`SignError`], but not [`SignError::Exists`] and [`SignError::Create`]
    pub fn load(path: &Path) -> Result<Self, SignError> {
        Self::parse(path, &read_private(path)?)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SignError> {
        let not_key = |reason: String| SignError::NotKey { path: path.to_owned(), reason };
        if bytes.starts_with(b"ssh-") {
            return Err(not_key("it is a public key".into()));
        }
        let key = PrivateKey::from_openssh(bytes.trim_ascii()).map_err(|error| not_key(error.to_string()))?;
        if key.is_encrypted() {
            return Err(SignError::Passphrase(path.to_owned()));
        }
        match key.algorithm() {
            Algorithm::Ed25519 => Ok(Self(key)),
            other => {
                Err(SignError::OtherType { path: path.to_owned(), algorithm: one_line(other.as_str()).into_owned() })
            }
        }
    }

    /// Returns the public half in one line: `ssh-ed25519 AAAA… comment`.
    pub fn public(&self) -> String {
        line_of(self.0.public_key())
    }

    /// Returns the fingerprint, as `ssh-keygen -l` shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.0.public_key())
    }

    /// Returns a line for the signers file that lets this key sign backups of the instances that
    /// `principals` matches, such as `*`.
    pub fn signers_line(&self, principals: &str) -> String {
        format!("{principals} namespaces=\"odoo-backup-*\" {}", self.public())
    }

    /// Signs bytes. Returns the signature as `ssh-keygen -Y sign` writes it.
    ///
    /// # Errors
    /// [`SignError::Failed`]
    pub fn sign(&self, namespace: Namespace, bytes: &[u8]) -> Result<String, SignError> {
        let signature = self.0.sign(namespace.as_str(), HashAlg::Sha512, bytes);
        signature.and_then(|signature| signature.to_pem(LineEnding::LF)).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &ssh_key::Error) -> SignError {
        SignError::Failed { key: self.fingerprint(), reason: error.to_string() }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.fingerprint())
    }
}

/// Returns the fingerprint of a public key, as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Returns a public key in one line.
fn line_of(key: &PublicKey) -> String {
    // Writing into memory cannot fail, and the parts were read before.
    key.to_openssh().unwrap_or_default()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), SignError> {
    match write_new(path, Durability::Flushed, |file| file.write_all(bytes)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(SignError::Exists(path.to_owned())),
        Err(source) => Err(SignError::Create { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn created_key_loads_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        let key = SigningKey::create(&path, "odoo-backup of shop\u{1b}[2J").unwrap();
        let loaded = SigningKey::load(&path).unwrap();
        assert_eq!(loaded.public(), key.public());
        assert!(key.public().ends_with(r" odoo-backup of shop\u{1b}[2J"), "{}", key.public());
        let public = fs::read_to_string(folder.path().join("signing.key.pub")).unwrap();
        assert_eq!(public, format!("{}\n", key.public()));
        assert_ne!(SigningKey::generate("").unwrap().fingerprint(), key.fingerprint());
    }

    #[test]
    fn existing_halves_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        SigningKey::create(&path, "").unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(SigningKey::create(&path, ""), Err(SignError::Exists(_))));
        fs::rename(&path, folder.path().join("other")).unwrap();
        let refused = SigningKey::create(&path, "").unwrap_err();
        assert!(matches!(&refused, SignError::Exists(taken) if taken.ends_with("signing.key.pub")), "{refused}");
        assert!(!path.exists(), "no half of a pair");
        assert_eq!(fs::read(folder.path().join("other")).unwrap(), before);
    }

    #[test]
    fn readable_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        SigningKey::create(&path, "").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = SigningKey::load(&path).unwrap_err();
        assert!(matches!(refused, SignError::File(PrivateFileError::Exposed { .. })), "{refused}");
    }

    #[test]
    fn debug_hides_key() {
        let key = SigningKey::generate("").unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.fingerprint()));
    }

    #[test]
    fn other_files_are_no_keys() {
        let key = SigningKey::generate("").unwrap();
        let private = key.0.to_openssh(LineEnding::LF).unwrap();
        let path = Path::new("/etc/odoo-backup/signing.key");
        for wrong in ["", "-----BEGIN RSA PRIVATE KEY-----\n", &private[..200], &key.public()] {
            let refused = SigningKey::parse(path, wrong.as_bytes()).unwrap_err();
            assert!(matches!(refused, SignError::NotKey { .. }), "{refused}");
        }
        assert!(SigningKey::parse(path, format!("{}\n\n", *private).as_bytes()).is_ok());
    }
}
