//! What can go wrong with the journal.

use std::io;
use std::path::PathBuf;

use config::explain;
use engine::error::Explanation;

use super::file::is_full;

const MOVED: &str = "move `state_dir` back, or restart the daemon to start a new journal there";

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has it open.
    #[error("the journal {} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Another file is where it was.
    #[error("{} is not the file that this daemon writes: its folder was moved or replaced", path.display())]
    Replaced {
        /// Where it was.
        path: PathBuf,
    },
    /// The operating system.
    #[error("unable to {action} {}", path.display())]
    Io {
        /// `write`
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl JournalError {
    /// Returns it with its causes and its hint.
    pub fn explain(&self) -> Explanation {
        Explanation { hint: self.hint().map(Into::into), ..explain(self) }
    }

    /// Returns what the operator can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse { .. } => Some("stop the daemon that is running, or set another `state_dir` for this one"),
            Self::Replaced { .. } => Some(MOVED),
            Self::Io { action: "find", source, .. } if source.kind() == io::ErrorKind::NotFound => Some(MOVED),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("give `state_dir` to the user that the daemon runs as")
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => Some(
                "set `state_dir` to a folder that can be written; a hardened systemd unit names it in `ReadWritePaths=` or `StateDirectory=`",
            ),
            Self::Io { source, .. } if is_full(source) => Some("free some space"),
            Self::Io { .. } => None,
        }
    }
}
