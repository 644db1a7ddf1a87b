//! Tests that damage stays known after it was found.

use std::fs;
use std::path::{Path, PathBuf};

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::Project;

use crate::main_job::damage::flip_a_bit;

async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

async fn back_up(program: &OdooBackup) -> String {
    let now = program.run(["now", "--json"]).await.success().json();
    now["backups"][0]["id"].as_str().unwrap().to_owned()
}

async fn back_up_with_warnings(program: &OdooBackup) -> String {
    let now = program.run(["now", "--json"]).await.expect_code(3).json();
    now["backups"][0]["id"].as_str().unwrap().to_owned()
}

fn object(project: &Project, id: &str, name: &str) -> PathBuf {
    project.repository().join("production").join(id).join(name)
}

/// Checks that everything that lists or describes backups reports the damage.
async fn assert_known(program: &OdooBackup, id: &str) {
    let check = program.run(["check"]).await.expect_code(13).stdout;
    assert!(check.contains("DAMAGED"), "{check}");
    let list = program.run(["list"]).await.expect_code(13);
    assert!(list.stdout.contains("DAMAGED") && list.stderr.contains(id), "{list:?}");
    let listed = program.run(["list", "--json"]).await.expect_code(13).json();
    assert!(listed["backups"][0]["proven"].is_null(), "{listed}");
    assert!(listed["backups"][0]["flaws"].to_string().contains("damaged"), "{listed}");
    let status = program.run(["status", "--nagios"]).await.expect_code(2).stdout;
    assert!(status.contains(id) && status.contains("damaged"), "{status}");
    let show = program.run(["show", id, "--json"]).await.success().json();
    assert!(show["proven"].is_null() && show["flaws"].to_string().contains("damaged"), "{show}");
    let doctor = program.run(["doctor"]).await.expect_code(1).stdout;
    assert!(doctor.contains("known to be damaged"), "{doctor}");
}

#[tokio::test]
async fn damage_is_known_until_read_again() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = back_up(&program).await;
    program.run(["restore", "--to", "staging"]).await.success();
    let listed = program.run(["list", "--json"]).await.success().json();
    assert!(listed["backups"][0]["proven"].is_string(), "{listed}");

    let volume = object(&project, &id, "filestore-0001.tar.zst");
    let intact = fs::read(&volume).unwrap();
    flip_a_bit(&volume);
    program.run(["check"]).await.success();
    program.run(["check", "--read-data"]).await.expect_code(13);
    assert_known(&program, &id).await;
    // An intact object still counts as damaged until it is read again.
    fs::write(&volume, intact).unwrap();
    assert_known(&program, &id).await;
    program.run(["check", "--read-data"]).await.success();
    program.run(["check"]).await.success();
    let listed = program.run(["list", "--json"]).await.success().json();
    assert!(listed["backups"][0]["proven"].is_string(), "{listed}");
    let left: Vec<_> = fs::read_dir(project.repository().join("production")).unwrap().collect();
    assert!(!left.iter().any(|entry| entry.as_ref().unwrap().file_name() == "damage.json"), "{left:?}");
}

#[tokio::test]
async fn damage_is_known_until_repaired() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = back_up(&program).await;
    let list = object(&project, &id, "filestore-0001.files.zst");
    flip_a_bit(&list);
    program.run(["check", "--read-data"]).await.expect_code(13);
    assert_known(&program, &id).await;
    program.run(["repair"]).await.success();
    program.run(["check"]).await.success();
    program.run(["list"]).await.success();
}

#[tokio::test]
async fn missing_object_is_known_until_present() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = back_up(&program).await;
    let dump = object(&project, &id, "database-0001.zst");
    let away = project.path("away");
    fs::rename(&dump, &away).unwrap();
    program.run(["check"]).await.expect_code(13);
    assert_known(&program, &id).await;
    fs::rename(&away, &dump).unwrap();
    program.run(["check"]).await.success();
    program.run(["list"]).await.success();
}

#[tokio::test]
async fn restore_notes_damage_it_meets() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = back_up(&program).await;
    let volume = object(&project, &id, "filestore-0001.tar.zst");
    let intact = fs::read(&volume).unwrap();
    flip_a_bit(&volume);
    program.run(["restore", "--to", "staging"]).await.expect_code(1);
    assert_known(&program, &id).await;
    let noted = fs::read_to_string(project.repository().join("production/damage.json")).unwrap();
    assert!(noted.contains("filestore-0001.tar.zst") && noted.contains("\"by_reading\": true"), "{noted}");
    // The volume is left out of the base of the next backup.
    let next = back_up_with_warnings(&program).await;
    program.run(["check", &next, "--read-data"]).await.success();

    fs::write(&volume, intact).unwrap();
    assert_known(&program, &id).await;
    // A restore reads all of it, and finds the digests right.
    program.run(["restore", &id, "--to", "staging"]).await.success();
    program.run(["list"]).await.success();
}

