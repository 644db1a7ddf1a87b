//! Runs one database with every kind of PostgreSQL object through every command.

use std::path::Path;

use harness::compare::assert_same_content;
use harness::odoo_backup;
use harness::postgres::{Binaries, Cluster, ClusterOptions, USER};
use harness::project::{INSTANCE, Project, ProjectOptions, TARGET};

use super::initialised;

const SCRIPT: &str = include_str!("exotic.sql");

/// Fills the database as its owner. On a server without ICU, that collation is left out.
fn fill(cluster: &Cluster, database: &str, folder: &Path) {
    let has_icu =
        cluster.execute(database, "SELECT EXISTS (SELECT FROM pg_collation WHERE collname LIKE '%-x-icu')").trim()
            == "t";
    let lines = SCRIPT.lines().filter(|line| has_icu || !line.contains("provider = icu"));
    let script = folder.join("exotic.sql");
    std::fs::write(&script, lines.flat_map(|line| [line, "\n"]).collect::<String>()).unwrap();
    let mut psql = cluster.command("psql", USER);
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--output=/dev/null",
        "--set=ON_ERROR_STOP=1",
        "--dbname",
        database,
        "--file",
    ]);
    assert!(psql.arg(&script).status().unwrap().success());
}

async fn exotic(version: Option<u32>) -> Project {
    let cluster =
        ClusterOptions { version, settings: vec![("wal_level".into(), "logical".into())], ..ClusterOptions::default() };
    let project = Project::with(ProjectOptions { cluster, ..ProjectOptions::default() }).await;
    fill(project.cluster(), INSTANCE, &project.path(""));
    project
}

#[tokio::test]
async fn exotic_database_survives_all_commands() {
    let project = exotic(None).await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    program.run(["check", "--read-data"]).await.success();
    program.run(["drill", "--jobs", "4"]).await.success();
    for jobs in ["1", "4"] {
        let restore = ["restore", "--to", TARGET, "--jobs", jobs, "--force-production", TARGET];
        program.run(restore).await.success();
        assert_same_content(project.database(), project.target_database()).await;
    }
    program.run(["restore", "--undo", "--to", TARGET, "--force-production", TARGET]).await.success();
    assert_same_content(project.database(), project.target_database()).await;

    let (zip, dump) = (project.path("exported.zip"), project.path("exported.dump"));
    let (zip, dump) = (zip.to_str().unwrap(), dump.to_str().unwrap());
    program.run(["export", "latest", "-o", zip]).await.success();
    program.run(["export", "latest", "--format", "dump", "-o", dump.strip_suffix(".dump").unwrap()]).await.success();
    for (file, name) in [(zip, "zip"), (dump, "dump")] {
        program.run(["import", file, "--as", name]).await.success();
        let latest = format!("{name}/latest");
        program.run(["restore", &latest, "--to", TARGET, "--force-production", TARGET]).await.success();
        assert_same_content(project.database(), project.target_database()).await;
    }
}

#[tokio::test]
async fn exotic_database_is_restored_from_copy() {
    let project = exotic(None).await;
    let offsite = format!("[repository.offsite]\nurl = \"file://{}\"\n", project.path("offsite").display());
    project.write_config(&format!("url = \"file://{}\"", project.repository().display()), &offsite);
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    program.run(["copy", "--to", "offsite"]).await.success();
    program.run(["restore", "--repository", "offsite", "--to", TARGET]).await.success();
    assert_same_content(project.database(), project.target_database()).await;
}

/// Tests the oldest and the newest major version, and all of them with `make majors`.
#[tokio::test]
async fn exotic_database_survives_other_majors() {
    let majors = Binaries::majors();
    let all = std::env::var_os("ODOO_BACKUP_TEST_ALL_MAJORS").is_some();
    let chosen = majors.iter().filter(|major| all || [majors.first(), majors.last()].contains(&Some(major)));
    for major in chosen {
        let project = exotic(Some(*major)).await;
        use_programs_of(&project, *major);
        let program = odoo_backup!(project.config());
        program.run(["init"]).await.success();
        program.run(["now"]).await.success();
        program.run(["restore", "--to", TARGET]).await.success();
        assert_same_content(project.database(), project.target_database()).await;
    }
}

/// Sets the programs of this major version for the instance and the target.
pub(super) fn use_programs_of(project: &Project, major: u32) {
    let programs = Binaries::find(Some(major)).folder().display().to_string();
    let config = std::fs::read_to_string(project.config()).unwrap();
    let config = config.replace("\ndatabase = ", &format!("\npg_path = \"{programs}\"\ndatabase = "));
    std::fs::write(project.config(), config).unwrap();
}
