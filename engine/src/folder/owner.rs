//! Sets the owner of new files. What root creates in another user's folder would otherwise be
//! inaccessible to that user.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::{restrict, tolerate};

/// Returns whether this process may change the owner of files.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives what root just created in `folder` to that folder's owner and group. Other users keep what
/// they create.
///
/// # Errors
/// Those of the operating system. A file system without owners, or a server that does not let root
/// change them, is tolerated.
pub fn inherit(made: &File, folder: &Path) -> io::Result<()> {
    if !is_root() {
        return Ok(());
    }
    let (own, around) = (made.metadata()?, folder.metadata()?);
    if (own.uid(), own.gid()) == (around.uid(), around.gid()) {
        return Ok(());
    }
    match std::os::unix::fs::fchown(made, Some(around.uid()), Some(around.gid())) {
        Err(error) if super::is_unsupported(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
            tolerate(folder, "does not let root change the owner of files: the owner stays the same");
            Ok(())
        }
        result => result,
    }
}

/// Does the same as [`inherit`] for a path that is not a link.
///
/// # Errors
/// Those of [`inherit`]
pub(crate) fn inherit_path(path: &Path) -> io::Result<()> {
    if !is_root() {
        return Ok(());
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let made = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    // The parent of a relative path's first segment is "".
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    inherit(&made, folder.unwrap_or(Path::new(".")))
}

/// Creates a folder and its missing parents, each as `make` does.
///
/// # Errors
/// Those of `make`
pub fn make_all(folder: &Path, mode: u32) -> io::Result<()> {
    match make(folder, mode) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match folder.parent() {
            Some(above) if !above.as_os_str().is_empty() => {
                make_all(above, mode)?;
                make(folder, mode)
            }
            _ => Err(error),
        },
        other => other,
    }
}

/// Creates a folder with these permissions, whatever the umask, unless it exists. As root, gives it
/// the owner of the folder around it.
///
/// # Errors
/// Those of the operating system, also if something other than a folder has the name
pub(crate) fn make(folder: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(folder) {
        Ok(()) => {
            let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
            let made = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(folder)?;
            restrict(&made, folder, mode)?;
            let around = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            inherit(&made, around.unwrap_or(Path::new(".")))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A link to a folder counts as a folder, except for root, which follows no links here.
            let found = if is_root() { folder.symlink_metadata()? } else { folder.metadata()? };
            if found.is_dir() || is_root() && found.is_symlink() && found.uid() == 0 && folder.is_dir() {
                Ok(())
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
    }
}

/// Returns the name of a user, or the number if there is none.
pub fn user_name(user: u32) -> String {
    name_in("/etc/passwd", user)
}

/// Returns the home of a user; `None` if there is no such user.
pub fn home_of(user: &str) -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (*fields.first()? == user).then(|| fields.get(5).map(|home| (*home).to_owned()))?
    })
}

/// Returns `odoo:odoo`, as `chown` accepts it.
pub(crate) fn owner_text(user: u32, group: u32) -> String {
    format!("{}:{}", user_name(user), name_in("/etc/group", group))
}

/// Returns the name of a number in a file of lines `name:password:number:…`. Returns the number if
/// `chown` would not accept the name as it is.
fn name_in(file: &str, number: u32) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let number = number.to_string();
    let name = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, found) = (fields.next()?, fields.next()?, fields.next()?);
        (found == number).then_some(name)
    });
    let is_plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.$".contains(&byte));
    name.filter(is_plain).map_or(number.clone(), str::to_owned)
}
