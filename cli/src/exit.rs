//! Exit codes: one table, documented in the manual. Scripts rely on it.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All of it was done.
    Success = 0,
    /// It failed, and left things as they were.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was tried.
    Usage = 2,
    /// It was done, and there is something that a person must know: files missing or damaged at the source, or leftovers that stay.
    Warnings = 3,
    /// A check found damage.
    Damage = 13,
    /// Stopped by a signal; nothing half done is left.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
