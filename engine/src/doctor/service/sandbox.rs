//! What the sandbox of a service allows, as systemd.exec(5) describes it.

use std::path::{Path, PathBuf};

use super::ServiceUnit;

/// What a service may do with a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// It may write.
    Write,
    /// It may only read.
    Read,
    /// It does not see it.
    Hidden,
    /// It may only read, because this path in `ReadWritePaths=` does not exist yet.
    Absent(PathBuf),
}

/// Returns what the service may do with a folder: the setting with the longest path decides.
pub(super) fn reach(unit: &ServiceUnit, path: &Path) -> Reach {
    let path = real(path);
    let mut rules: Vec<(PathBuf, Reach)> = Vec::new();
    let mut rule = |paths: &[&str], reach: Reach| rules.extend(paths.iter().map(|path| (path.into(), reach.clone())));
    let switch = |key: &str| unit.setting(key).map(str::to_lowercase).unwrap_or_default();
    let is_on = |value: &str| ["yes", "true", "on", "1"].contains(&value);
    match switch("ProtectSystem").as_str() {
        "strict" => {
            rule(&["/"], Reach::Read);
            rule(&["/dev", "/proc", "/sys"], Reach::Write);
        }
        "full" => rule(&["/usr", "/boot", "/efi", "/etc"], Reach::Read),
        value if is_on(value) => rule(&["/usr", "/boot", "/efi"], Reach::Read),
        _ => {}
    }
    match switch("ProtectHome").as_str() {
        "read-only" => rule(&["/home", "/root", "/run/user"], Reach::Read),
        "tmpfs" => rule(&["/home", "/root", "/run/user"], Reach::Hidden),
        value if is_on(value) => rule(&["/home", "/root", "/run/user"], Reach::Hidden),
        _ => {}
    }
    if is_on(&switch("PrivateTmp")) {
        // It has folders of its own in their places.
        rule(&["/tmp", "/var/tmp"], Reach::Hidden);
    }
    for (key, reach) in [
        ("ReadOnlyPaths", Reach::Read),
        ("BindReadOnlyPaths", Reach::Read),
        ("InaccessiblePaths", Reach::Hidden),
        ("BindPaths", Reach::Write),
    ] {
        rules.extend(unit.paths(key).into_iter().map(|(path, _)| (real(&path), reach.clone())));
    }
    for (allowed, optional) in unit.paths("ReadWritePaths") {
        let reach = if optional && !allowed.exists() { Reach::Absent(allowed.clone()) } else { Reach::Write };
        rules.push((real(&allowed), reach));
    }
    for (key, above) in [
        ("StateDirectory", "/var/lib"),
        ("CacheDirectory", "/var/cache"),
        ("LogsDirectory", "/var/log"),
        ("RuntimeDirectory", "/run"),
    ] {
        rules.extend(unit.paths(key).into_iter().map(|(name, _)| (Path::new(above).join(name), Reach::Write)));
    }
    // Of the same path, the later rule is the more specific one.
    let decisive = rules.into_iter().filter(|(rule, _)| path.starts_with(rule));
    decisive.max_by_key(|(rule, _)| rule.components().count()).map_or(Reach::Write, |(_, reach)| reach)
}

/// Returns a path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match existing {
        Some((above, real)) => path.strip_prefix(above).map_or_else(|_| path.to_owned(), |rest| real.join(rest)),
        None => path.to_owned(),
    }
}
