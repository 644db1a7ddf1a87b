//! Tests that a restore returns the original: every table row by row, every file byte by byte.

use harness::compare::{assert_same_database, assert_same_tree};
use harness::odoo::OdooShape;
use harness::odoo17::Odoo17;
use harness::postgres::ClusterOptions;
use harness::project::{Project, ProjectOptions, Source};
use harness::seaweed::SeaweedFs;

use crate::main_job::initialised;

/// Backs up, restores with this number of jobs, and compares.
async fn round_trip(project: &Project, jobs: &str) {
    let program = initialised(project).await;
    let now = program.run(["now", "--json"]).await.success().json();
    let id = now["backups"][0]["id"].as_str().unwrap().to_owned();
    assert!(now["backups"][0]["database"]["rows"].as_u64().unwrap() > 0, "{now}");
    let check = program.run(["check", &id, "--read-data", "--json"]).await.success().json();
    assert_eq!(check["sound"], true);
    let restored = program.run(["restore", "--to", "staging", "--jobs", jobs, "--verify=full", "--json"]).await;
    let restored = restored.success().json();
    assert_eq!(restored["backup"], id.as_str());
    let checks = restored["verification"]["checks"].as_array().unwrap();
    assert!(checks.len() == 9 && checks.iter().all(|check| check["outcome"] == "passed"), "{restored}");
    assert_same_database(project.database(), project.target_database()).await;
    // The collector's checklist is not data.
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
    assert!(!project.target_filestore().join("checklist").exists());
    let mut left: Vec<_> = project.cluster().databases();
    left.retain(|name| name.contains("restoring"));
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[tokio::test]
async fn instance_survives_folder_with_one_job() {
    round_trip(&Project::start().await, "1").await;
}

#[tokio::test]
async fn instance_survives_folder_with_several_jobs() {
    let cluster = ClusterOptions { password: true, ..ClusterOptions::default() };
    let project = Project::with(ProjectOptions { cluster, ..ProjectOptions::default() }).await;
    round_trip(&project, "2").await;
}

#[tokio::test]
async fn instance_survives_s3_round_trip() {
    let server = SeaweedFs::start();
    // Large enough that the dump and the volumes are uploaded in several parts.
    let shape = OdooShape { messages: 20_000, filestore_bytes: 40_000_000, ..OdooShape::default() };
    let repository = Some(s3(&server, "deep/prefix"));
    let project =
        Project::with(ProjectOptions { source: Source::Shape(shape), repository, ..ProjectOptions::default() }).await;
    round_trip(&project, "2").await;
}

#[tokio::test]
async fn real_odoo17_survives_folder_round_trip() {
    let Some(odoo17) = Odoo17::find() else { return };
    let project = Project::with(ProjectOptions { source: Source::Odoo17(odoo17), ..ProjectOptions::default() }).await;
    round_trip(&project, "2").await;
}

#[tokio::test]
async fn real_odoo17_survives_s3_round_trip() {
    let Some(odoo17) = Odoo17::find() else { return };
    let server = SeaweedFs::start();
    let repository = Some(s3(&server, ""));
    let project =
        Project::with(ProjectOptions { source: Source::Odoo17(odoo17), repository, ..ProjectOptions::default() }).await;
    round_trip(&project, "1").await;
}

#[tokio::test]
async fn empty_database_without_filestore_survives() {
    let project = Project::with(ProjectOptions { source: Source::Empty, ..ProjectOptions::default() }).await;
    let program = initialised(&project).await;
    let now = program.run(["now", "--json"]).await.expect_code(3).json();
    let backup = &now["backups"][0];
    assert_eq!(backup["filestore"]["files"], 0);
    assert!(backup["warnings"][0].as_str().unwrap().contains("is not Odoo's"), "{backup}");
    program.run(["restore", "--to", "staging"]).await.success();
    assert_same_database(project.database(), project.target_database()).await;
    assert!(project.target_filestore().is_dir());
}

/// Returns the lines of `[repository]` for a server's bucket.
pub(crate) fn s3(server: &SeaweedFs, prefix: &str) -> String {
    format!(
        "url = \"s3://{}/{prefix}\"\nendpoint = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"",
        server.bucket, server.endpoint, server.access_key, server.secret_key
    )
}
