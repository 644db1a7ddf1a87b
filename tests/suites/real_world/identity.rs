//! Tests two databases under one instance name.

use harness::cli::{OdooBackup, Run};
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, ProjectOptions, Source};
use rustix::process::Signal;

use crate::daemon::Service;

/// Returns the project's program, using the repository of another project.
fn in_repository_of(project: &Project, other: &Project) -> OdooBackup {
    project.write_config(&format!("url = \"file://{}\"", other.repository().display()), "");
    odoo_backup!(project.config())
}

fn set_uuid(project: &Project, uuid: &str) {
    let sql = format!("UPDATE ir_config_parameter SET value = '{uuid}' WHERE key = 'database.uuid'");
    project.cluster().execute(INSTANCE, &sql);
}

async fn count(program: &OdooBackup) -> usize {
    program.run(["list", "--json"]).await.success().json()["backups"].as_array().unwrap().len()
}

#[track_caller]
fn assert_refused(run: Run) {
    let run = run.expect_code(1);
    let expected = ["this is not the database of the backup production/", "--accept-new-identity", "another name"];
    assert!(expected.iter().all(|text| run.stderr.contains(text)), "{}", run.stderr);
}

#[tokio::test]
async fn second_database_under_name_is_refused() {
    let (one, other) = (Project::start().await, Project::start().await);
    let program = odoo_backup!(one.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    set_uuid(&other, "11111111-7b7f-11ee-9c2f-0242ac120002");
    let stranger = in_repository_of(&other, &one);
    assert_refused(stranger.run(["now"]).await);
    let doctor = stranger.run(["doctor"]).await.expect_code(1).stdout;
    assert!(doctor.contains("this is not the database"), "{doctor}");
    assert_eq!(count(&program).await, 1);
    program.run(["now"]).await.success();

    stranger.run(["now", "--accept-new-identity"]).await.expect_code(2);
    let accepted = stranger.run(["now", INSTANCE, "--accept-new-identity"]).await.expect_code(3);
    assert!(accepted.stderr.contains("accepted as the new database"), "{}", accepted.stderr);
    stranger.run(["now"]).await.success();
    assert_refused(program.run(["now"]).await);
}

#[tokio::test]
async fn other_databases_backup_serves_no_slot() {
    let service = Service::with("schedule = \"0 2 * * *\"\nretries = 3", "").await;
    service.program.run(["now"]).await.success();
    set_uuid(&service.project, "11111111-7b7f-11ee-9c2f-0242ac120002");
    service.pretend_absence();
    let mut daemon = service.start();
    let outcomes = service.ended(&mut daemon, 1).await;
    assert_eq!((&outcomes[0]["result"], &outcomes[0]["attempts"]), (&"failed".into(), &1.into()), "{outcomes:?}");
    assert!(outcomes[0]["error"]["hint"].as_str().unwrap().contains("--accept-new-identity"), "{outcomes:?}");
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
    service.program.run(["status"]).await.expect_code(1);
}

#[tokio::test]
async fn same_database_on_other_server_continues() {
    // Both are generated with the same uuid, as in a copy of the data.
    let (lost, restored) = (Project::start().await, Project::start().await);
    let program = odoo_backup!(lost.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    let moved = in_repository_of(&restored, &lost);
    moved.run(["now"]).await.success();
    moved.run(["now"]).await.success();
    // If the former server still has it, the backups alternate, and each hides what the other lost.
    let turns = program.run(["now"]).await.expect_code(3);
    assert!(turns.stderr.contains("a copy of this database on another server"), "{}", turns.stderr);
}

#[tokio::test]
async fn uuidless_database_is_identified_by_server() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    project.cluster().execute(INSTANCE, "DELETE FROM ir_config_parameter WHERE key = 'database.uuid'");
    let unclear = program.run(["now"]).await.expect_code(3);
    assert!(unclear.stderr.contains("no longer has its database.uuid"), "{}", unclear.stderr);
    program.run(["now"]).await.success();

    let stranger = Project::start().await;
    stranger.cluster().execute(INSTANCE, "DELETE FROM ir_config_parameter WHERE key = 'database.uuid'");
    assert_refused(in_repository_of(&stranger, &project).run(["now"]).await);
}

#[tokio::test]
async fn foreign_database_is_identified_by_server() {
    let empty = || ProjectOptions { source: Source::Empty, ..ProjectOptions::default() };
    let (one, other) = (Project::with(empty()).await, Project::with(empty()).await);
    std::fs::create_dir_all(one.filestore()).unwrap();
    std::fs::create_dir_all(other.filestore()).unwrap();
    let program = odoo_backup!(one.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.expect_code(3);
    program.run(["now"]).await.expect_code(3);
    assert_refused(in_repository_of(&other, &one).run(["now"]).await);
}

#[tokio::test]
async fn import_of_another_database_is_refused() {
    let (one, other) = (Project::start().await, Project::start().await);
    let program = odoo_backup!(one.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    set_uuid(&other, "11111111-7b7f-11ee-9c2f-0242ac120002");
    let (own, foreign) = (one.path("own.dump"), one.path("foreign.dump"));
    for (project, dump) in [(&one, &own), (&other, &foreign)] {
        let mut pg_dump = project.cluster().command("pg_dump", project.cluster().user());
        assert!(pg_dump.args(["--format=custom", "--file"]).arg(dump).arg(INSTANCE).status().unwrap().success());
    }
    let import = |dump: &std::path::Path| {
        let dump = dump.to_str().unwrap().to_owned();
        ["import".to_owned(), dump, "--as".to_owned(), INSTANCE.to_owned(), "--trusted".to_owned()]
    };
    let refused = program.run(import(&foreign)).await.expect_code(1);
    assert!(refused.stderr.contains("this is not the database of the backup"), "{}", refused.stderr);
    program.run(import(&own)).await.expect_code(3);
}
