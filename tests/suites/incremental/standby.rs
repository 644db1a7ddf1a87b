//! Tests a hot standby as the source: the backup needs nothing from the primary.

use std::fs;
use std::time::Duration;

use harness::compare::{assert_same_database, assert_same_tree};
use harness::postgres::{Cluster, SUPERUSER};
use harness::project::{INSTANCE, Project, TARGET};

use crate::incremental::{initialised, now};

/// Waits until the standby has everything that the primary has now.
async fn until_caught_up(primary: &Cluster, standby: &Cluster) {
    let position = primary.psql_as(SUPERUSER, SUPERUSER, "SELECT pg_current_wal_flush_lsn()");
    let query = format!("SELECT pg_last_wal_replay_lsn() >= '{}'", position.trim());
    let caught_up = async {
        while standby.psql_as(SUPERUSER, SUPERUSER, &query).trim() != "t" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), caught_up).await.expect("a standby that follows");
}

#[tokio::test]
async fn standby_backup_restores_completely() {
    let project = Project::start().await;
    let standby = project.cluster().standby();
    let conf = fs::read_to_string(project.odoo_conf(INSTANCE)).unwrap();
    let port = |cluster: &Cluster| format!("db_port = {}\n", cluster.port());
    fs::write(project.odoo_conf(INSTANCE), conf.replace(&port(project.cluster()), &port(&standby))).unwrap();
    let program = initialised(&project).await;
    // A change after the copy, which arrives by streaming.
    project.cluster().execute(INSTANCE, "UPDATE res_partner SET name = 'Streamed' WHERE id = 7");
    until_caught_up(project.cluster(), &standby).await;

    let backup = now(&program, 0, &[]).await;
    assert_eq!(backup["filestore"]["collector_held"], false);
    program.run(["check", "--read-data"]).await.success();
    // Restores to the primary, because a standby is read-only.
    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_database(project.database(), project.target_database()).await;
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);

    // A standby would grant the lock, but the primary's collector would not respect it. The backup
    // is refused if the configuration requires the lock.
    let config = fs::read_to_string(project.config()).unwrap();
    let named = "database = \"production\"\n";
    let always = config.replacen(named, &format!("{named}hold_filestore_gc = \"always\"\n"), 1);
    fs::write(project.config(), always).unwrap();
    let refused = program.run(["now"]).await.expect_code(1);
    assert!(
        refused.stderr.contains("is a hot standby: a lock there does not stop Odoo's garbage collector"),
        "{}",
        refused.stderr
    );
}
