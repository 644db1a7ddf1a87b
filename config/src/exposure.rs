//! Whether others can read a file that holds a secret.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) struct Readers {
    /// Permission bits that none but these has.
    forbidden: u32,
    others: &'static str,
    /// What `chmod` takes to forbid them.
    mode: &'static str,
    /// On what condition that does no harm.
    condition: &'static str,
}

impl Readers {
    /// Its owner alone.
    pub(super) const OWNER: Self =
        Self { forbidden: 0o077, others: "users other than its owner", mode: "600", condition: "" };
    /// Returns whether only the owner may read it.
    pub(super) fn is_owner(self) -> bool {
        self.forbidden == Self::OWNER.forbidden
    }

    /// Its owner and its group. Debian's package installs odoo.conf as 0640, readable by Odoo's
    /// group: that is how Odoo itself reads it.
    pub(super) const GROUP: Self = Self {
        forbidden: 0o007,
        others: "every user of this machine",
        mode: "640",
        condition: ", if its group is that of Odoo",
    };
}

/// Returns a warning if other users can access `path`, which contains `what`. Ignores a file that
/// cannot be examined: it was read a moment ago, or reading it failed with an error.
pub(super) fn exposed(path: &Path, what: &str, readers: Readers) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & readers.forbidden != 0).then(|| {
        format!(
            "{} contains {what} and is accessible to {} (mode {:04o}); fix it with `chmod {} {}`{}",
            path.display(),
            readers.others,
            mode & 0o7777,
            readers.mode,
            shell_word(path),
            readers.condition,
        )
    })
}

/// Returns `path` as a word of a shell command.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._".contains(&b));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
