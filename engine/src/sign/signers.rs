//! Reads the signers file, and compares signatures with it.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ssh_key::{Algorithm, Error as SshError, LineEnding, PublicKey, SshSig};

use super::Namespace;
use super::key::fingerprint;
use super::line::{self, Line};
use super::verdict::{Distrust, Doubt, SignedBy, Verdict};
use crate::small_file;
use crate::text::one_line;

/// The limits of a signers file: more than any company has, and read in a moment.
const LARGEST_FILE: usize = 256 * 1024;
const LONGEST_LINE: usize = 4096;
const MOST_PROBLEMS: usize = 20;
/// The most bytes of a signature. One by an Ed25519 key has some 300; one by an RSA key, which is
/// named in the answer, 1600.
const LARGEST_SIGNATURE: usize = 4096;

/// Why there are no signers.
#[derive(Debug, thiserror::Error)]
pub enum SignersError {
    /// The operating system refused to read the file.
    #[error("unable to read the signers file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Other users can change the file.
    #[error("the signers file {} was not used, because other users can change it (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Lines of the file are wrong.
    #[error("the signers file {} is wrong: {}", path.display(), Listed(.problems))]
    Problems {
        /// The file.
        path: PathBuf,
        /// What is wrong, by line.
        problems: Vec<Problem>,
    },
}

impl SignersError {
    /// Returns what the operator can do, if that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("correct `signers_file`, or make the file with `odoo-backup init`".into())
            }
            Self::Io { .. } => None,
            Self::Exposed { path, .. } => {
                Some(format!("run `chmod go-w {}` and look at each line of it", path.display()))
            }
            Self::Problems { .. } => {
                Some("correct the lines; ssh-keygen(1) describes the form under ALLOWED SIGNERS".into())
            }
        }
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The number of the line, from 1 on. 0 stands for the whole file.
    pub line: usize,
    /// What is wrong, printable.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// The keys of a signers file.
#[derive(Debug, Clone)]
pub struct Signers(Vec<(usize, Line)>);

/// A document, and what its signature must say.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// What the document is.
    pub namespace: Namespace,
    /// The instance that it belongs to.
    pub instance: &'a str,
    /// The time of the backup's id. `None` if that is no time.
    pub at: Option<Timestamp>,
    /// The exact bytes of the document.
    pub bytes: &'a [u8],
}

impl Signers {
    /// Reads a signers file, which other users must not be able to change. Times without a zone are
    /// those of this machine.
    ///
    /// # Errors
    /// [`SignersError`]
    pub fn load(path: &Path) -> Result<Self, SignersError> {
        let failed = |source| SignersError::Io { path: path.to_owned(), source };
        let (bytes, metadata) = small_file::read_with_metadata(path).map_err(failed)?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(SignersError::Exposed { path: path.to_owned(), mode });
        }
        Self::parse(&bytes, &TimeZone::system())
            .map_err(|problems| SignersError::Problems { path: path.to_owned(), problems })
    }

    /// Parses a signers file. Times without a zone are in `zone`.
    ///
    /// # Errors
    /// All problems, the first 20 by line. A file with a problem is not used at all: a line that
    /// was misread could be the one that revokes a key.
    pub fn parse(bytes: &[u8], zone: &TimeZone) -> Result<Self, Vec<Problem>> {
        if bytes.len() > LARGEST_FILE {
            let what = format!("it has more than {LARGEST_FILE} bytes");
            return Err(vec![Problem { line: 0, what }]);
        }
        let (mut signers, mut problems) = (Vec::new(), Vec::new());
        for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            match parsed(text, zone) {
                Ok(found) => signers.extend(found.map(|line| (number, line))),
                Err(what) => problems.push(Problem { line: number, what }),
            }
        }
        if problems.is_empty() && signers.is_empty() {
            problems.push(Problem { line: 0, what: "it names no key, so every backup would be untrusted".into() });
        }
        if problems.len() > MOST_PROBLEMS {
            let more = problems.split_off(MOST_PROBLEMS).len();
            problems.push(Problem { line: 0, what: format!("and {more} more") });
        }
        if problems.is_empty() { Ok(Self(signers)) } else { Err(problems) }
    }

    /// Says whether a configured signer made a document. `signature` is the content of its
    /// signature object, or `None` if there is no such object.
    pub fn judge(&self, claim: &Claim<'_>, signature: Option<&[u8]>) -> Verdict {
        let Some(signature) = signature else { return Verdict::Untrusted(Distrust::Unsigned) };
        match read_signature(signature) {
            Ok(signature) => self.judge_read(claim, &signature),
            Err(verdict) => verdict,
        }
    }

    fn judge_read(&self, claim: &Claim<'_>, signature: &SshSig) -> Verdict {
        let Claim { namespace, instance, at, bytes } = *claim;
        if signature.namespace() != namespace.as_str() {
            let found = signature.namespace().chars().take(100).collect();
            return Verdict::Untrusted(Distrust::OtherNamespace { found, expected: namespace });
        }
        let signed_with = PublicKey::from(signature.public_key().clone());
        let key = fingerprint(&signed_with);
        if signed_with.verify(namespace.as_str(), bytes, signature).is_err() {
            return Verdict::Untrusted(Distrust::OtherBytes { key });
        }
        let lines = self.0.iter().filter(|(_, line)| line.key.key_data() == signed_with.key_data());
        let (mut refused, mut doubt, mut others) = (Distrust::UnknownKey { key: key.clone() }, None, Vec::new());
        for (number, line) in lines {
            if !line.principals.accept(instance) {
                others.push(line.principals.to_string());
                continue;
            }
            match allows(line, namespace, at, &key) {
                Ok(()) => {
                    let (comment, principals) = (line.key.comment().to_owned(), line.principals.to_string());
                    return Verdict::Trusted(SignedBy { key, comment, principals, line: *number });
                }
                Err(Refusal::Doubt(why)) => doubt = Some(why),
                Err(Refusal::Distrust(why)) if why.nearness() >= refused.nearness() => refused = why,
                Err(Refusal::Distrust(_)) => {}
            }
        }
        match doubt {
            Some(doubt) => Verdict::Unknown(doubt),
            None if refused.nearness() == 0 && !others.is_empty() => {
                let (principals, instance) = (others.join(" and "), one_line(instance).into_owned());
                Verdict::Untrusted(Distrust::OtherInstance { key, principals, instance })
            }
            None => Verdict::Untrusted(refused),
        }
    }
}

