//! Tests which backups a policy and the operator leave, and that these can be restored.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use harness::cli::OdooBackup;
use harness::project::Project;
use serde_json::Value;

use crate::main_job::initialised;

/// Returns a project that keeps one backup, and its four backups, oldest first.
async fn with_four() -> (Project, OdooBackup, Vec<String>) {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let url = format!("url = \"file://{}\"", project.repository().display());
    let one = "keep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\n";
    project.write_config(&url, &format!("[instance.production.retention]\n{one}"));
    let mut ids = Vec::new();
    for number in 0..4 {
        fs::write(project.filestore().join(format!("new-{number}")), [b'x'; 100]).unwrap();
        let now = program.run(["now", "--json"]).await.success().json();
        ids.push(now["backups"][0]["id"].as_str().unwrap().to_owned());
    }
    (project, program, ids)
}

/// Makes everything two days old by the dates of the files.
fn age(folder: &Path) {
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.is_dir() {
            true => age(&entry),
            false => File::options().write(true).open(entry).unwrap().set_modified(long_ago).unwrap(),
        }
    }
}

async fn ids(program: &OdooBackup) -> Vec<String> {
    let list = program.run(["list", "--json"]).await.success().json();
    let id = |backup: &Value| backup["id"].as_str().unwrap().to_owned();
    list["backups"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn prune_follows_plan_and_keeps_restorable() {
    let (project, program, all) = with_four().await;
    let note = ["pin", &all[1], "--note", "before the upgrade"];
    assert!(program.run(note).await.success().stdout.contains("is pinned"));
    assert!(program.run(["show", &all[1]]).await.success().stdout.contains("unpinned: before the upgrade"));
    age(&project.repository());
    fs::write(project.repository().join("production/.tmp-left"), "half").unwrap();

    let planned = program.run(["prune", "--dry-run"]).await.success().stdout;
    let line = |id: &str| planned.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(line(&all[0]).contains("remove") && line(&all[2]).contains("remove"), "{planned}");
    assert!(line(&all[1]).contains("keep") && line(&all[1]).ends_with("pinned"), "{planned}");
    assert!(line(&all[3]).contains("newest"), "{planned}");
    assert!(planned.contains("2 backups would be removed, freeing "), "{planned}");
    assert_eq!(ids(&program).await, all, "nothing was done");

    let done = program.run(["prune", "production", "--json"]).await.success().json();
    let removed = &done["instances"][0]["removed"];
    assert_eq!(removed["backups"], serde_json::json!([all[0], all[2]]));
    assert!(removed["objects"].as_u64().unwrap() > 4 && removed["bytes"].as_u64().unwrap() > 1000, "{removed}");
    assert_eq!(ids(&program).await, [all[1].clone(), all[3].clone()]);
    program.run(["check", "--read-data"]).await.success();
    program.run(["restore", "--to", "staging"]).await.success();
    assert_eq!(fs::read(project.target_filestore().join("new-0")).unwrap(), [b'x'; 100], "of a backup that is gone");

    program.run(["unpin", &all[1]]).await.success();
    program.run(["prune"]).await.success();
    assert_eq!(ids(&program).await, all[3..]);
    program.run(["check", "--read-data"]).await.success();
}

#[tokio::test]
async fn forgetting_last_backup_needs_full_id() {
    let (_project, program, all) = with_four().await;
    let unasked = program.run(["forget", &all[0]]).await.expect_code(2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    program.run(["pin", &all[0]]).await.success();
    let pinned = program.run(["forget", &all[0], "--yes"]).await.expect_code(1);
    assert!(pinned.stderr.contains("is pinned") && pinned.stderr.contains("unpin"), "{}", pinned.stderr);
    program.run(["unpin", &all[0]]).await.success();
    for id in &all[..3] {
        program.run(["forget", id, "--yes"]).await.success();
    }
    program.run(["check", "--read-data"]).await.success();
    let only = program.run(["forget", "latest", "--yes"]).await.expect_code(1);
    assert!(only.stderr.contains("give its whole id"), "{}", only.stderr);
    program.run(["forget", &all[3], "--yes", "--json"]).await.success();
    assert_eq!(ids(&program).await, <[String; 0]>::default());
}

#[tokio::test]
async fn figure_drop_warns_until_accepted() {
    let (project, program, all) = with_four().await;
    let files = fs::read_dir(project.filestore()).unwrap().map(|entry| entry.unwrap().path());
    for folder in files.filter(|path| path.is_dir()) {
        fs::remove_dir_all(folder).unwrap();
    }
    project.cluster().execute("production", "DELETE FROM ir_attachment");
    program.run(["now"]).await.success();
    let held = program.run(["prune"]).await.expect_code(3);
    assert!(held.stderr.contains("production: nothing is removed: "), "{}", held.stderr);
    assert!(held.stderr.contains("`odoo-backup prune production --accept-shrunk`"), "{}", held.stderr);
    assert_eq!(ids(&program).await.len(), all.len() + 1);
    let status = program.run(["status"]).await.expect_code(3).stdout;
    assert!(status.contains("warning: production: no backup is removed: "), "{status}");
    program.run(["prune", "--accept-shrunk"]).await.expect_code(2);
    program.run(["prune", "production", "--accept-shrunk"]).await.success();
    assert_eq!(ids(&program).await.len(), 1);
    program.run(["prune"]).await.success();
}
