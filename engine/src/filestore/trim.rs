//! Removes files from a filestore, except named ones.

use tokio_util::sync::CancellationToken;

use super::{FileName, FileNames, FilestoreError, Unpacked};
use crate::folder::{EntryKind, OpenFolder};

/// Removes every file that is not named, and returns how many. Stops without an error when `stop`
/// is cancelled.
///
/// # Errors
/// [`FilestoreError::Io`]
pub(crate) fn remove_others(
    root: &OpenFolder,
    named: &FileNames<bool>,
    stop: &CancellationToken,
) -> Result<Unpacked, FilestoreError> {
    let mut removed = Unpacked::default();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = root.path().join(&folder);
        for (name, kind) in root.list(&folder).map_err(FilestoreError::io("read", &path))? {
            if stop.is_cancelled() {
                return Ok(removed);
            }
            let Some(name) = name.to_str() else {
                return Err(FilestoreError::BadName { path: path.join(name), reason: "it is not UTF-8" });
            };
            let name = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            if kind == EntryKind::Folder {
                folders.push(name);
            } else if named.get(&FileName::new(&name)).is_none() {
                let size = root.look(&name).map_err(FilestoreError::io("inspect", root.path().join(&name)))?;
                root.remove_file(&name).map_err(FilestoreError::io("remove", root.path().join(&name)))?;
                removed.files += 1;
                removed.bytes += size.map_or(0, |found| found.size);
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_named_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let sha1 = "da/da39a3ee5e6b4b0d3255bfef95601890afd80709";
        for path in [sha1, "da/dada", "own/deep/file", "own/other", "top"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let open = OpenFolder::open(folder.path()).unwrap();
        let named = [sha1, "own/other", "nowhere"].map(|path| (FileName::new(path), true)).into_iter().collect();
        let removed = remove_others(&open, &named, &CancellationToken::new()).unwrap();
        assert_eq!((removed.files, removed.bytes), (3, 3));
        let there = |path: &str| folder.path().join(path).exists();
        assert!(there(sha1) && there("own/other") && !there("da/dada") && !there("own/deep/file") && !there("top"));
        let stopped = CancellationToken::new();
        stopped.cancel();
        assert_eq!(remove_others(&open, &FileNames::default(), &stopped).unwrap().files, 0);
    }
}
