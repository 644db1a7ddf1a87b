//! Which PostgreSQL the tests run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of one PostgreSQL's programs, server and clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The PostgreSQL of this major version, or the newest. `$ODOO_BACKUP_TEST_PG_BIN` is asked first, then Debian's folders,
    /// the ones that `tests/install-postgres-majors.sh` makes, and `PATH`.
    pub fn find(version: Option<u32>) -> Self {
        let wanted = |found: &Self| version.is_none_or(|major| found.major == major);
        let named = std::env::var_os("ODOO_BACKUP_TEST_PG_BIN").and_then(|folder| Self::at(Path::new(&folder)));
        named
            .filter(&wanted)
            .or_else(|| Self::installed().into_iter().rev().find(&wanted))
            .or_else(|| Self::on_path().filter(&wanted))
            .unwrap_or_else(|| {
                let version = version.map_or(String::new(), |major| format!(" {major}"));
                panic!(
                    "no PostgreSQL{version} server on this machine: install Debian's package postgresql (`make tools`), \
                     run tests/install-postgres-majors.sh, or name its folder of programs in $ODOO_BACKUP_TEST_PG_BIN"
                )
            })
    }

    /// All that are installed side by side, oldest first, one of each major version.
    pub fn installed() -> Vec<Self> {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/postgresql");
        let mut found: Vec<Self> = [Path::new("/usr/lib/postgresql"), &tools]
            .into_iter()
            .filter_map(|parent| std::fs::read_dir(parent).ok())
            .flatten()
            .filter_map(|entry| Self::at(&entry.ok()?.path().join("bin")))
            .collect();
        found.sort_by_key(|one| one.major);
        found.dedup_by_key(|one| one.major);
        found
    }

    fn on_path() -> Option<Self> {
        std::env::split_paths(&std::env::var_os("PATH")?).find_map(|folder| Self::at(&folder))
    }

    /// The PostgreSQL in this folder, where it has both a server and clients.
    fn at(folder: &Path) -> Option<Self> {
        // Through a link to the real folder, because initdb looks for its own version's files beside it.
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

    /// The major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The folder itself, as `pg_path` takes it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
