//! A real Odoo 17 database with its filestore, if this machine has it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::postgres::{Cluster, USER, run};

/// The folder with `database.dump` (pg_dump's custom format) and `filestore.tar.zst`.
#[derive(Debug, Clone)]
pub struct Odoo17 {
    folder: PathBuf,
}

impl Odoo17 {
    /// Finds `$ODOO_BACKUP_ODOO17`, else `shared/data/odoo17-demo` next to the repository. If
    /// neither exists, prints that to stderr and returns `None`: the test then ends without
    /// checking anything, and only generated data is tested.
    pub fn find() -> Option<Self> {
        let folder = match std::env::var_os("ODOO_BACKUP_ODOO17") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/odoo17-demo"),
        };
        if folder.join("database.dump").is_file() && folder.join("filestore.tar.zst").is_file() {
            return Some(Self { folder });
        }
        eprintln!("skipped: no real Odoo 17 data at {} (or name its folder in $ODOO_BACKUP_ODOO17)", folder.display());
        None
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Creates the database, restores it with [`USER`] as owner, and unpacks the filestore into
    /// this folder.
    pub fn restore_into(&self, cluster: &Cluster, database: &str, filestore: &Path) {
        cluster.create_database(database);
        let dump = File::open(self.folder.join("database.dump")).expect("the dump of the real database");
        let mut pg_restore = cluster.command("pg_restore", USER);
        // --no-owner: the dump names the role that created it, which does not exist here.
        pg_restore.args(["--no-owner", "--no-privileges", "--exit-on-error", "--dbname", database]).stdin(dump);
        run(&mut pg_restore);
        fs::create_dir_all(filestore).expect("the filestore's folder");
        run(Command::new("tar")
            .arg("--zstd")
            .arg("-xf")
            .arg(self.folder.join("filestore.tar.zst"))
            .arg("-C")
            .arg(filestore));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_data_is_restored_completely() {
        let Some(odoo17) = Odoo17::find() else { return };
        let cluster = Cluster::start();
        let filestore = tempfile::tempdir().unwrap();
        odoo17.restore_into(&cluster, "odoo17", filestore.path());
        let sql = "SELECT latest_version FROM ir_module_module WHERE name = 'base'";
        assert_eq!(cluster.execute("odoo17", sql).trim(), "17.0.1.3");
        let sql = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL";
        let named = cluster.execute("odoo17", sql);
        assert!(named.lines().count() > 100);
        for path in named.lines() {
            assert!(filestore.path().join(path).is_file(), "{path}");
        }
    }
}
