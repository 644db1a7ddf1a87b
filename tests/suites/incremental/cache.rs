//! Tests the cache of an S3 repository on this machine. It saves downloads, and is trusted only as
//! far as its digests match.

use std::fs;

use config::Config;
use engine::store::{Key, Mode};
use engine::stream::body_of;
use harness::compare::assert_same_tree;
use harness::project::{INSTANCE, Project, ProjectOptions, TARGET};
use harness::seaweed::SeaweedFs;

use crate::incremental::{initialised, now};

#[tokio::test]
async fn backup_reads_cache_check_reads_repository() {
    let server = SeaweedFs::start();
    let repository = format!(
        "url = \"s3://{}/odoo\"\nendpoint = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"",
        server.bucket, server.endpoint, server.access_key, server.secret_key
    );
    let project = Project::with(ProjectOptions { repository: Some(repository), ..ProjectOptions::default() }).await;
    let program = initialised(&project).await;
    let first = now(&program, 0, &[]).await;
    now(&program, 0, &[]).await;
    program.run(["list"]).await.success();
    let cache = program.home().join(".cache/odoo-backup");
    let repositories: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(repositories.len(), 1, "{repositories:?}");
    assert!(repositories[0].join("production.manifests").is_file());

    // In the repository a list is damaged with its length unchanged: only reading it shows that.
    let config = Config::load(&project.config()).unwrap();
    let store = engine::store::open(&config.repository, false).await.unwrap();
    let id = first["id"].as_str().unwrap();
    let list = Key::new(format!("{INSTANCE}/{id}/filestore-0001.files.zst")).unwrap();
    let size = store.head(&list).await.unwrap().unwrap().size;
    store.put(&list, body_of(vec![0; size as usize]), Mode::Replace).await.unwrap();
    assert_eq!(now(&program, 0, &[]).await["filestore"]["new_files"], 0);
    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
    program.run(["check", "--read-data", id]).await.expect_code(13);

    // Without the cached copies the damage is found, and the listed files are stored again. The
    // same applies if there can be no cache.
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "not a folder").unwrap();
    let run = program.run(["now"]).await.expect_code(3);
    assert!(run.stderr.contains("filestore-0001.tar.zst is damaged"), "{}", run.stderr);
    program.run(["check", "--read-data", "latest"]).await.success();
    assert_eq!(now(&program, 0, &[]).await["filestore"]["new_files"], 0);
    let listed = program.run(["list"]).await.expect_code(13);
    assert!(listed.stderr.contains(id), "what the check has found stays known: {}", listed.stderr);
}
