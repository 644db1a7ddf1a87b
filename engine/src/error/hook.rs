//! Why a hook of the operator failed.

use std::io;
use std::path::PathBuf;

use crate::text::counted;

/// A hook that failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Its program cannot be started.
    #[error("unable to run the hook `{hook}` of [{section}]: {}: {source}", program.display())]
    Start {
        /// The key of the hook.
        hook: &'static str,
        /// The section that has the hooks.
        section: String,
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not end with exit code 0.
    #[error("the hook `{hook}` of [{section}] failed ({status}): {said}")]
    Failed {
        /// The key of the hook.
        hook: &'static str,
        /// The section that has the hooks.
        section: String,
        /// Its exit code or signal.
        status: std::process::ExitStatus,
        /// The last line of its output.
        said: String,
    },
    /// It took too long, and was killed with all that it started.
    #[error("the hook `{hook}` of [{section}] was ended after {}: {said}", counted(*seconds, "second"))]
    TooLong {
        /// The key of the hook.
        hook: &'static str,
        /// The section that has the hooks.
        section: String,
        /// Its time limit.
        seconds: u64,
        /// The last line of its output.
        said: String,
        /// Whether it is the limit after a cancellation.
        after_cancel: bool,
    },
}

impl HookError {
    /// Returns what the operator can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Start { hook, section, .. } => {
                format!(
                    "correct `{hook}` in [{section}.hooks]: it must name an executable file, and the arguments in strings of their own"
                )
            }
            Self::Failed { .. } => "find out why it failed; the log of the run has its output".into(),
            Self::TooLong { after_cancel: true, .. } => {
                "the run was cancelled; let the hook do what is necessary then within a minute".into()
            }
            Self::TooLong { section, .. } => {
                format!("find out what it waits for; if it is slow by nature, raise `timeout` in [{section}.hooks]")
            }
        }
    }
}
