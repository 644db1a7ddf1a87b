//! Exit codes: one table, documented in the manual. Scripts rely on it.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Exit {
    /// Returns how a command ends of which one part ended in `self` and another in `other`: the worse of the two.
    ///
    /// The numbers do not say which is worse: 3 (warnings) is milder than 1 (failed).
    pub(crate) fn and(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }

    fn severity(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Warnings => 1,
            // Found in what was looked at; a part that failed may hide more.
            Self::Damage => 2,
            Self::Failed => 3,
            Self::Usage => 4,
            // Whatever the parts came to, the rest was not reached.
            Self::Interrupted => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::{self, Damage, Failed, Interrupted, Success, Usage, Warnings};

    #[test]
    fn every_pair_ends_in_the_worse() {
        const ALL: [Exit; 6] = [Success, Warnings, Damage, Failed, Usage, Interrupted];
        let expected = [
            [Success, Warnings, Damage, Failed, Usage, Interrupted],
            [Warnings, Warnings, Damage, Failed, Usage, Interrupted],
            [Damage, Damage, Damage, Failed, Usage, Interrupted],
            [Failed, Failed, Failed, Failed, Usage, Interrupted],
            [Usage, Usage, Usage, Usage, Usage, Interrupted],
            [Interrupted; 6],
        ];
        for (one, row) in ALL.into_iter().zip(expected) {
            for (other, worse) in ALL.into_iter().zip(row) {
                assert_eq!(one.and(other), worse, "{one:?} and {other:?}");
            }
        }
    }
}