fn parsed(text: &[u8], zone: &TimeZone) -> Result<Option<Line>, String> {
    if text.len() > LONGEST_LINE {
        return Err(format!("it is longer than {LONGEST_LINE} bytes"));
    }
    line::parse(std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?, zone)
}

enum Refusal {
    Distrust(Distrust),
    Doubt(Doubt),
}

/// Returns why a line that names key and instance does not let the key sign this.
fn allows(line: &Line, namespace: Namespace, at: Option<Timestamp>, key: &str) -> Result<(), Refusal> {
    let key = || key.to_owned();
    if let Some(namespaces) = line.namespaces.as_ref().filter(|patterns| !patterns.accept(namespace.as_str())) {
        let namespaces = namespaces.to_string();
        return Err(Refusal::Distrust(Distrust::NotFor { key: key(), namespaces, expected: namespace }));
    }
    if line.after.is_none() && line.before.is_none() {
        return Ok(());
    }
    let at = at.ok_or_else(|| Refusal::Doubt(Doubt::NoTime { key: key() }))?;
    // Seconds, as ssh-keygen compares them: both ends belong to the validity.
    if let Some(after) = line.after.filter(|after| at.as_second() < after.as_second()) {
        return Err(Refusal::Distrust(Distrust::NotYetValid { key: key(), after, at }));
    }
    if let Some(before) = line.before.filter(|before| at.as_second() > before.as_second()) {
        return Err(Refusal::Distrust(Distrust::Expired { key: key(), before, at }));
    }
    Ok(())
}

/// Reads a signature in the one form that ssh-keygen and this program write.
fn read_signature(bytes: &[u8]) -> Result<SshSig, Verdict> {
    let malformed = |why: String| Verdict::Untrusted(Distrust::Malformed(why));
    if bytes.len() > LARGEST_SIGNATURE {
        return Err(malformed(format!(
            "it has {} bytes, and a signature has at most {LARGEST_SIGNATURE}",
            bytes.len()
        )));
    }
    let signature = SshSig::from_pem(bytes).map_err(|error| match error {
        SshError::Version { number } => Verdict::Unknown(Doubt::NewerSignature(number)),
        SshError::AlgorithmUnknown | SshError::AlgorithmUnsupported { .. } => {
            Verdict::Untrusted(Distrust::OtherAlgorithm)
        }
        other => malformed(format!("it cannot be read ({other})")),
    })?;
    if signature.public_key().algorithm() != Algorithm::Ed25519 || signature.algorithm() != Algorithm::Ed25519 {
        return Err(Verdict::Untrusted(Distrust::OtherAlgorithm));
    }
    // The parser accepts text around it, lengths within it that are too great, and version 0.
    let written = signature.to_pem(LineEnding::LF).unwrap_or_default();
    if signature.version() != SshSig::VERSION || written.trim_end().as_bytes() != bytes.trim_ascii_end() {
        return Err(malformed("it is not written as ssh-keygen writes it".into()));
    }
    Ok(signature)
}
