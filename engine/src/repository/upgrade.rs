//! Makes a repository one of the latest format.
//!
//! Only `repository.json` changes. Backups stay as they are, and the next ones are of the new
//! format. Until then an older program still reads everything; from then on it refuses the
//! repository.

use super::guide::replace_guide;
use super::{Description, Repository, RepositoryError, description_key};
use crate::manifest::FORMAT;
use crate::run::Run;

/// What [`Repository::upgrade`] did, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgraded {
    /// The format before.
    pub from: u32,
    /// The format now.
    pub to: u32,
    /// Whether `RESTORE.txt` is this version's. If not, the operator wrote it.
    pub has_guide: bool,
}

impl Repository {
    /// Upgrades the repository, unless it has the latest format. With `dry_run`, changes nothing.
    ///
    /// # Errors
    /// [`RepositoryError::Store`], [`RepositoryError::Interrupted`]. The repository then has one of
    /// the two formats.
    pub async fn upgrade(&self, dry_run: bool, run: &Run) -> Result<Upgraded, RepositoryError> {
        let from = self.description.format;
        if from >= FORMAT {
            return Ok(Upgraded { from, to: from, has_guide: true });
        }
        // The guide tells of both formats, so it may come first.
        let guide = async { Ok::<_, RepositoryError>(replace_guide(&*self.store, dry_run).await?) };
        let has_guide = run.until_cancelled(guide).await?;
        if !dry_run {
            let description = Description { format: FORMAT, ..self.description.clone() };
            self.write(&description_key(), &description).await?;
        }
        Ok(Upgraded { from, to: FORMAT, has_guide })
    }
}
