//! Tests dumps in volumes: a day costs what changed, each day can be restored exactly, and damage
//! of an earlier volume neither spreads nor stays unnoticed.

mod damage;
mod days;
mod formats;

use std::fs;
use std::path::PathBuf;

use harness::cli::OdooBackup;
use harness::compare::assert_same_database;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, TARGET};
use serde_json::Value;

async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Backs up with this exit code, and returns the report of the backup.
async fn now(program: &OdooBackup, code: i32, more: &[&str]) -> Value {
    let arguments = [&["now", "--json"], more].concat();
    program.run(arguments).await.expect_code(code).json()["backups"][0].clone()
}

fn id(backup: &Value) -> &str {
    backup["id"].as_str().unwrap()
}

/// Returns the path of an object of a backup.
fn object(project: &Project, backup: &Value, name: &str) -> PathBuf {
    project.repository().join(INSTANCE).join(id(backup)).join(name)
}

/// Adds a table of this many bytes that do not compress. No backup has them yet.
fn add_table(project: &Project, name: &str, kilobytes: usize) {
    let rows = kilobytes * 8;
    let sql = format!(
        "CREATE TABLE {name} AS SELECT n, sha512(('{name}' || n)::bytea) || sha512((n || '{name}')::bytea) AS noise
         FROM generate_series(1, {rows}) n"
    );
    project.cluster().execute(INSTANCE, &sql);
}

/// Restores a backup to the target and compares it with a database.
async fn assert_restores(project: &Project, program: &OdooBackup, backup: &Value, original: &str) {
    program.run(["restore", id(backup), "--to", TARGET]).await.success();
    assert_same_database(project.cluster().database(original), project.target_database()).await;
    project.cluster().execute("postgres", &format!("DROP DATABASE {TARGET}"));
    fs::remove_dir_all(project.target_filestore()).unwrap();
}
