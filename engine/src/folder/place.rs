//! Decides whether a folder is within another, through any links and mounts.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::mounts::{mount_of, mounts};

/// Where a folder is. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path without links, as far as it exists.
    real: PathBuf,
    /// The file system and the path in it, which are the same if a folder is mounted in a second
    /// place.
    in_device: Option<(String, PathBuf)>,
    /// Device and inode of the folder and its parents, as far as they exist.
    ids: Vec<(u64, u64)>,
    /// Whether the folder itself exists.
    exists: bool,
}

/// The relation of two folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// They are the same.
    Same,
    /// The first is in the second.
    Within,
    /// The second is in the first.
    Around,
    /// Neither.
    Apart,
}

impl Place {
    /// Finds out where a folder is.
    pub fn of(path: &Path) -> Self {
        let real = resolved(path);
        let mounts = mounts();
        let mount = mount_of(&mounts, &real);
        let in_device = mount.and_then(|mount| {
            let below = real.strip_prefix(&mount.at).ok()?;
            Some((mount.device.clone(), mount.root.join(below)))
        });
        let id = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        let ids = real.ancestors().filter_map(id).collect();
        let exists = real.exists();
        Self { real, in_device, ids, exists }
    }

    /// Returns the relation of this folder to another.
    pub fn relation(&self, other: &Self) -> Relation {
        match (self.is_within(other), other.is_within(self)) {
            (true, true) => Relation::Same,
            (true, false) => Relation::Within,
            (false, true) => Relation::Around,
            (false, false) => Relation::Apart,
        }
    }

    fn is_within(&self, outer: &Self) -> bool {
        let on_disk = || match (&self.in_device, &outer.in_device) {
            (Some((device, path)), Some((outer, around))) => device == outer && path.starts_with(around),
            _ => false,
        };
        let id = outer.ids.first().filter(|_| outer.exists);
        self.real.starts_with(&outer.real) || on_disk() || id.is_some_and(|id| self.ids.contains(id))
    }
}

/// Returns the path without links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match existing {
        Some((above, real)) => path.strip_prefix(above).map_or_else(|_| real.clone(), |rest| real.join(rest)),
        None => path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn relation_sees_through_links() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("data/filestore/production/ab")).unwrap();
        symlink(path("data"), path("link")).unwrap();
        symlink(path("data/filestore/production"), path("direct")).unwrap();
        let production = Place::of(&path("data/filestore/production"));
        let relation = |name: &str| Place::of(&path(name)).relation(&production);
        for same in ["link/filestore/production", "direct", "link/../data/filestore/production"] {
            assert_eq!(relation(same), Relation::Same, "{same}");
        }
        for within in ["direct/ab", "link/filestore/production/not/there/yet"] {
            assert_eq!(relation(within), Relation::Within, "{within}");
        }
        for around in ["data", "link/filestore"] {
            assert_eq!(relation(around), Relation::Around, "{around}");
        }
        for apart in ["data/filestore/staging", "link/filestore/production2", "elsewhere"] {
            assert_eq!(relation(apart), Relation::Apart, "{apart}");
        }
        assert_eq!(Place::of(&path("link/new")).relation(&Place::of(&path("data/new"))), Relation::Same);
    }
}
