//! What `doctor --fix` may change: permissions and owners of the program's own files, and folders
//! that are missing next to those that exist. Nothing that holds data is removed or created empty
//! in place of what could be a mount.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use super::{Subjects, places};
use crate::filestore;
use crate::folder;
use crate::store::StoreConfig;

/// One safe change. `Display` is the command that would do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Takes permissions from a file or folder.
    Mode {
        /// The file or folder.
        path: PathBuf,
        /// Its permissions from then on.
        mode: u32,
    },
    /// Gives everything in a folder to the folder's owner.
    Owner {
        /// The folder.
        path: PathBuf,
        /// The user.
        user: u32,
        /// The group.
        group: u32,
    },
    /// Creates a folder with the owner of the folder around it.
    Folder {
        /// The folder.
        path: PathBuf,
    },
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode { path, mode } => write!(f, "chmod {mode:o} {}", path.display()),
            Self::Owner { path, user, group } => {
                write!(f, "chown -R {} {}", folder::owner_text(*user, *group), path.display())
            }
            Self::Folder { path } => write!(f, "mkdir -m 700 {}", path.display()),
        }
    }
}

/// Returns what is safe to fix of what the configuration names.
pub fn fixes(subjects: &Subjects) -> Vec<Fix> {
    let mut fixes = Vec::new();
    for path in &subjects.exposed {
        fixes.extend(narrower(path, 0o077));
    }
    for (_, place) in &subjects.repositories {
        let StoreConfig::Local { path } = place else { continue };
        fixes.extend(narrower(path, 0o022));
        let Ok(found) = path.metadata() else { continue };
        // Only root can give files away.
        if rustix::process::geteuid().is_root() && places::find_foreign(path, found.uid()).is_some() {
            fixes.push(Fix::Owner { path: path.clone(), user: found.uid(), group: found.gid() });
        }
    }
    let targets = subjects.targets.iter().chain(subjects.drills.iter().map(|(_, place)| place));
    for target in targets.filter(|target| filestore::is_known(&target.filestore)) {
        let Some(path) = target.filestore.parent().map(Path::to_owned) else { continue };
        let fix = Fix::Folder { path: path.clone() };
        // A data folder without `filestore` is Odoo's before its first start.
        if !path.exists() && path.parent().is_some_and(Path::is_dir) && !fixes.contains(&fix) {
            fixes.push(fix);
        }
    }
    fixes
}

/// Returns the change that takes these permissions from a path that has some of them.
fn narrower(path: &Path, forbidden: u32) -> Option<Fix> {
    let mode = path.metadata().ok()?.mode() & 0o7777;
    (mode & forbidden != 0).then(|| Fix::Mode { path: path.to_owned(), mode: mode & !forbidden })
}

impl Fix {
    /// Makes the change.
    ///
    /// # Errors
    /// Those of the operating system
    pub fn apply(&self) -> io::Result<()> {
        match self {
            Self::Mode { path, mode } => fs::set_permissions(path, Permissions::from_mode(*mode)),
            Self::Owner { path, user, group } => give(path, *user, *group),
            Self::Folder { path } => folder::make_all(path, 0o700),
        }
    }
}

/// Gives everything in a folder to a user, without following links.
fn give(folder: &Path, user: u32, group: u32) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = path.symlink_metadata()?;
        if found.is_dir() {
            give(&path, user, group)?;
        }
        if found.uid() != user {
            lchown(&path, Some(user), Some(group))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::postgres::Database;
    use crate::restore::Target;

    fn subjects(repository: &Path, exposed: Vec<PathBuf>, filestore: PathBuf) -> Subjects {
        let target = Target {
            name: "staging".into(),
            database: Database::named("staging"),
            filestore,
            instance: None,
            neutralize: None,
            anonymize: None,
            trusted: false,
        };
        Subjects {
            configuration: "c.toml".into(),
            warnings: Vec::new(),
            exposed,
            repositories: vec![("repository".into(), StoreConfig::Local { path: repository.into() })],
            instances: Vec::new(),
            targets: vec![target],
            drills: Vec::new(),
            hooks: BTreeMap::new(),
            patience: BTreeMap::new(),
        }
    }

    #[test]
    fn fixes_are_found_and_applied() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, mode) in [("repository", 0o777), ("data", 0o755)] {
            fs::create_dir(path(name)).unwrap();
            fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::write(path("c.toml"), "").unwrap();
        fs::set_permissions(path("c.toml"), Permissions::from_mode(0o644)).unwrap();
        let subjects = subjects(&path("repository"), vec![path("c.toml")], path("data/filestore/staging"));

        let found = fixes(&subjects);

        let texts: Vec<_> =
            found.iter().map(|fix| fix.to_string().replace(folder.path().to_str().unwrap(), "")).collect();
        assert_eq!(texts, ["chmod 600 /c.toml", "chmod 755 /repository", "mkdir -m 700 /data/filestore"]);
        found.iter().for_each(|fix| fix.apply().unwrap());
        assert_eq!(fixes(&subjects), []);
        assert!(path("data/filestore").is_dir());
    }

    /// What is missing may be a disk that is not mounted.
    #[test]
    fn missing_repository_is_not_created() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        assert_eq!(fixes(&subjects(&absent, Vec::new(), absent.join("data/filestore/x"))), []);
    }

    #[test]
    fn foreign_files_are_given_to_owner() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        lchown(&file, Some(12345), Some(12345)).unwrap();
        let fix = fixes(&subjects(folder.path(), Vec::new(), PathBuf::new()));
        assert_eq!(
            fix,
            [Fix::Owner { path: folder.path().into(), user: 0, group: folder.path().metadata().unwrap().gid() }]
        );
        fix[0].apply().unwrap();
        assert_eq!(file.metadata().unwrap().uid(), 0);
    }
}
