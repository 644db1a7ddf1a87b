//! Tests filestores that are missing, or elsewhere than expected.

use std::fs;
use std::os::unix::fs::symlink;

use harness::cli::{OdooBackup, Run};
use harness::compare::assert_same_tree;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, TARGET};

async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Checks that the backup failed with a message about the filestore, and left nothing.
fn assert_refused(project: &Project, run: Run) {
    let run = run.expect_code(1);
    for said in ["that the attachments name are neither in", "`data_dir`", "--accept-missing"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    assert!(!project.repository().join(INSTANCE).exists(), "{}", run.stderr);
}

/// Applies `change` to the filestore of a new project without a backup.
async fn first_backup_fails_after(change: impl FnOnce(&Project)) {
    let project = Project::start().await;
    let program = initialised(&project).await;
    change(&project);
    assert_refused(&project, program.run(["now"]).await);
    let doctor = program.run(["doctor"]).await.expect_code(1);
    assert!(doctor.stdout.contains("FAILED   attachments"), "{}", doctor.stdout);
}

/// Returns half of Odoo's two-letter folders, and one more.
fn most_folders(project: &Project) -> Vec<std::path::PathBuf> {
    let mut folders: Vec<_> = fs::read_dir(project.filestore()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.truncate(folders.len() * 3 / 4);
    folders
}

#[tokio::test]
async fn missing_folder_fails_first_backup() {
    first_backup_fails_after(|project| fs::remove_dir_all(project.filestore()).unwrap()).await;
}

#[tokio::test]
async fn empty_folder_fails_first_backup() {
    first_backup_fails_after(|project| {
        fs::remove_dir_all(project.filestore()).unwrap();
        fs::create_dir(project.filestore()).unwrap();
    })
    .await;
}

#[tokio::test]
async fn file_as_filestore_fails_first_backup() {
    first_backup_fails_after(|project| {
        fs::remove_dir_all(project.filestore()).unwrap();
        fs::write(project.filestore(), "not a folder").unwrap();
    })
    .await;
}

#[tokio::test]
async fn dangling_link_fails_first_backup() {
    first_backup_fails_after(|project| {
        fs::remove_dir_all(project.filestore()).unwrap();
        symlink("/nowhere/at/all", project.filestore()).unwrap();
    })
    .await;
}

#[tokio::test]
async fn another_databases_folder_fails_first_backup() {
    first_backup_fails_after(|project| {
        fs::remove_dir_all(project.filestore()).unwrap();
        let name = "aa/aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
        fs::create_dir_all(project.filestore().join("aa")).unwrap();
        fs::write(project.filestore().join(name), "hello").unwrap();
    })
    .await;
}

#[tokio::test]
async fn half_lost_needs_accept_missing() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    most_folders(&project).iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
    assert_refused(&project, program.run(["now"]).await);
    let accepted = program.run(["now", "--accept-missing", "--json"]).await.expect_code(3).json();
    assert!(!accepted["backups"][0]["filestore"]["findings"]["missing"].as_array().unwrap().is_empty());
    // Files that the latest backup lacks are known, so a timer needs no option.
    program.run(["now"]).await.expect_code(3);
}

#[tokio::test]
async fn lost_files_are_recovered_from_backup() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let whole = program.run(["now", "--json"]).await.success().json();
    fs::remove_dir_all(project.filestore()).unwrap();
    let run = program.run(["now", "--json"]).await.expect_code(3).json();
    assert_eq!(run["backups"][0]["filestore"]["files"], whole["backups"][0]["filestore"]["files"]);
    fs::create_dir(project.filestore()).unwrap();
    let empty = program.run(["now"]).await.expect_code(3);
    assert!(empty.stderr.contains("contains none of the files that the attachments reference"), "{}", empty.stderr);
}

#[tokio::test]
async fn few_lost_files_are_a_warning() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let first = most_folders(&project).remove(0);
    fs::remove_dir_all(first).unwrap();
    let run = program.run(["now"]).await.expect_code(3);
    assert!(run.stderr.contains("named by an attachment and not on disk"), "{}", run.stderr);
    let doctor = program.run(["doctor"]).await.success();
    assert!(doctor.stdout.contains("warning  attachments"), "{}", doctor.stdout);
}

#[tokio::test]
async fn import_with_wrong_filestore_fails() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let (to, dump) = (project.path("production"), project.path("production.dump"));
    program.run(["export", "latest", "--format", "dump", "-o", to.to_str().unwrap()]).await.success();
    let other = project.path("other");
    fs::create_dir(&other).unwrap();
    let arguments =
        ["import", dump.to_str().unwrap(), "--as", "archive", "--filestore", other.to_str().unwrap(), "--json"];
    let refused = program.run(arguments).await.expect_code(1);
    assert!(refused.stdout.contains("--accept-missing"), "{}", refused.stdout);
    assert!(!project.repository().join("archive").exists());
    program.run([&arguments[..], &["--accept-missing"]].concat()).await.expect_code(3);
}

#[tokio::test]
async fn bucket_attachments_are_warned_about_everywhere() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let sql = "UPDATE ir_attachment SET store_fname = 's3://bucket/' || id WHERE id IN (SELECT id FROM ir_attachment
               WHERE store_fname IS NOT NULL ORDER BY id LIMIT 7)";
    project.cluster().execute(INSTANCE, sql);
    let warning = "the content of 7 attachments is in another storage";
    let now = program.run(["now"]).await.expect_code(3);
    assert!(now.stderr.contains(warning), "{}", now.stderr);
    let show = program.run(["show", "latest"]).await.success();
    assert!(show.stdout.contains(&format!("warning       {warning}")), "{}", show.stdout);
    let list = program.run(["list"]).await.success();
    assert!(list.stdout.contains("1 warning"), "{}", list.stdout);
    let doctor = program.run(["doctor"]).await.success();
    assert!(doctor.stdout.contains(&format!("warning  attachments: {warning}")), "{}", doctor.stdout);
    let status = program.run(["status"]).await;
    assert!(status.stdout.contains(warning), "{}", status.stdout);
}

#[tokio::test]
async fn impossible_names_are_missing_not_deleted() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let sql = "UPDATE ir_attachment SET store_fname = '/etc/passwd' WHERE id = (SELECT max(id) FROM ir_attachment
               WHERE store_fname IS NOT NULL)";
    project.cluster().execute(INSTANCE, sql);
    let now = program.run(["now", "--json"]).await.expect_code(3).json();
    let findings = &now["backups"][0]["filestore"]["findings"];
    assert_eq!(findings["missing"], serde_json::json!(["/etc/passwd"]), "{findings:#}");
    assert!(findings["deleted"].is_null(), "{findings:#}");
}

#[tokio::test]
async fn linked_subfolder_is_backed_up() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let (folder, moved) = (most_folders(&project).remove(0), project.path("other-disk"));
    let before = project.path("before");
    let status = std::process::Command::new("cp").arg("-a").arg(project.filestore()).arg(&before).status().unwrap();
    assert!(status.success());
    fs::rename(&folder, &moved).unwrap();
    symlink(&moved, &folder).unwrap();
    program.run(["now"]).await.success();
    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_tree(&before, &project.target_filestore(), &["checklist"]);
}
