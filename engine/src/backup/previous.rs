//! What earlier backups of an instance already contain.

use std::collections::HashSet;

use super::earlier::Earlier;
use crate::error::{Error, explain};
use crate::filestore::{Allowance, FileName, FileNames, Held, read_list, reserve};
use crate::manifest::{FilestoreFindings, StoredObject, Volume};
use crate::repository::{BackupRef, Repository};

/// The volumes that the next backup may reference, and their content.
#[derive(Debug, Default)]
pub(super) struct Previous {
    /// In order.
    pub(super) volumes: Vec<Volume>,
    /// Each path's latest version; [`Held::volume`] is an index of `volumes`.
    pub(super) held: FileNames<Held>,
    /// Paths whose stored version was already damaged at the source.
    pub(super) suspect: Vec<String>,
    /// Files that the latest backup already lacks, because its source had lost them.
    pub(super) missing: HashSet<String>,
    /// The latest backup's list of removed paths.
    pub(super) removed: Option<StoredObject>,
    /// The latest backup's list of findings.
    pub(super) findings: Option<StoredObject>,
    /// Whether `suspect` is not known, so that every file must be read.
    pub(super) reread: bool,
    /// What is wrong with earlier backups.
    pub(super) warnings: Vec<String>,
}

/// Reads the lists of the volumes that the latest backup references.
///
/// Uses only what is visibly there: a volume that is missing, has another size or an unreadable
/// list is left out, and its files are stored again.
///
/// # Errors
/// [`Error::Repository`], [`Error::Store`] where the store is not available.
pub(super) async fn previous(earlier: &Earlier<'_>) -> Result<Previous, Error> {
    let Some(manifest) = &earlier.latest else { return Ok(Previous::default()) };
    let mut warnings = Vec::new();
    let mut volumes = Vec::new();
    let mut held = Vec::new();
    let mut allowance = Allowance::default();
    for volume in &manifest.filestore.volumes {
        let reason = match earlier.reason_against([&volume.object, &volume.list]) {
            Some(reason) => reason,
            None => match read_volume_list(earlier.repository, volume, volumes.len(), &mut allowance).await {
                Ok(files) => {
                    reserve(&mut held, files.len() as u64).map_err(out_of_memory)?;
                    held.extend(files);
                    volumes.push(volume.clone());
                    continue;
                }
                Err(error) if error.is_damage() => explain(&error).to_string(),
                // Its content is unknown: storing all of it again would not help.
                Err(error) => return Err(error),
            },
        };
        let key = &volume.object.key;
        warnings.push(format!(
            "{key} is damaged, and with it the backups that reference it: {reason}; its files are stored again"
        ));
    }
    let intact = |object: &&StoredObject| earlier.reason_against([*object]).is_none();
    let removed = manifest.filestore.removed.as_ref().filter(intact).cloned();
    let mut reread = false;
    let findings = manifest.filestore.list_of_findings().filter(intact).cloned();
    let FilestoreFindings { damaged, rescued, missing, .. } =
        match earlier.repository.findings(manifest).await.map_err(Error::from) {
            Ok(findings) => findings,
            Err(error) if error.is_damage() => {
                reread = manifest.filestore.counts_of_findings().damaged > 0;
                let then = if reread { "; every file is read again" } else { "" };
                warnings.push(format!("{}{then}", explain(&error)));
                FilestoreFindings::default()
            }
            Err(error) => return Err(error),
        };
    // A damaged file that was recovered from an earlier backup is stored intact.
    let suspect = damaged.into_iter().filter(|path| !rescued.contains(path)).collect();
    let missing = missing.into_iter().collect();
    Ok(Previous { volumes, held: FileNames::of_volumes(held), suspect, missing, removed, findings, reread, warnings })
}

async fn read_volume_list(
    repository: &Repository,
    volume: &Volume,
    index: usize,
    allowance: &mut Allowance,
) -> Result<Vec<(FileName, Held)>, Error> {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    let begun = BackupRef::of_object(&volume.object.key).and_then(|backup| backup.id.created_at());
    let begun = begun.and_then(|begun| u64::try_from(begun.as_second()).ok());
    let bounds = volume.bounds();
    // A list that turns out to be damaged contributes nothing, and removes nothing either.
    let mut left = allowance.clone();
    let files = repository.read_cached(&volume.list, move |list| {
        let mut files = Vec::new();
        reserve(&mut files, bounds.files)?;
        for file in read_list(list, bounds) {
            let file = file?;
            let name = FileName::new(&file.path);
            left.take(&name)?;
            files.push((name, Held::new(file.size, file.mtime, index, begun)));
        }
        Ok((files, left))
    });
    let (files, left) = files.await?;
    *allowance = left;
    Ok(files)
}

fn out_of_memory(source: std::io::Error) -> Error {
    Error::Io { action: "merge the lists of the volumes".to_owned(), source }
}
