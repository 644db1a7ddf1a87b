//! Tells whether a filestore may replace the target's folder.

use std::fs;
use std::io;
use std::path::Path;

use super::{Obstacle, TargetIdentity, force};
use crate::cause;
use crate::filestore;
use crate::filestore::FileName;
use crate::folder::{self, Place};
use crate::restore::Protected;
use crate::restore::Target;

/// Refuses a folder that is, contains or lies in an instance's filestore or the repository.
pub(in crate::restore) fn of_others(protected: &Protected, target: &Target, identity: TargetIdentity) -> Vec<Obstacle> {
    let folder = &target.filestore;
    let mut obstacles = Vec::new();
    let mut refuse = |check, message: String, hint: String| obstacles.push(Obstacle::new(check, message, hint));
    let shown = folder.display();
    // One that is not known is compared by its database alone.
    for instance in protected.instances.iter().filter(|instance| filestore::is_known(&instance.filestore)) {
        let name = &instance.name;
        let theirs = instance.filestore.display();
        match relation(folder, &instance.filestore) {
            Relation::Apart => {}
            // The operator typed the name of this filestore's database.
            Relation::Same
                if identity == TargetIdentity::Production && instance.database.name == target.database.name => {}
            Relation::Same if instance.database.name == target.database.name => {
                refuse(
                    "production",
                    format!("the filestore {shown} is that of the instance {name}"),
                    force(&target.database.name),
                );
            }
            Relation::Same => {
                refuse("filestore", format!("the filestore {shown} is that of the instance {name}"), another())
            }
            Relation::Overlap => refuse(
                "filestore",
                format!("the filestore {shown} and that of the instance {name}, {theirs}, overlap"),
                another(),
            ),
        }
    }
    for path in &protected.repositories {
        if relation(folder, path) != Relation::Apart {
            let path = path.display();
            let message = format!("the filestore {shown} and the repository {path} overlap");
            refuse("filestore", message, another());
        }
    }
    obstacles
}

fn another() -> String {
    "set `filestore` or `data_dir` of the target to another folder".into()
}

/// Refuses a folder with content that no Odoo created.
pub(in crate::restore) fn no_filestore(folder: &Path) -> Option<Obstacle> {
    let shown = folder.display();
    match looks_like_a_filestore(folder) {
        Ok(true) => None,
        Ok(false) => {
            let message = format!("the folder {shown} exists and is not an Odoo filestore");
            Some(Obstacle::new("filestore", message, another()))
        }
        Err(error) => {
            let hint = "run odoo-backup as the user that Odoo runs as, or as root";
            let message = format!("unable to look into {shown}: {}", cause::line(&error));
            Some(Obstacle::new("filestore", message, hint))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Same,
    Overlap,
    Apart,
}

/// Returns the relation of two folders, through all links and mounts.
fn relation(one: &Path, other: &Path) -> Relation {
    match Place::of(one).relation(&Place::of(other)) {
        folder::Relation::Same => Relation::Same,
        folder::Relation::Within | folder::Relation::Around => Relation::Overlap,
        folder::Relation::Apart => Relation::Apart,
    }
}

/// Returns whether the folder is safe to replace: missing, empty, or with a file named as Odoo
/// names them.
fn looks_like_a_filestore(folder: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder.symlink_metadata().is_err() => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(false),
        entries => entries?,
    };
    let mut only_empty = true;
    for entry in entries {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else {
            only_empty = false;
            continue;
        };
        let is_sha1_folder = name.len() == 2 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_sha1_folder {
            only_empty &= name == "checklist";
            continue;
        }
        for file in fs::read_dir(folder.join(name))? {
            let path = format!("{name}/{}", file?.file_name().to_string_lossy());
            if matches!(FileName::new(&path), FileName::Sha1(_)) {
                return Ok(true);
            }
            only_empty = false;
        }
    }
    Ok(only_empty)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_match_through_every_path() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("data/filestore/production/ab")).unwrap();
        symlink(path("data"), path("link")).unwrap();
        symlink(path("data/filestore/production"), path("direct")).unwrap();
        let production = path("data/filestore/production");
        for same in
            ["data/filestore/production", "link/filestore/production", "direct", "link/../data/filestore/production"]
        {
            assert_eq!(relation(&path(same), &production), Relation::Same, "{same}");
        }
        for overlap in ["data", "link/filestore", "direct/ab", "direct/not/there/yet"] {
            assert_eq!(relation(&path(overlap), &production), Relation::Overlap, "{overlap}");
        }
        for apart in ["data/filestore/staging", "link/filestore/production2", "elsewhere"] {
            assert_eq!(relation(&path(apart), &production), Relation::Apart, "{apart}");
        }
        // Neither exists.
        assert_eq!(relation(&path("link/new"), &path("data/new")), Relation::Same);
    }

    #[test]
    fn only_odoo_folders_are_filestores() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        assert!(looks_like_a_filestore(&folder).unwrap());
        fs::create_dir_all(folder.join("checklist/ab")).unwrap();
        fs::create_dir(folder.join("ab")).unwrap();
        assert!(looks_like_a_filestore(&folder).unwrap());
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        assert!(!looks_like_a_filestore(&folder).unwrap());
        fs::write(folder.join("ab/schema.sql"), "mine").unwrap();
        assert!(!looks_like_a_filestore(&folder).unwrap());
        fs::write(folder.join("ab/abcdef0123456789abcdef0123456789abcdef01"), "").unwrap();
        assert!(looks_like_a_filestore(&folder).unwrap());
        let file = root.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(!looks_like_a_filestore(&file).unwrap());
    }
}
