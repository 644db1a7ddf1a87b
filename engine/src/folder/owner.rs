//! Whom new files belong to. What root makes in another user's folder would lock that user out.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::{restrict, tolerate};

/// Returns whether this process may give files away.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// As root, gives what was just made in `folder` to the owner and the group of that. Other users
/// keep what they make.
///
/// # Errors
/// Those of the operating system. A file system that keeps no owners, or a server that lets root
/// give nothing away, is tolerated.
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

/// Does the same as [`inherit`], of what is called `path`, which is no link.
///
/// # Errors
/// Those of [`inherit`]
pub(crate) fn inherit_path(path: &Path) -> io::Result<()> {
    if !is_root() {
        return Ok(());
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let made = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    // The parent of a relative path's first segment is spelt "".
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    inherit(&made, folder.unwrap_or(Path::new(".")))
}

/// Does the same as `make`, and makes those above it that are missing, too.
///
/// # Errors
/// As `make`
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

/// Makes a folder with these permissions whatever the umask, unless it is there. As root it gets
/// the owner of the folder that it is made in.
///
/// # Errors
/// Those of the operating system, also where something else than a folder has the name.
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
            // A link to a folder is one by whoever made it; root follows nobody's.
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

/// Name of a user, or the number where it has none.
pub fn user_name(user: u32) -> String {
    name_in("/etc/passwd", user)
}

/// `odoo:odoo`, as `chown` takes it.
pub(crate) fn owner_text(user: u32, group: u32) -> String {
    format!("{}:{}", user_name(user), name_in("/etc/group", group))
}

/// Returns the name that a file of lines `name:password:number:…` has for a number. Only what
/// `chown` takes as it is.
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
