//! What is in the way of a restore.

use serde::Serialize;

use crate::error::{Error, Obstacle};

/// What was found of a target before anything is touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// Each of them keeps the restore from being begun.
    pub obstacles: Vec<Obstacle>,
    /// It will work, as far as can be known, and a person should look.
    pub warnings: Vec<Obstacle>,
}

/// Lets pass what has nothing in its way.
pub(super) fn require_none(obstacles: Vec<Obstacle>) -> Result<(), Error> {
    if obstacles.is_empty() { Ok(()) } else { Err(Error::Refused { obstacles }) }
}
