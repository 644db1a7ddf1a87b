//! The key of a chain, sealed to those who restore: `key.age`.

use age::secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::read::open;
use super::write::seal;
use super::{Identities, Identity, Recipient, Recipients, SealError};

/// The most bytes in a `key.age`: two lines of comments and a key.
const LARGEST: u64 = 4096;

/// Returns the content of `key.age`: the key as an identity file, sealed to `to`. By hand,
/// `age -d -i recovery.key key.age` prints it.
///
/// # Errors
/// None that is known; those of the library
pub fn sealed_key(key: &Identity, to: &Recipients) -> Result<Vec<u8>, SealError> {
    let secret = key.0.to_string();
    // No comment with a time: nothing in it tells two chains apart but the key.
    let text = Zeroizing::new(format!("# public key: {}\n{}\n", key.public(), secret.expose_secret()));
    seal(text.as_bytes(), to)
}

/// Opens a `key.age`. `public` is what the signed manifest says of it: every writer of the
/// repository could seal another key to the same recipients.
///
/// # Errors
/// [`SealError::WrongIdentity`] or [`SealError::UnknownKey`] if no key in `with` opens it;
/// [`SealError::OtherKey`] if it contains another key than `public`; [`SealError::NoKey`]; those of
/// damage
pub fn open_key(bytes: &[u8], with: &Identities, public: &Recipient) -> Result<Identity, SealError> {
    let text = open(bytes, with, LARGEST)?;
    let text = str::from_utf8(&text).map_err(|_| SealError::NoKey)?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(SealError::NoKey) };
    let key = Identity(line.parse().map_err(|_| SealError::NoKey)?);
    match key.public() {
        found if found == *public => Ok(key),
        found => Err(SealError::OtherKey { expected: public.key(), found: found.key() }),
    }
}
