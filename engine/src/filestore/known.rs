//! Filestores that nothing says the place of.
//!
//! On a new server there is no filestore yet that could be found. Commands that need none work
//! there all the same. The folder of such an instance or target is the empty path.

use std::path::Path;

use super::FilestoreError;

/// Returns whether it is known where a filestore is.
pub fn is_known(folder: &Path) -> bool {
    !folder.as_os_str().is_empty()
}

/// Refuses a filestore of which it is not known where it is.
///
/// # Errors
/// [`FilestoreError::Unknown`]
pub fn known(folder: &Path) -> Result<(), FilestoreError> {
    if is_known(folder) { Ok(()) } else { Err(FilestoreError::Unknown) }
}
