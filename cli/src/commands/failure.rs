//! Why a command ends early, and how the program ends for that.

use config::{ConfigError, UnknownName, explain};
use daemon::journal::JournalError;
use daemon::log::LogError;
use engine::error::Error;
use engine::repository::RepositoryError;
use engine::store::StoreError;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::output::{Output, error_document};

/// Why a command ended early, and how the program ends for that.
pub(super) struct Failure {
    pub(super) error: Box<dyn std::error::Error>,
    pub(super) exit: Exit,
    /// What to do about it, where that is not for the engine to know.
    pub(super) hint: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = exit_of(&error);
        Self { error: Box::new(error), exit, hint: None }
    }
}

/// Implements `From` of errors that always end the program in the same way.
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
    LogError => Exit::Failed,
    RepositoryError => Exit::Failed,
    StoreError => Exit::Failed
);

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

/// A verb that failed, or was told to stop.
pub(super) fn exit_of(error: &Error) -> Exit {
    if error.is_interruption() { Exit::Interrupted } else { Exit::Failed }
}

/// Tells at once why one of several instances failed; returns the exit code, and the same for the document at the end.
pub(super) fn failed_one(instance: &str, error: &Error, output: Output) -> (Exit, Value) {
    let exit = exit_of(error);
    let explanation = explain(error);
    output.explanation(&explanation);
    let mut document = error_document(&explanation, exit);
    document["instance"] = json!(instance);
    (exit, document)
}
