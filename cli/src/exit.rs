//! The exit codes. Scripts rely on them: `docs/exit-codes.md` has the table.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything was done.
    Success = 0,
    /// The command failed.
    Failed = 1,
    /// The command line or the configuration is wrong. Nothing was tried.
    Usage = 2,
    /// Everything was done, with warnings: for example, files are missing at the source.
    Warnings = 3,
    /// There is no repository where the configuration says. Nothing was tried.
    NoRepository = 10,
    /// Another process is using the instance or the target.
    Locked = 11,
    /// Damage was found.
    Damage = 13,
    /// A signal stopped the command. Unfinished work was cleaned up.
    Interrupted = 130,
}

impl Exit {
    /// Every code, in the order of the numbers.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::Success,
        Self::Failed,
        Self::Usage,
        Self::Warnings,
        Self::NoRepository,
        Self::Locked,
        Self::Damage,
        Self::Interrupted,
    ];

    /// Returns the worse of two exit codes, for a command with several parts.
    ///
    /// The numbers have another order: 3 (warnings) is better than 1 (failed).
    pub(crate) fn and(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }

    fn severity(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Warnings => 1,
            // Damage is milder than a failure: the part that failed may hide more damage.
            Self::Damage => 2,
            // A later attempt helps, unlike after other failures.
            Self::Locked => 3,
            Self::Failed => 4,
            Self::NoRepository => 5,
            Self::Usage => 6,
            // Wins over all others: the remaining parts were not reached.
            Self::Interrupted => 7,
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
    use super::Exit::{self, Damage, Failed, Interrupted, Locked, NoRepository, Success, Usage, Warnings};

    #[test]
    fn pair_of_codes_takes_worse() {
        const ALL: [Exit; 8] = [Success, Warnings, Damage, Locked, Failed, NoRepository, Usage, Interrupted];
        let expected = [
            [Success, Warnings, Damage, Locked, Failed, NoRepository, Usage, Interrupted],
            [Warnings, Warnings, Damage, Locked, Failed, NoRepository, Usage, Interrupted],
            [Damage, Damage, Damage, Locked, Failed, NoRepository, Usage, Interrupted],
            [Locked, Locked, Locked, Locked, Failed, NoRepository, Usage, Interrupted],
            [Failed, Failed, Failed, Failed, Failed, NoRepository, Usage, Interrupted],
            [NoRepository, NoRepository, NoRepository, NoRepository, NoRepository, NoRepository, Usage, Interrupted],
            [Usage, Usage, Usage, Usage, Usage, Usage, Usage, Interrupted],
            [Interrupted; 8],
        ];
        for (one, row) in ALL.into_iter().zip(expected) {
            for (other, worse) in ALL.into_iter().zip(row) {
                assert_eq!(one.and(other), worse, "{one:?} and {other:?}");
            }
        }
    }
}
