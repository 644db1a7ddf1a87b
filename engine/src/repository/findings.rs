//! Reads what a backup found to be wrong with the files of its source.

use super::{Repository, RepositoryError};
use crate::manifest::{FilestoreFindings, Manifest};

impl Repository {
    /// Returns the findings by name. In format 2 they are read from their list, or from this
    /// machine's cached copy.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]; [`RepositoryError::Read`] if the list is damaged
    pub async fn findings(&self, manifest: &Manifest) -> Result<FilestoreFindings, RepositoryError> {
        let counts = manifest.filestore.counts_of_findings();
        match (&manifest.filestore.findings, manifest.filestore.list_of_findings()) {
            (Some(named), _) => Ok(named.clone()),
            (None, Some(list)) => self.read_cached(list, move |list| FilestoreFindings::read(list, counts)).await,
            (None, None) => Ok(FilestoreFindings { unreferenced: counts.unreferenced, ..Default::default() }),
        }
    }
}
