//! Tests which repository a command uses.

use std::fs;

use harness::compare::{assert_same_content, assert_same_tree};
use harness::project::{INSTANCE, Project};
use serde_json::{Value, json};

use crate::copies::{copy_folder, offsite, with_offsite};

/// Restores repeatedly and without neutralization, because the copy is compared with the instance.
const RESTORE: [&str; 6] = ["restore", "--to", "staging", "--json", "--force-production", "staging"];

/// Copies the instance's backups to the second repository.
fn mirror(project: &Project) {
    copy_folder(&project.repository().join(INSTANCE), &offsite(project).join(INSTANCE));
}

async fn assert_restored(project: &Project) {
    assert_same_content(project.database(), project.target_database()).await;
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
}

#[tokio::test]
async fn named_repository_is_used() {
    let (project, program) = with_offsite("").await;
    let init = program.run(["init", "--json"]).await.success().json();
    let location = format!("file://{}", offsite(&project).display());
    assert_eq!(init["copies"], json!([{ "name": "offsite", "location": location, "made": false }]));
    assert!(offsite(&project).join("RESTORE.txt").is_file());
    let doctor = program.run(["doctor", "--json"]).await.success().json();
    let subjects: Vec<_> = doctor["findings"].as_array().unwrap().iter().map(|finding| &finding["subject"]).collect();
    assert!(subjects.contains(&&json!("repository offsite")), "{subjects:?}");

    program.run(["now"]).await.success();
    let count = |listed: Value| listed["backups"].as_array().unwrap().len();
    assert_eq!(count(program.run(["list", "--json"]).await.success().json()), 1);
    assert_eq!(count(program.run(["list", "--json", "--repository", "main"]).await.success().json()), 1);
    assert_eq!(count(program.run(["--repository", "offsite", "list", "--json"]).await.success().json()), 0);
    // A backup in this repository references nothing in the first.
    program.run(["now", "--repository", "offsite"]).await.success();
    let restored = program.run(["restore", "--to", "staging", "--json", "--repository", "offsite"]).await;
    assert_eq!(restored.success().json()["repository"], "offsite");
    assert_restored(&project).await;
    let unknown = program.run(["list", "--repository", "ofsite"]).await.expect_code(2);
    assert!(unknown.stderr.contains("did you mean `offsite`?"), "{}", unknown.stderr);
}

#[tokio::test]
async fn restore_takes_first_intact_repository() {
    let (project, program) = with_offsite("").await;
    program.run(["now"]).await.success();
    mirror(&project);
    let intact = program.run(["restore", "--to", "staging", "--json"]).await.success().json();
    assert_eq!((&intact["repository"], &intact["passed_over"]), (&json!("main"), &json!([])));

    // A missing object is noticed at once, a changed byte only when the object is read.
    let id = intact["backup"].as_str().unwrap();
    let folder = project.repository().join(INSTANCE).join(id);
    for (name, flip_bit) in [("filestore-0001.tar.zst", false), ("database-0001.zst", true)] {
        let (path, what) = (folder.join(name), name.trim_end_matches(".zst"));
        let content = fs::read(&path).unwrap();
        let mut damaged = content.clone();
        *damaged.last_mut().unwrap() ^= 1;
        if flip_bit {
            fs::write(&path, damaged).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        let restored = program.run(RESTORE).await.expect_code(3).json();
        assert_eq!((&restored["repository"], &restored["backup"]), (&json!("offsite"), &json!(id)));
        let passed = restored["passed_over"][0].as_str().unwrap();
        assert!(passed.starts_with("skipped the repository main: ") && passed.contains(what), "{passed}");
        assert_restored(&project).await;
        // With `--repository`, no other repository is used.
        let named = program.run(RESTORE.iter().chain(&["--repository", "main"])).await.expect_code(1);
        assert!(named.stdout.contains(what), "{}", named.stdout);
        fs::write(&path, content).unwrap();
    }
    // If both are damaged, the damage of the first one is reported.
    for repository in [project.repository(), offsite(&project)] {
        fs::remove_file(repository.join(INSTANCE).join(id).join("database-0001.zst")).unwrap();
    }
    let failed = program.run(RESTORE).await.expect_code(1);
    assert!(failed.stdout.contains(&format!("in file://{}", project.repository().display())), "{}", failed.stdout);
}

#[tokio::test]
async fn restore_survives_lost_first_repository() {
    let (project, program) = with_offsite("").await;
    program.run(["now"]).await.success();
    mirror(&project);
    fs::rename(project.repository(), project.path("unplugged")).unwrap();
    let restored = program.run(["restore", "--to", "staging"]).await.expect_code(3);
    assert!(restored.stderr.contains("warning: skipped the repository main: "), "{}", restored.stderr);
    assert_restored(&project).await;
    // A recreated, empty repository has no backup to offer either.
    program.run(["init"]).await.success();
    let restored = program.run(RESTORE).await.expect_code(3).json();
    assert_eq!(restored["repository"], "offsite");
}

#[tokio::test]
async fn drill_takes_first_intact_repository() {
    let (project, program) = with_offsite("").await;
    program.run(["now"]).await.success();
    mirror(&project);
    let drilled = program.run(["drill", "--json"]).await.success().json();
    assert_eq!((&drilled["repository"], &drilled["passed_over"]), (&json!("main"), &json!([])));
    let id = drilled["backup"].as_str().unwrap();
    fs::remove_file(project.repository().join(INSTANCE).join(id).join("database-0001.zst")).unwrap();
    let drilled = program.run(["drill", "--json"]).await.expect_code(3).json();
    assert_eq!((&drilled["repository"], &drilled["backup"]), (&json!("offsite"), &json!(id)));
    let passed = drilled["passed_over"][0].as_str().unwrap();
    assert!(passed.starts_with("skipped the repository main: "), "{passed}");
    // With `--repository`, no other repository is used.
    program.run(["drill", "--repository", "main"]).await.expect_code(13);
}
