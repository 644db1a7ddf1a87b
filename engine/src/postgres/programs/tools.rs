//! Which pg_dump and pg_restore to run.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::postgres::PostgresError;

/// An installed program of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its path.
    pub path: PathBuf,
    /// Its version as it prints it: `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// The first part of the version.
    pub major: u32,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path.display(), self.version)
    }
}

/// The folders to search for PostgreSQL's programs, in order.
#[derive(Debug, Clone)]
pub struct Tools {
    folders: Vec<PathBuf>,
}

impl Tools {
    /// Searches `pg_path` first, then where Debian and Red Hat keep every installed version, then
    /// `PATH`.
    pub fn new(pg_path: Option<&Path>) -> Self {
        let mut folders: Vec<PathBuf> = pg_path.map(Path::to_owned).into_iter().collect();
        folders.extend(versioned_folders(Path::new("/usr/lib/postgresql"), ""));
        folders.extend(versioned_folders(Path::new("/usr"), "pgsql-"));
        if let Some(path) = std::env::var_os("PATH") {
            // Last, because on Debian /usr/bin/pg_dump is a wrapper that chooses a version by its
            // own rules.
            folders.extend(std::env::split_paths(&path));
        }
        Self { folders }
    }

    /// Returns the program of exactly this major version, or else of the nearest later one: pg_dump
    /// refuses a newer server, and an archive needs a pg_restore that is at least as new.
    ///
    /// # Errors
    /// [`PostgresError::NoTool`]
    pub async fn find(&self, program: &'static str, major: u32) -> Result<Tool, PostgresError> {
        let installed = self.installed(program).await;
        let best = installed.iter().filter(|tool| tool.major >= major).min_by_key(|tool| tool.major);
        best.cloned().ok_or_else(|| PostgresError::NoTool {
            program,
            wanted: major,
            found: match installed.is_empty() {
                true => "none".to_owned(),
                false => installed.iter().map(Tool::to_string).collect::<Vec<_>>().join(", "),
            },
        })
    }

    /// Returns every version of a program that is installed and answers, in the order of the
    /// folders.
    pub async fn installed(&self, program: &str) -> Vec<Tool> {
        let mut seen = BTreeSet::new();
        let mut tools = Vec::new();
        for path in self.folders.iter().map(|folder| folder.join(program)) {
            let Ok(real) = path.canonicalize() else { continue };
            if !seen.insert(real) {
                continue;
            }
            match Command::new(&path).arg("--version").output().await {
                Ok(output) if output.status.success() => {
                    tools.extend(parse(path, &String::from_utf8_lossy(&output.stdout)));
                }
                _ => tracing::debug!(path = %path.display(), "no answer to --version"),
            }
        }
        tools
    }
}

fn versioned_folders(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut folders: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let major: u32 = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    folders.sort();
    folders.into_iter().map(|(_, folder)| folder).collect()
}

/// Parses `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; development versions say
/// `18beta1`.
fn parse(path: PathBuf, output: &str) -> Option<Tool> {
    let version = output.trim().split_once("(PostgreSQL) ")?.1.to_owned();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some(Tool { path, major: digits.parse().ok()?, version })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn install(folder: &Path, name: &str, script: &str) -> PathBuf {
        let bin = folder.join(name);
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("pg_dump"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join("pg_dump"), fs::Permissions::from_mode(0o755)).unwrap();
        bin
    }

    #[tokio::test]
    async fn nearest_later_version_is_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let folders = vec![
            install(folder.path(), "broken", "exit 1"),
            install(folder.path(), "17", "echo 'pg_dump (PostgreSQL) 17.11'"),
            install(folder.path(), "14", "echo 'pg_dump (PostgreSQL) 14.23 (Debian 14.23-1)'"),
            install(folder.path(), "18", "echo 'pg_dump (PostgreSQL) 18beta1'"),
            folder.path().join("not there"),
        ];
        let tools = Tools { folders: folders.clone() };
        for (wanted, found) in [(13, 14), (14, 14), (15, 17), (17, 17), (18, 18)] {
            assert_eq!(tools.find("pg_dump", wanted).await.unwrap().major, found);
        }
        let error = tools.find("pg_dump", 19).await.unwrap_err();
        assert!(error.to_string().starts_with("unable to find pg_dump of version 19 or later; found: "), "{error}");
        assert!(error.hint().unwrap().contains("postgresql-client-19"));
        let none = Tools { folders: vec![] }.find("pg_dump", 15).await.unwrap_err();
        assert_eq!(none.to_string(), "unable to find pg_dump of version 15 or later; found: none");
    }
}
