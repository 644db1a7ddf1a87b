//! Whether a configuration is trusted. One that was found by searching may be another user's, put
//! where an administrator will run a command.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use engine::folder::user_name;

const ROOT: u32 = 0;
const STICKY: u32 = 0o1000;

/// Returns why a file or a folder is not trusted: which user other than root and this one can
/// change its content. Returns `None` if there is no such user, or no such file.
///
/// What counts is the path itself, where it leads to, and the folders above both. A folder further
/// up may be open to all where only owners can rename what is in it, as `/tmp` is; the nearest may
/// not, because any user could have created what is found there.
pub(super) fn distrust(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = path.canonicalize().ok();
    let places = [Some(path.clone()), real.filter(|real| *real != path)];
    places.iter().flatten().find_map(|place| distrust_place(place))
}

fn distrust_place(path: &Path) -> Option<String> {
    for (distance, place) in path.ancestors().enumerate() {
        let found = match place.symlink_metadata() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Some(format!("unable to read the owner and the mode of {}: {error}", place.display()));
            }
        };
        if !is_ours(found.uid()) {
            return Some(format!("{} belongs to {}", place.display(), user_name(found.uid())));
        }
        let may_be_sticky = distance > 1 && found.mode() & STICKY != 0;
        // Links are writable by every user, but only their owner can replace them.
        if !found.is_symlink() && !may_be_sticky && is_open(&found) {
            let mode = found.permissions().mode() & 0o7777;
            return Some(format!("others may write to {} (mode {mode:04o})", place.display()));
        }
    }
    None
}

fn is_ours(user: u32) -> bool {
    user == ROOT || user == rustix::process::geteuid().as_raw()
}

/// Returns whether others than root and this user may write.
fn is_open(found: &Metadata) -> bool {
    let by_others = found.mode() & 0o002 != 0;
    let by_group = found.mode() & 0o020 != 0;
    by_others || by_group && found.gid() != ROOT && !is_private_group(found.gid())
}

/// Returns whether this user is the only member of a group: most distributions create one for each
/// user.
fn is_private_group(group: u32) -> bool {
    let own = rustix::process::geteuid();
    if own.is_root() || rustix::process::getegid().as_raw() != group {
        return false;
    }
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let own = user_name(own.as_raw());
    text.lines().any(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, number, members] = fields.as_slice() else { return false };
        *name == own
            && *number == group.to_string()
            && members.split(',').all(|member| member.is_empty() || member == own)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn own_private_file_is_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        mode(&file, 0o644);
        assert_eq!(distrust(&file), None);
        assert_eq!(distrust(&folder.path().join("absent")), None);
    }

    #[test]
    fn writable_file_or_folder_is_distrusted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        mode(&file, 0o666);
        assert!(distrust(&file).unwrap().contains("(mode 0666)"));
        mode(&file, 0o600);
        mode(folder.path(), 0o1777);
        assert!(distrust(&file).unwrap().contains("(mode 1777)"));
    }

    #[test]
    fn strangers_path_is_distrusted() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("only root can give a file away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(distrust(&link), None);
        std::os::unix::fs::lchown(&link, Some(4321), None).unwrap();
        assert!(distrust(&link).unwrap().ends_with("link belongs to 4321"));
        chown(&file, Some(4321), None).unwrap();
        assert!(distrust(&file).unwrap().ends_with("file belongs to 4321"));
        chown(&file, Some(0), None).unwrap();
        chown(folder.path(), Some(4321), None).unwrap();
        assert!(distrust(&file).unwrap().contains("belongs to 4321"));
    }
}
