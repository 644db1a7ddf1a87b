//! Suggests what to do when the operating system refuses something.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{file_system_of, owner_text, user_name};

/// Returns what to do about an error of reading or writing `path`, if the error alone shows that.
pub fn hint_of(error: &io::Error, path: &Path) -> Option<String> {
    Some(match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => read_only(path),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space; nothing was left behind".into(),
        io::ErrorKind::FileTooLarge => {
            let name = existing(path).and_then(file_system_of).unwrap_or_else(|| "there".into());
            format!("use another file system: this one ({name}), or the limit `ulimit -f`, forbids files of this size")
        }
        _ => return None,
    })
}

/// Returns what to do if the file system cannot be written.
pub(crate) fn read_only(path: &Path) -> String {
    let folder = existing(path).unwrap_or(path);
    format!(
        "mount the file system writable; for a systemd service with `ProtectSystem=strict`, add \
         `ReadWritePaths={}` by `systemctl edit`",
        folder.display()
    )
}

/// Returns what to do if this user may not read or write `path`, which is part of `root`: the
/// repository or the state folder.
pub fn denied(path: &Path, root: &Path) -> String {
    let own = rustix::process::geteuid().as_raw();
    let Ok(around) = root.metadata() else { return "run as a user who may enter the folder".into() };
    let folder = root.display();
    if own == 0 {
        return format!(
            "run as {}, because root may not write in {folder}: a network file system may map root to another user",
            user_name(around.uid())
        );
    }
    let owner = owner_text(around.uid(), around.gid());
    if around.uid() == own {
        let by = existing(path).and_then(|path| path.symlink_metadata().ok()).map(|found| found.uid());
        let by = by.filter(|user| *user != own).map(|user| format!(" of {}", user_name(user))).unwrap_or_default();
        return format!("something in {folder} is another user's{by}: run `sudo chown -R {owner} {folder}`");
    }
    let this = owner_text(own, rustix::process::getegid().as_raw());
    format!(
        "run as {}, who owns {folder}, or give it to this user: `sudo chown -R {this} {folder}`",
        user_name(around.uid())
    )
}

/// Returns the path, or the lowest of its parents that exists.
fn existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|path| path.symlink_metadata().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_hint_names_path() {
        let error = io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
        let hint = hint_of(&error, Path::new("/proc/nothing/there")).unwrap();
        assert!(hint.contains("ReadWritePaths=/proc`"), "{hint}");
        assert_eq!(hint_of(&io::ErrorKind::NotFound.into(), Path::new("/")), None);
    }
}
