//! Errors that end a command, with their exit codes and hints.

use config::{ConfigError, UnknownName, explain};
use daemon::journal::JournalError;
use daemon::log::LogError;
use engine::error::Error;
use engine::repository::RepositoryError;
use engine::store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::exit::Exit;
use crate::output::{ErrorDocument, Output};

/// An error that ends a command.
pub(super) struct Failure {
    pub(super) error: Box<dyn std::error::Error>,
    pub(super) exit: Exit,
    /// A hint that the engine cannot know.
    pub(super) hint: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = exit_of(&error);
        Self { error: Box::new(error), exit, hint: None }
    }
}

/// Implements `From` for errors that have one exit code and no hint of their own.
macro_rules! failure {
    ($($error:ty => $exit:expr),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self { error: Box::new(error), exit: $exit, hint: None }
            }
        })*
    };
}

failure!(
    ConfigError => Exit::Usage,
    UnknownName => Exit::Usage,
    LogError => Exit::Failed
);

impl From<RepositoryError> for Failure {
    fn from(error: RepositoryError) -> Self {
        Error::from(error).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let hint = error.hint().map(Into::into);
        Self { error: Box::new(error), exit: Exit::Failed, hint }
    }
}

impl From<daemon::OpenError> for Failure {
    fn from(error: daemon::OpenError) -> Self {
        let hint = error.hint();
        Self { error: Box::new(error), exit: Exit::Failed, hint }
    }
}

impl From<daemon::ListenError> for Failure {
    fn from(error: daemon::ListenError) -> Self {
        use daemon::ListenError::{BadToken, Token};
        let exit = if matches!(error, Token { .. } | BadToken { .. }) { Exit::Usage } else { Exit::Failed };
        let hint = error.hint();
        Self { error: Box::new(error), exit, hint }
    }
}

/// Returns the exit code for an error of the engine.
pub(super) fn exit_of(error: &Error) -> Exit {
    if error.is_interruption() {
        Exit::Interrupted
    } else if error.is_locked() {
        Exit::Locked
    } else if error.is_no_repository() {
        Exit::NoRepository
    } else {
        Exit::Failed
    }
}

/// Why one of several instances failed, or what follows them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailedOne {
    /// The instance. Absent where the failure is about the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) instance: Option<String>,
    #[serde(flatten)]
    pub(super) error: ErrorDocument,
}

/// Prints why one of several instances failed. Returns the exit code, and the error for the
/// document.
pub(super) fn failed_one(instance: &str, error: &Error, output: Output) -> (Exit, FailedOne) {
    let exit = exit_of(error);
    let explanation = explain(error);
    output.explanation(&explanation);
    (exit, FailedOne { instance: Some(instance.to_owned()), error: ErrorDocument::new(&explanation, exit) })
}
