//! Tests repacked volumes: a backup restores the same content byte by byte, in a folder and on S3.

use std::fs;
use std::path::{Path, PathBuf};

use config::Config;
use engine::store::Key;
use harness::cli::OdooBackup;
use harness::compare::{assert_same_database, assert_same_tree};
use harness::project::{Project, ProjectOptions, TARGET};
use harness::seaweed::SeaweedFs;
use serde_json::{Value, json};

use super::round_trip::s3;
use crate::main_job::initialised;

const RETENTION: &str = "[instance.production.retention]\nkeep_last = 2\ndaily = 0\nweekly = 0\nmonthly = 0\n\
                         hold_if_shrunk = \"100%\"\ngrace = \"1 second\"\n";

/// Deletes attachments and files, as Odoo and its collector do.
pub(crate) fn remove_most_files(project: &Project) {
    project.cluster().execute("production", "DELETE FROM ir_attachment WHERE store_fname < 'c'");
    for folder in fs::read_dir(project.filestore()).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.file_name().unwrap().to_str().unwrap() < "c" {
            fs::remove_dir_all(folder).unwrap();
        }
    }
}

async fn back_up(program: &OdooBackup) -> String {
    let now = program.run(["now", "--json"]).await.success().json();
    now["backups"][0]["id"].as_str().unwrap().to_owned()
}

async fn assert_restores_to(project: &Project, program: &OdooBackup, id: &str, files: &Path) {
    project.cluster().execute("postgres", &format!("DROP DATABASE IF EXISTS {TARGET}"));
    if project.target_filestore().exists() {
        fs::remove_dir_all(project.target_filestore()).unwrap();
    }
    program.run(["restore", id, "--to", TARGET, "--verify=full"]).await.success();
    assert_same_tree(files, &project.target_filestore(), &["checklist"]);
}

async fn is_there(project: &Project, key: &str) -> bool {
    let config = Config::load(&project.config()).unwrap();
    let store = engine::store::open(&config.repository, false).await.unwrap();
    store.head(&Key::new(key).unwrap()).await.unwrap().is_some()
}

async fn assert_repacking_changes_no_restore(project: &Project, repository: &str) {
    let program = initialised(project).await;
    project.write_config(repository, RETENTION);
    let mut backups: Vec<(String, PathBuf)> = Vec::new();
    for day in 0..3 {
        if day == 1 {
            remove_most_files(project);
        }
        fs::write(project.filestore().join("odd"), format!("day {day}")).unwrap();
        let copy = project.path(&format!("day-{day}"));
        assert!(
            std::process::Command::new("cp").arg("-a").arg(project.filestore()).arg(&copy).status().unwrap().success()
        );
        backups.push((back_up(&program).await, copy));
    }
    let first = format!("{}/filestore-0001.tar.zst", backups[0].0);
    let kept = &backups[1..];
    program.run(["drill", &kept[1].0]).await.success();
    for (id, files) in kept {
        assert_restores_to(project, &program, id, files).await;
    }

    let planned = program.run(["prune", "--repack", "--dry-run"]).await.success().stdout;
    let line = planned.lines().find(|line| line.starts_with(&first)).unwrap_or_else(|| panic!("{planned}"));
    assert!(line.contains(" %  "), "{line}");
    assert!(planned.contains("1 volume would be repacked, saving about "), "{planned}");

    let done = program.run(["prune", "--repack", "--json"]).await.success().json();
    let repacked = &done["instances"][0]["repacked"];
    assert_eq!(repacked["backups"], json!([kept[0].0, kept[1].0]), "{repacked}");
    let volume = &repacked["volumes"][0];
    assert_eq!(volume["volume"], format!("production/{first}"));
    let number = |key: &str| volume[key].as_u64().unwrap();
    assert!(number("needed_files") < number("files") && number("needed_bytes") * 2 < number("bytes"), "{volume}");
    assert!(number("saves_bytes") * 3 > number("stored_bytes"), "{volume}");
    let by = volume["by"].as_str().unwrap().to_owned();
    program.run(["check", "--read-data"]).await.success();
    for (id, files) in kept {
        assert_restores_to(project, &program, id, files).await;
    }
    assert_same_database(project.database(), project.target_database()).await;
    let list = program.run(["list", "--json"]).await.success().json();
    assert!(list["backups"].as_array().unwrap().iter().any(|backup| backup["proof"] != Value::Null), "{list}");

    // The next backup references it, and the former volume is removed after the grace period.
    let next = back_up(&program).await;
    let shown = program.run(["show", &next, "--json"]).await.success().json();
    assert_eq!(shown["manifest"]["filestore"]["volumes"][0]["object"]["key"], by.as_str());
    while is_there(project, &format!("production/{first}")).await {
        program.run(["prune"]).await.success();
    }
    program.run(["check", "--read-data"]).await.success();
    assert_restores_to(project, &program, &kept[1].0, &kept[1].1).await;
    assert_restores_to(project, &program, &next, &project.filestore()).await;
    let nothing = program.run(["prune", "--repack"]).await.success().stdout;
    assert!(nothing.contains("no volumes repacked"), "{nothing}");
}

#[tokio::test]
async fn repacked_folder_backup_restores_identically() {
    let project = Project::start().await;
    let repository = format!("url = \"file://{}\"", project.repository().display());
    assert_repacking_changes_no_restore(&project, &repository).await;
}

#[tokio::test]
async fn repacked_s3_backup_restores_identically() {
    let server = SeaweedFs::start();
    let repository = s3(&server, "deep/prefix");
    let project =
        Project::with(ProjectOptions { repository: Some(repository.clone()), ..ProjectOptions::default() }).await;
    assert_repacking_changes_no_restore(&project, &repository).await;
}
