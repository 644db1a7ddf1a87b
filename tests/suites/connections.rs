//! Compares connections to a PostgreSQL server with those of libpq: TLS, and the choice of
//! PostgreSQL's programs.

mod programs;
mod tls;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::Project;

/// Returns the program with the project's configuration, and creates the repository.
async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Installs a script in place of a program.
fn install_script(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
}
