//! Finds the PostgreSQL versions that the tests run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with the programs of one PostgreSQL version, server and clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

/// Folder in which Debian and Ubuntu keep the major versions.
const DEBIAN: &str = "/usr/lib/postgresql";

fn own_tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/postgresql")
}

/// Returns what is installed in `<parent>/<major>/bin`.
fn newest_first(parent: &Path) -> Vec<Binaries> {
    let entries = std::fs::read_dir(parent).into_iter().flatten();
    let mut found: Vec<Binaries> = entries.filter_map(|entry| Binaries::at(&entry.ok()?.path().join("bin"))).collect();
    found.sort_by_key(|one| std::cmp::Reverse(one.major));
    found
}

impl Binaries {
    /// Finds the PostgreSQL of this major version. With `None`, finds the newest that a user of
    /// this machine has, because the program must find its clients too. Searches
    /// `$ODOO_BACKUP_TEST_PG_BIN` first, then Debian's folders and `PATH`, and last the versions
    /// that `tests/install-postgres-majors.sh` installs.
    pub fn find(version: Option<u32>) -> Self {
        let named = std::env::var_os("ODOO_BACKUP_TEST_PG_BIN").and_then(|folder| Self::at(Path::new(&folder)));
        let candidates = named.into_iter().chain(newest_first(Path::new(DEBIAN))).chain(Self::on_path());
        candidates
            .chain(std::iter::once_with(|| newest_first(&own_tools())).flatten())
            .find(|found| version.is_none_or(|major| found.major == major))
            .unwrap_or_else(|| {
                let version = version.map_or(String::new(), |major| format!(" {major}"));
                panic!(
                    "no PostgreSQL{version} server on this machine: install Debian's package postgresql (`make tools`), \
                     run tests/install-postgres-majors.sh, or name its folder of programs in $ODOO_BACKUP_TEST_PG_BIN"
                )
            })
    }

    /// Returns the available major versions, oldest first.
    pub fn majors() -> Vec<u32> {
        let mut majors: Vec<u32> =
            [Path::new(DEBIAN), &own_tools()].into_iter().flat_map(newest_first).map(|found| found.major).collect();
        majors.sort_unstable();
        majors.dedup();
        majors
    }

    fn on_path() -> Option<Self> {
        std::env::split_paths(&std::env::var_os("PATH")?).find_map(|folder| Self::at(&folder))
    }

    /// Returns the PostgreSQL in this folder if it has both a server and clients.
    fn at(folder: &Path) -> Option<Self> {
        // Resolves links to the real folder, because initdb expects the files of its version next
        // to it.
        let folder = folder.join("initdb").canonicalize().ok()?.parent()?.to_owned();
        if !["postgres", "psql", "pg_dump", "pg_restore"].iter().all(|program| folder.join(program).exists()) {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let version = String::from_utf8(output.stdout).ok()?;
        let major = version.split_whitespace().nth(2)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        Some(Self { folder, major })
    }

    /// Returns the major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Returns the folder itself, as `pg_path` takes it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
