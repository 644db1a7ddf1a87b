//! Finds the backup that a command is about, and warns of backups that `latest` skipped.

use config::Config;
use engine::manifest::Manifest;
use engine::repository::{Repository, RepositoryError};

use super::chosen::only_instance;
use crate::output::Output;

/// Returns the verified manifest of the backup that `selector` names.
pub(super) async fn find(
    repository: &Repository,
    selector: &str,
    config: &Config,
    output: Output,
) -> Result<Manifest, RepositoryError> {
    let selected = repository.select(selector, only_instance(config)).await?;
    selected.warnings.iter().for_each(|warning| output.warning(warning));
    repository.verified_manifest(&selected.backup).await
}
