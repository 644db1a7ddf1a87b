//! Errors of the configuration, with their hints, among those of the verbs.

use std::error::Error;

use engine::error::{Explanation, explain_with};

use super::{ConfigError, UnknownName};

/// Explains an error as [`engine::error::explain`] does, with the hints of configuration errors as
/// well.
pub fn explain(error: &(dyn Error + 'static)) -> Explanation {
    explain_with(error, hint_of)
}

fn hint_of(error: &(dyn Error + 'static)) -> Option<String> {
    let unknown = || error.downcast_ref::<UnknownName>().and_then(UnknownName::hint);
    error.downcast_ref::<ConfigError>().and_then(ConfigError::hint).or_else(unknown)
}