#[tokio::test]
async fn drill_notes_missing_object() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = back_up(&program).await;
    let dump = object(&project, &id, "database-0001.zst");
    let away = project.path("away");
    fs::rename(&dump, &away).unwrap();
    program.run(["drill"]).await.expect_code(13);
    program.run(["list"]).await.expect_code(13);
    assert_known(&program, &id).await;
    // Finding the object is enough.
    fs::rename(&away, &dump).unwrap();
    program.run(["check"]).await.success();
}

#[tokio::test]
async fn export_notes_damage_it_meets() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = back_up(&program).await;
    flip_a_bit(&object(&project, &id, "database-0001.zst"));
    let to = project.path("export");
    let to = to.to_str().unwrap();
    program.run(["export", "latest", "--format", "dump", "--output", to]).await.expect_code(1);
    assert_known(&program, &id).await;
}

#[tokio::test]
async fn fetch_notes_damage_it_meets() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = back_up(&program).await;
    let files = program.run(["files", "latest", "--json"]).await.success().json();
    let attachments = files["attachments"].as_array().unwrap();
    let file = attachments.iter().find(|file| !file["path"].is_null()).unwrap()["id"].to_string();
    flip_a_bit(&object(&project, &id, "filestore-0001.files.zst"));
    let to = project.path("fetched");
    program.run(["fetch", "latest", &file, "--output", to.to_str().unwrap()]).await.expect_code(1);
    assert_known(&program, &id).await;
}

#[tokio::test]
async fn unwritable_repository_changes_no_error() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = back_up(&program).await;
    flip_a_bit(&object(&project, &id, "database-0001.zst"));
    // A folder in its place prevents even root from writing it.
    let noted = project.repository().join("production/damage.json");
    fs::create_dir(&noted).unwrap();
    fs::write(noted.join("in-the-way"), "").unwrap();
    let failed = program.run(["restore", "--to", "staging"]).await.expect_code(1);
    assert!(failed.stderr.contains("database-0001.zst is damaged: "), "{}", failed.stderr);
    assert_eq!(failed.stderr.matches("unable to record").count(), 1, "{}", failed.stderr);
}

#[tokio::test]
async fn latest_skips_damaged_backup() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let first = back_up(&program).await;
    let second = back_up(&program).await;
    flip_a_bit(&object(&project, &second, "database.map.zst"));
    program.run(["check", "--read-data"]).await.expect_code(13);
    let restored = program.run(["restore", "--to", "staging"]).await.expect_code(3);
    let warning = format!("skipped production/{second}: it is known to be damaged");
    assert!(restored.stdout.contains(&first) && restored.stderr.contains(&warning), "{restored:?}");
    // The operator may restore it anyway.
    program.run(["restore", &second, "--to", "staging"]).await.expect_code(1);
}

#[tokio::test]
async fn latest_comes_from_undamaged_copy() {
    let project = Project::start().await;
    let url = format!("url = \"file://{}\"", project.repository().display());
    let copy = project.path("copy");

    project.write_config(&url, &format!("[repository.near]\nurl = \"file://{}\"\n", copy.display()));
    let program = initialised(&project).await;
    back_up(&program).await;
    let second = back_up(&program).await;
    program.run(["copy", "--to", "near"]).await.success();
    flip_a_bit(&object(&project, &second, "database.map.zst"));
    program.run(["check", "--read-data"]).await.expect_code(13);
    let restored = program.run(["restore", "--to", "staging", "--json"]).await.expect_code(3).json();
    assert_eq!((&restored["backup"], &restored["repository"]), (&second.as_str().into(), &"near".into()), "{restored}");
}

#[tokio::test]
async fn next_backup_avoids_damaged_base() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let first = back_up(&program).await;
    for volume in volumes(&project.repository().join("production").join(&first)) {
        flip_a_bit(&volume);
    }
    program.run(["check", "--read-data"]).await.expect_code(13);
    let now = program.run(["now", "--json"]).await.expect_code(3).json();
    let second = now["backups"][0]["id"].as_str().unwrap();
    program.run(["check", second, "--read-data"]).await.success();
}

fn volumes(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_str().unwrap().ends_with(".tar.zst")).collect()
}
