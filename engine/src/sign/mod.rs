//! Says who made a document: signatures of SSH keys, as `ssh-keygen -Y` makes and verifies them.
//!
//! ```text
//! sign:    manifest.json → SSH signature → manifest.<16 digits>.sig
//! verify:  manifest.json, .sig, signers file, instance, time of the backup → verdict
//! ```
//!
//! Keys are Ed25519. The signers file is the `allowed_signers` of ssh-keygen(1), with instances as
//! principals. A signature says nothing of when it was made, so a key's time of validity is
//! compared with the time of the backup's id.
//!
//! This module knows neither manifests nor the repository.
//! `docs/decisions/0018-signed-and-sealed.md` has the reasons.

mod key;
mod line;
mod patterns;
mod signers;
mod time;
mod verdict;

use std::fmt;

pub use key::{SignError, SigningKey};
pub use signers::{Claim, Problem, Signers, SignersError};
pub use verdict::{Distrust, Doubt, SignedBy, Verdict};

use crate::stream::Digest;

/// What a signature is for. A signature for one purpose is none for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// `manifest.json`
    Manifest,
    /// The record that a restored copy was verified.
    Proof,
    /// The figures that an operator accepted.
    Accepted,
}

impl Namespace {
    /// Returns the namespace as `ssh-keygen -n` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "odoo-backup-manifest@1",
            Self::Proof => "odoo-backup-proof@1",
            Self::Accepted => "odoo-backup-accepted@1",
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const BEGINNING: &str = "manifest.";
const END: &str = ".sig";
/// How many digits of the SHA-256 are in a name.
const DIGITS: usize = 16;

/// Returns the name of the signature over a manifest with these bytes, in the backup's folder:
/// `manifest.ba7816bf8f01cfea.sig`.
///
/// A manifest that is rewritten has another signature, so that both can be stored at once.
pub fn signature_name(manifest: &[u8]) -> String {
    let digest = Digest::of(manifest).to_string();
    format!("{BEGINNING}{}{END}", &digest[..DIGITS])
}

/// Returns whether an object of this name is the signature over a manifest.
pub fn is_signature_name(name: &str) -> bool {
    let digits = name.strip_prefix(BEGINNING).and_then(|rest| rest.strip_suffix(END));
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(is_digit))
}

#[cfg(test)]
mod tests;
