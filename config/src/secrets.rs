//! Secrets: set directly or in a file of their own, with a warning if other users can read them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use engine::secret::Secret;
use engine::small_file;

use super::exposure::Readers;
use super::section::{Reported, Section};

/// The two keys that give one secret.
#[derive(Clone, Copy)]
pub(super) struct SecretKeys {
    pub(super) value: &'static str,
    pub(super) file: &'static str,
}

/// Reads a secret from either of its keys.
pub(super) fn read(section: &Section<'_>, keys: SecretKeys) -> Result<Option<Secret>, Reported> {
    if section.has(keys.value) && section.has(keys.file) {
        return Err(section.refuse(keys.file, format!("`{}` is set as well; remove one of the two", keys.value)));
    }
    if section.is_literal(keys.value) {
        let what = format!("`{}`", keys.value);
        section.source.warn_if_exposed(section.source.file, &what, Readers::OWNER);
    }
    let value = section.optional(keys.value)?;
    let Some(path) = section.trusted(keys.file)? else { return Ok(value) };
    let secret = from_file(&path).map_err(|message| section.refuse(keys.file, message))?;
    let owner = path.metadata().ok().map(|file| file.uid());
    section.source.warn_if_exposed(&path, "a secret", readers(owner, rustix::process::geteuid().as_raw()));
    Ok(Some(secret))
}

/// Returns who may read a file of a secret. One of root's that another user can read was given to
/// that user's group, as Kubernetes gives the files of a Secret.
fn readers(owner: Option<u32>, user: u32) -> Readers {
    if owner == Some(0) && user != 0 { Readers::GROUP } else { Readers::OWNER }
}

/// Returns the content without its line end. More than one line is refused: it is a file of another
/// kind, such as libpq's.
fn from_file(path: &Path) -> Result<Secret, String> {
    let content = small_file::read(path).map_err(|error| format!("unable to read {}: {error}", path.display()))?;
    let content = String::from_utf8(content).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
    let secret = content.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    if secret.contains(['\r', '\n', '\0']) {
        return Err(format!("{} contains more than one line; put only the secret into it", path.display()));
    }
    Ok(Secret::new(secret))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::exposure::exposed;

    #[test]
    fn group_may_read_secret_of_root() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let warns = |mode, owner, user| {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            exposed(file.path(), "a secret", readers(owner, user)).is_some()
        };
        assert!(!warns(0o440, Some(0), 100));
        assert!(warns(0o444, Some(0), 100));
        // The group of a user's own file may have other members.
        assert!(warns(0o440, Some(100), 100));
        assert!(warns(0o440, Some(0), 0));
        assert!(warns(0o440, None, 100));
    }
}
