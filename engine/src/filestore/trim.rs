//! A filestore that is made to hold what is named, and nothing else.

use std::fs;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{FileName, FilestoreError, Names, Unpacked};

/// Removes every file that is not named, and returns how many these were. Ends early, and without an error, once `stop` is cancelled.
///
/// # Errors
/// [`FilestoreError::Io`]
pub fn remove_others(root: &Path, named: &Names<bool>, stop: &CancellationToken) -> Result<Unpacked, FilestoreError> {
    let mut removed = Unpacked::default();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in fs::read_dir(&path).map_err(FilestoreError::io("read", &path))? {
            if stop.is_cancelled() {
                return Ok(removed);
            }
            let entry = entry.map_err(FilestoreError::io("read", &path))?;
            let metadata = entry.metadata().map_err(FilestoreError::io("look at", entry.path()))?;
            let name = entry.file_name();
            let name = if folder.is_empty() {
                name.to_string_lossy().into_owned()
            } else {
                format!("{folder}/{}", name.to_string_lossy())
            };
            if metadata.is_dir() {
                folders.push(name);
            } else if named.get(&FileName::new(&name)).is_none() {
                fs::remove_file(entry.path()).map_err(FilestoreError::io("remove", entry.path()))?;
                removed.files += 1;
                removed.bytes += metadata.len();
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_stays() {
        let folder = tempfile::tempdir().unwrap();
        let sha1 = "da/da39a3ee5e6b4b0d3255bfef95601890afd80709";
        for path in [sha1, "da/dada", "own/deep/file", "own/other", "top"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let named = [sha1, "own/other", "nowhere"].map(|path| (FileName::new(path), true)).into_iter().collect();
        let removed = remove_others(folder.path(), &named, &CancellationToken::new()).unwrap();
        assert_eq!((removed.files, removed.bytes), (3, 3));
        let there = |path: &str| folder.path().join(path).exists();
        assert!(there(sha1) && there("own/other") && !there("da/dada") && !there("own/deep/file") && !there("top"));
        let stopped = CancellationToken::new();
        stopped.cancel();
        assert_eq!(remove_others(folder.path(), &Names::default(), &stopped).unwrap().files, 0);
    }
}
