//! Decides whether a failure to read an object concerns the object, or only this machine.

use std::error::Error;

use super::RepositoryError;
use crate::cause;
use crate::filestore::FilestoreError;
use crate::store::StoreError;
use crate::stream::{Malformed, Mismatch};

/// Returns whether a failure to read an object, or any of its causes, shows that the object is
/// damaged. Trouble of this machine or of the connection does not.
pub(crate) fn speaks_of_object(error: &(dyn Error + 'static)) -> bool {
    cause::row(error).find_map(says_damaged).unwrap_or(false)
}

/// Returns whether one error of a chain of causes shows that the object is damaged. `None` means
/// that its cause decides.
pub(crate) fn says_damaged(error: &(dyn Error + 'static)) -> Option<bool> {
    if let Some(store) = error.downcast_ref::<StoreError>() {
        return Some(store.is_of_object());
    }
    if let Some(filestore) = error.downcast_ref::<FilestoreError>() {
        return Some(!matches!(filestore, FilestoreError::Io { .. }));
    }
    let is_damage = error.is::<Mismatch>()
        || error.is::<Malformed>()
        || matches!(error.downcast_ref(), Some(RepositoryError::Damaged { .. }));
    is_damage.then_some(true)
}
