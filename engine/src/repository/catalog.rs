//! Which backups there are.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};

use super::{BackupId, Repository, RepositoryError};
use crate::manifest::{MANIFEST, Manifest};
use crate::store::{Key, StoreErrorKind};

/// Manifests that are read at once.
const PARALLEL_READS: usize = 16;

/// Every backup of a repository or an instance.
#[derive(Debug, Default)]
pub struct Listing {
    /// Oldest first.
    pub backups: Vec<Manifest>,
    /// Those whose manifest cannot be read.
    pub damaged: Vec<Damaged>,
}

/// A backup whose manifest cannot be read.
#[derive(Debug)]
pub struct Damaged {
    /// The instance it is of.
    pub instance: String,
    /// Its name.
    pub id: BackupId,
    /// Why.
    pub error: RepositoryError,
}

impl Repository {
    /// Every backup of one instance, or of all.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]. A manifest that is damaged, cannot be read or is of a newer format is not an error here: it is
    /// listed as such.
    pub async fn list(&self, instance: Option<&str>) -> Result<Listing, RepositoryError> {
        let names = self.names(instance).await?;
        let mut read = futures::stream::iter(names)
            .map(|(instance, id)| async move {
                let manifest = self.manifest(&instance, &id).await;
                (instance, id, manifest)
            })
            .buffered(PARALLEL_READS);
        let mut listing = Listing::default();
        while let Some((instance, id, manifest)) = read.next().await {
            match manifest {
                Ok(manifest) => listing.backups.push(manifest),
                Err(error @ (RepositoryError::Damaged { .. } | RepositoryError::NewerFormat { .. })) => {
                    listing.damaged.push(Damaged { instance, id, error });
                }
                // Deleted since it was seen.
                Err(RepositoryError::Store(error)) if matches!(*error.kind, StoreErrorKind::NotFound) => {}
                Err(RepositoryError::Store(error)) if error.is_of_object() => {
                    listing.damaged.push(Damaged { instance, id, error: error.into() });
                }
                Err(error) => return Err(error),
            }
        }
        listing.backups.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(listing)
    }

    /// Instance and id of every backup that exists, of one instance or of all.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn names(&self, instance: Option<&str>) -> Result<Vec<(String, BackupId)>, RepositoryError> {
        // A name that is no key's segment cannot have backups.
        let prefix = match instance.map(Key::new).transpose() {
            Ok(prefix) => prefix,
            Err(_) => return Ok(Vec::new()),
        };
        let named = self.store.list(prefix.as_ref()).try_filter_map(async |object| Ok(name_of(&object.key)));
        Ok(named.try_collect().await?)
    }

    /// The backup that `selector` names: an id, a unique beginning of one, `latest`, or any of them behind `INSTANCE/`.
    /// `latest` alone is the latest of `default_instance`, or of the repository's only instance.
    ///
    /// # Errors
    /// [`RepositoryError::NoSuchBackup`], [`RepositoryError::Ambiguous`], [`RepositoryError::WhichInstance`]; those of [`Self::verified_manifest`].
    pub async fn find(&self, selector: &str, default_instance: Option<&str>) -> Result<Manifest, RepositoryError> {
        let (instance, id) = self.resolve(selector, default_instance).await?;
        self.verified_manifest(&instance, &id).await
    }

    /// As [`Self::find`], without reading the manifest.
    ///
    /// # Errors
    /// As [`Self::find`], but for those of the manifest
    pub async fn resolve(
        &self,
        selector: &str,
        default_instance: Option<&str>,
    ) -> Result<(String, BackupId), RepositoryError> {
        let (instance, wanted) = match selector.rsplit_once('/') {
            Some((instance, wanted)) => (Some(instance), wanted),
            None if selector == "latest" => (default_instance, selector),
            None => (None, selector),
        };
        let mut names = self.names(instance).await?;
        names.sort_by(|a, b| a.1.cmp(&b.1));
        if wanted == "latest" {
            let instances: BTreeSet<_> = names.iter().map(|(instance, _)| instance.clone()).collect();
            if instances.len() > 1 {
                return Err(RepositoryError::WhichInstance { instances: instances.into_iter().collect() });
            }
            names.drain(..names.len().saturating_sub(1));
        } else {
            names.retain(|(_, id)| !wanted.is_empty() && id.as_str().starts_with(wanted));
        }
        match names.as_slice() {
            [] => {
                let selector = selector.to_owned();
                Err(RepositoryError::NoSuchBackup { selector, location: self.store.location() })
            }
            [only] => Ok(only.clone()),
            several => {
                let ids = several.iter().map(|(instance, id)| format!("{instance}/{id}")).collect();
                Err(RepositoryError::Ambiguous { selector: selector.to_owned(), ids })
            }
        }
    }
}

/// Instance and id of a manifest's key.
fn name_of(key: &Key) -> Option<(String, BackupId)> {
    let mut segments = key.segments();
    let (instance, id, name) = (segments.next()?, segments.next()?, segments.next()?);
    (name == MANIFEST && segments.next().is_none()).then_some(())?;
    Some((instance.to_owned(), id.parse().ok()?))
}
