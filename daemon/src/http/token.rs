//! The token that clients show, and the sessions of browsers that have shown it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::ListenError;

/// A token that is shorter can be guessed.
const SHORTEST: usize = 16;
/// How long a browser stays signed in.
pub(super) const SESSION: SignedDuration = SignedDuration::from_hours(12);
/// The most sessions; the oldest end first.
const MOST_SESSIONS: usize = 256;

/// SHA-256 of the token, so that the token itself cannot be printed by accident.
#[derive(Clone, Copy)]
pub(super) struct Token([u8; 32]);

impl Token {
    /// Reads the file that holds it, but for its line end.
    pub(super) fn read(path: &Path) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Token { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        if std::fs::metadata(path).map_err(failed)?.mode() & 0o007 != 0 {
            let path = path.display();
            tracing::warn!("every user of this machine can read the token; fix it with `chmod o= {path}`");
        }
        let token = text.trim_end_matches(['\r', '\n']);
        if token.len() < SHORTEST || token.contains(|char: char| !char.is_ascii_graphic()) {
            return Err(ListenError::BadToken { path: path.to_owned(), shortest: SHORTEST });
        }
        Ok(Self(digest(token)))
    }

    /// Returns whether it is this token, in a time that does not depend on the argument.
    pub(super) fn is(&self, shown: &str) -> bool {
        self.0.ct_eq(&digest(shown)).into()
    }
}

/// Browsers that are signed in. They are only in memory, so that a sign-out reliably ends a
/// session.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Timestamp>>);

impl Sessions {
    /// Starts a session; returns the value of the cookie, which is not stored.
    pub(super) fn begin(&self, now: Timestamp) -> Result<String, getrandom::Error> {
        let id = random_id()?;
        let mut sessions = self.lock();
        sessions.retain(|_, ends| *ends > now);
        if sessions.len() >= MOST_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, ends)| **ends).map(|(id, _)| *id);
            oldest.and_then(|oldest| sessions.remove(&oldest));
        }
        sessions.insert(digest(&id), now.saturating_add(SESSION).unwrap_or(now));
        Ok(id)
    }

    /// Returns whether this session exists now. Finds it by its digest, so that the time reveals
    /// nothing about others.
    pub(super) fn has(&self, id: &str, now: Timestamp) -> bool {
        self.lock().get(&digest(id)).is_some_and(|ends| *ends > now)
    }

    pub(super) fn end(&self, id: &str) {
        self.lock().remove(&digest(id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns an id that cannot be guessed: 256 random bits as hexadecimal digits.
pub(super) fn random_id() -> Result<String, getrandom::Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let mut id = String::with_capacity(64);
    for byte in random {
        // Writing to a string does not fail.
        let _ = write!(id, "{byte:02x}");
    }
    Ok(id)
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_loses_line_end_weak_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        let token = Token::read(&file).unwrap();
        assert!(token.is("0123456789abcdef"));
        for wrong in ["", "0123456789abcdef\n", "0123456789abcdeg", "0123456789abcde"] {
            assert!(!token.is(wrong), "{wrong:?}");
        }
        for bad in ["", "\n", "0123456789abcde", "0123456789 abcdef", "0123456789abcdef\n\n0", "0123456789abcdéf"] {
            std::fs::write(&file, bad).unwrap();
            assert!(matches!(Token::read(&file), Err(ListenError::BadToken { .. })), "{bad:?}");
        }
        assert!(matches!(Token::read(&folder.path().join("none")), Err(ListenError::Token { .. })));
    }

    #[test]
    fn session_ends_by_time_signout_number() {
        let sessions = Sessions::default();
        let start: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
        let (one, other) =
            (sessions.begin(start).unwrap(), sessions.begin(start + SignedDuration::from_secs(1)).unwrap());
        assert_ne!(one, other);
        assert!(sessions.has(&one, start) && !sessions.has("", start) && !sessions.has(&one[1..], start));
        assert!(!sessions.has(&one, start + SESSION));
        sessions.end(&one);
        assert!(!sessions.has(&one, start) && sessions.has(&other, start));
        for _ in 0..MOST_SESSIONS {
            sessions.begin(start + SignedDuration::from_secs(2)).unwrap();
        }
        assert!(!sessions.has(&other, start));
    }
}
