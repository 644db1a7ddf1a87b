//! Reads libpq's password file (`~/.pgpass`), so that this program's connections find what pg_dump
//! finds.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::secret::Secret;

/// Returns the password of the first matching line, if there is one and the file is private enough
/// for libpq.
pub(in crate::postgres) fn find(file: &Path, host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
    let metadata = std::fs::metadata(file).ok()?;
    if !metadata.is_file() {
        return None;
    }
    if metadata.mode() & 0o077 != 0 {
        tracing::warn!(
            "the password file {} is ignored, as by libpq, because other users can read it: run `chmod 600` on it",
            file.display()
        );
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| password_for(line, &[host, &port.to_string(), database, user])).map(Secret::new)
}

/// Returns the line's password if its fields match `wanted`: `host:port:database:user:password`,
/// `*` for any, `\` escapes `:` and `\`.
fn password_for(line: &str, wanted: &[&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut any = true;
    let mut matches = true;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let index = fields.len() - 1;
        match character {
            '\\' => {
                fields[index].extend(characters.next());
                any = false;
            }
            ':' if index < 4 => {
                matches &= (any && fields[index] == "*") || fields[index] == wanted[index];
                fields.push(String::new());
                any = true;
            }
            other => fields[index].push(other),
        }
    }
    (matches && fields.len() == 5).then(|| fields.pop())?
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const WANTED: [&str; 4] = ["db", "5432", "production", "odoo"];

    #[test]
    fn line_matches_by_four_fields() {
        for (line, password) in [
            ("db:5432:production:odoo:secret", Some("secret")),
            ("*:*:*:odoo:secret", Some("secret")),
            ("*:*:*:*:with:colon", Some("with:colon")),
            (r"*:*:*:*:with\:colon\\", Some(r"with:colon\")),
            ("db:5433:production:odoo:secret", None),
            ("db:5432:other:odoo:secret", None),
            ("#db:5432:production:odoo:secret", None),
            (r"\*:5432:production:odoo:secret", None),
            ("db:5432:production:odoo", None),
            ("", None),
        ] {
            assert_eq!(password_for(line, &WANTED).as_deref(), password, "{line}");
        }
    }

    #[test]
    fn file_readable_by_others_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgpass");
        fs::write(&file, "other:*:*:*:wrong\n*:*:*:*:right\n*:*:*:*:late\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(find(&file, "db", 5432, "production", "odoo"), Some(Secret::new("right")));
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(find(&file, "db", 5432, "production", "odoo"), None);
    }
}
