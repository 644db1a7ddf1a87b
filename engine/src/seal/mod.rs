//! Seals objects so that only who holds a key can read them, in the format of the program `age`.
//!
//! ```text
//! write:  bytes → SealWriter → bytes for the store          (to recipients)
//! read:   bytes of the store → OpenReader → bytes           (with identities)
//! ```
//!
//! A *recipient* is a public key, an *identity* a private one. A chain of backups has a key of its
//! own, an [`Identity`] that is drawn, sealed to the operator's recipients as `key.age`, and
//! forgotten. The chain's objects are sealed to its public half.
//!
//! Age authenticates each 64 KiB before it returns a byte of it, and says nothing of who sealed:
//! every writer knows the recipients. So what was opened must still be compared with a digest in a
//! signed manifest.
//!
//! This module knows neither manifests nor the repository. Everything blocks:
//! `stream::seal` and `stream::decode_sealed` run it on threads.
//! `docs/decisions/0018-signed-and-sealed.md` has the reasons.

mod chain;
mod error;
mod header;
mod identities;
mod identity;
mod range;
mod read;
mod recipient;
mod write;

pub use chain::{open_key, sealed_key};
pub use error::SealError;
pub use header::Kinds;
pub use identities::Identities;
pub use identity::Identity;
pub use range::stored_range;
pub use read::{OpenReader, open};
pub use recipient::{Recipient, Recipients, RecipientsError, Refused};
pub use write::{SealWriter, seal};

/// The end of the names of sealed objects.
pub const SEALED: &str = ".age";

#[cfg(test)]
mod tests;
