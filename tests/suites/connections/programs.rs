//! Tests which pg_dump and pg_restore are run if there are several, or if the right version is
//! missing.

use std::fs;

use harness::compare::{assert_same_database, assert_same_tree};
use harness::postgres::{Binaries, ClusterOptions};
use harness::project::{Project, ProjectOptions};

use crate::connections::{initialised, install_script};

/// Returns a project on a server that is newer than every client on this machine outside the tests'
/// own tools. If there is none, prints that to stderr and returns `None`: the test then checks
/// nothing.
async fn newer_than_clients() -> Option<(Project, u32)> {
    let installed = Binaries::find(None).major();
    let Some(&major) = Binaries::majors().last().filter(|major| **major > installed) else {
        eprintln!("skipped: no server newer than {installed} (tests/install-postgres-majors.sh installs some)");
        return None;
    };
    let cluster = ClusterOptions { version: Some(major), ..ClusterOptions::default() };
    Some((Project::with(ProjectOptions { cluster, ..ProjectOptions::default() }).await, major))
}

/// Sets `pg_path` of the instance and of the target.
fn set_pg_path(project: &Project, folder: &std::path::Path) {
    let config = fs::read_to_string(project.config()).unwrap();
    let config = config.replace("odoo_conf =", &format!("pg_path = \"{}\"\nodoo_conf =", folder.display()));
    fs::write(project.config(), config).unwrap();
}

/// Installs pg_dump and pg_restore that report this version and do nothing else.
fn install_old_programs(project: &Project, major: u32) -> std::path::PathBuf {
    let folder = project.path("old");
    for name in ["pg_dump", "pg_restore"] {
        let script = format!("[ \"$1\" = --version ] && echo '{name} (PostgreSQL) {major}.7' && exit\nexit 99");
        install_script(&folder.join(name), &script);
    }
    folder
}

#[tokio::test]
async fn outdated_pg_path_programs_are_skipped() {
    let project = Project::start().await;
    set_pg_path(&project, &install_old_programs(&project, 9));
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    program.run(["restore", "--to", "staging"]).await.success();
}

#[tokio::test]
async fn outdated_programs_error_names_package() {
    let Some((project, major)) = newer_than_clients().await else { return };
    let old = install_old_programs(&project, 9);
    set_pg_path(&project, &old);
    let program = initialised(&project).await;
    let refused = program.run(["now"]).await.expect_code(1);
    let expected = format!("unable to find pg_dump of version {major} or later; found: {}", old.display());
    assert!(refused.stderr.contains(&expected), "{expected:?} is not in:\n{}", refused.stderr);
    assert!(refused.stderr.contains("/old/pg_dump (9.7), "), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("install the package postgresql-client-{major} ")), "{}", refused.stderr);
    // The error comes before anything is written.
    assert!(!project.repository().join("production").exists());
    let doctor = program.run(["doctor"]).await.expect_code(1);
    assert!(doctor.stdout.contains(&format!("postgresql-client-{major}")), "{}", doctor.stdout);
}

#[tokio::test]
async fn newer_server_uses_pg_path_programs() {
    let Some((project, _)) = newer_than_clients().await else { return };
    set_pg_path(&project, project.cluster().bin("pg_dump").parent().unwrap());
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    program.run(["check", "--read-data"]).await.success();
    program.run(["restore", "--to", "staging", "--jobs", "2"]).await.success();
    assert_same_database(project.database(), project.target_database()).await;
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
}
