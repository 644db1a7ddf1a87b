//! The repository, opened once.

use engine::repository::{Repository, RepositoryError};
use engine::store::StoreConfig;
use tokio::sync::Mutex;

/// The repository of a configuration, opened once.
#[derive(Debug, Default)]
pub(crate) struct Connection(Mutex<Option<(StoreConfig, Repository)>>);

impl Connection {
    /// Returns the open repository; opened again where the configuration names another one.
    pub(crate) async fn repository(&self, config: &StoreConfig) -> Result<Repository, RepositoryError> {
        let mut open = self.0.lock().await;
        if let Some((_, repository)) = open.as_ref().filter(|(opened, _)| opened == config) {
            return Ok(repository.clone());
        }
        let repository = Repository::at(config).await?;
        *open = Some((config.clone(), repository.clone()));
        Ok(repository)
    }
}
