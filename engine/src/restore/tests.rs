use std::fs;
use std::path::Path;

use harness::postgres::{Cluster, USER};
use tempfile::tempdir;

use super::beside::{Beside, shortened};
use super::swap::take_names;
use crate::config::{Database, SslMode, Target};
use crate::filestore::NewFilestore;
use crate::manifest::made_up;
use crate::postgres::{self, Endpoint, Session};
use crate::run::Run;

/// A name that needs quoting wherever it goes.
const NAME: &str = r#"Stage's "é" \=x"#;

#[test]
fn a_long_name_keeps_its_suffix_and_its_characters_whole() {
    assert_eq!(shortened("staging", "_restoring_00000001"), "staging_restoring_00000001");
    let long = shortened(&"ä".repeat(31), "_restoring_00000001");
    assert_eq!(long, format!("{}_restoring_00000001", "ä".repeat(22)));
    assert!(long.len() <= 63);
}

fn target(cluster: &Cluster, folder: &Path) -> Target {
    let database = Database {
        name: NAME.into(),
        host: Some(cluster.host().into()),
        port: Some(cluster.port()),
        user: Some(USER.into()),
        password: None,
        sslmode: SslMode::Disable,
        sslrootcert: None,
        pg_path: None,
    };
    Target { name: "staging".into(), database, filestore: folder.join(NAME), instance: None, neutralize: None }
}

/// What a restore has made just before the end: a database and a folder, beside the target.
async fn made(cluster: &Cluster, target: &Target) -> (Beside, Session) {
    let server = postgres::connect_maintenance(&Endpoint::resolve(&target.database)).await.unwrap();
    let beside = Beside::of(target).unwrap();
    postgres::create_database(&server, &beside.database.database, &made_up::locale()).await.unwrap();
    drop(NewFilestore::create(&beside.filestore, &beside.writers).unwrap());
    assert_eq!(cluster.databases(), [beside.database.database.as_str()]);
    (beside, server)
}

#[tokio::test]
async fn who_looks_into_the_new_database_does_not_keep_it_from_its_name() {
    let (cluster, folder) = (Cluster::start(), tempdir().unwrap());
    let target = target(&cluster, folder.path());
    let (beside, server) = made(&cluster, &target).await;
    let curious = cluster.connect(&beside.database.database).await;
    take_names(&beside, &server, &target, &Run::default()).await.unwrap();
    assert!(curious.simple_query("SELECT 1").await.is_err());
    assert_eq!(cluster.databases(), [NAME]);
    assert!(target.filestore.is_dir() && !beside.filestore.exists());
}

#[tokio::test]
async fn names_are_taken_both_or_neither() {
    let (cluster, folder) = (Cluster::start(), tempdir().unwrap());
    let target = target(&cluster, folder.path());
    let (beside, server) = made(&cluster, &target).await;
    fs::create_dir(&target.filestore).unwrap();
    take_names(&beside, &server, &target, &Run::default()).await.unwrap_err();
    assert_eq!(cluster.databases(), [beside.database.database.as_str()]);
    beside.remove(&server, &Run::default()).await;
    assert!(cluster.databases().is_empty() && !beside.filestore.exists() && target.filestore.exists());
}

#[tokio::test]
async fn a_server_that_was_restarted_does_not_keep_what_a_failed_restore_made() {
    let (mut cluster, folder) = (Cluster::start(), tempdir().unwrap());
    let target = target(&cluster, folder.path());
    let (beside, server) = made(&cluster, &target).await;
    cluster.kill();
    cluster.restart();
    beside.remove(&server, &Run::default()).await;
    assert!(cluster.databases().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
