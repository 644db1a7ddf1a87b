//! Tests other users, owners of folders and configurations.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, TARGET};

/// A user that the machine does not know.
const USER: u32 = 54_321;

/// Returns a project that belongs to [`USER`], as Odoo's user owns Odoo's files. If this process is
/// not root, prints that and returns `None`.
async fn project() -> Option<Project> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return None;
    }
    let project = Project::start().await;
    // A live copy may not be replaced.
    project.write_target_keys("");
    let root = project.path("");
    fs::create_dir_all(project.repository()).unwrap();
    // Every user may read the configuration, because no test here is about passwords.
    chmod(&root, 0o755);
    for path in [project.data_dir(), project.repository()] {
        give(&path);
    }
    chmod(&project.repository(), 0o700);
    for path in [project.config(), project.odoo_conf(INSTANCE), project.odoo_conf(TARGET)] {
        chmod(&path, 0o644);
    }
    Some(project)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn give(path: &Path) {
    let status = Command::new("chown").arg("-R").arg(format!("{USER}:{USER}")).arg(path).status().unwrap();
    assert!(status.success());
}

fn root(project: &Project) -> OdooBackup {
    odoo_backup!(project.config()).env("PGUSER", project.cluster().user())
}

fn user(project: &Project) -> OdooBackup {
    root(project).as_user(USER)
}

/// Returns what in a folder belongs to another user than [`USER`].
fn foreign(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if (metadata.uid(), metadata.gid()) != (USER, USER) {
                found.push(entry.path());
            }
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found
}

#[tokio::test]
async fn root_leaves_everything_to_owner() {
    let Some(project) = project().await else { return };
    let (root, user) = (root(&project), user(&project));
    user.run(["init"]).await.success();
    user.run(["now"]).await.success();
    root.run(["now"]).await.success();
    root.run(["check", "--read-data"]).await.success();
    root.run(["pin", "latest"]).await.success();
    root.run(["restore", "--to", TARGET]).await.success();
    root.run(["import-nothing"]).await.expect_code(2);
    let report = project.data_dir().join("report.md");
    root.run(["drill", "--to", TARGET, "--report", report.to_str().unwrap()]).await.success();
    for folder in [project.repository(), project.data_dir()] {
        assert_eq!(foreign(&folder), Vec::<PathBuf>::new());
    }
    user.run(["now"]).await.success();
    user.run(["list"]).await.success();
    user.run(["check"]).await.success();
    user.run(["unpin", "latest"]).await;
    user.run(["restore", "--to", TARGET]).await.success();
}

#[tokio::test]
async fn unreadable_backup_does_not_stop_others() {
    let Some(project) = project().await else { return };
    let user = user(&project);
    user.run(["init"]).await.success();
    let first = user.run(["now", "--json"]).await.success().json()["backups"][0]["id"].as_str().unwrap().to_owned();
    let second = user.run(["now", "--json"]).await.success().json()["backups"][0]["id"].as_str().unwrap().to_owned();
    let locked = project.repository().join(INSTANCE).join(&second);
    chown(&locked, Some(0), Some(0)).unwrap();
    let chown = format!("sudo chown -R {USER}:{USER} {}", project.repository().display());
    let now = user.run(["now"]).await.expect_code(3);
    assert!(now.stderr.contains(&chown), "{}", now.stderr);
    let list = user.run(["list"]).await.expect_code(1);
    assert!(list.stdout.contains(&first) && !list.stdout.contains(&second), "{}", list.stdout);
    assert!(list.stderr.contains(&chown), "{}", list.stderr);
    let doctor = user.run(["doctor"]).await.expect_code(1);
    assert!(doctor.stdout.contains("FAILED   list") && doctor.stdout.contains(&chown), "{}", doctor.stdout);
    // The latest may be the one that cannot be read.
    let latest = user.run(["show", "latest"]).await.expect_code(1);
    assert!(latest.stderr.contains(&chown), "{}", latest.stderr);
    user.run(["show", &first]).await.success();
}

#[tokio::test]
async fn root_owned_lock_folder_names_chown() {
    let Some(project) = project().await else { return };
    let user = user(&project);
    user.run(["init"]).await.success();
    let locks = project.repository().join("locks");
    fs::create_dir(&locks).unwrap();
    chmod(&locks, 0o700);
    let now = user.run(["now"]).await.expect_code(1);
    let chown = format!("sudo chown -R {USER}:{USER} {}", project.repository().display());
    assert!(now.stderr.contains(&chown), "{}", now.stderr);
}

/// Creates a program that leaves a mark when it runs.
fn trap(folder: &Path) -> PathBuf {
    let mark = folder.join("it-ran");
    let tool = folder.join("pg_dump");
    fs::write(&tool, format!("#!/bin/sh\ntouch {}\nexit 1\n", mark.display())).unwrap();
    chmod(&tool, 0o755);
    mark
}

#[tokio::test]
async fn root_obeys_no_strangers_configuration() {
    let Some(project) = project().await else { return };
    let folder = project.path("open");
    fs::create_dir(&folder).unwrap();
    let mark = trap(&folder);
    let config = fs::read_to_string(project.config()).unwrap();
    let config =
        config.replace("[instance.production]", &format!("[instance.production]\npg_path = \"{}\"", folder.display()));
    let path = folder.join("odoo-backup.toml");
    fs::write(&path, config).unwrap();
    give(&folder);
    let root = root(&project).searching_in(&folder);
    for (mode, command) in [(0o1777, "doctor"), (0o755, "doctor"), (0o755, "now"), (0o755, "init"), (0o755, "list")] {
        chmod(&folder, mode);
        let refused = root.run([command]).await.expect_code(2);
        assert!(refused.stderr.contains("is not used") && refused.stderr.contains("--config"), "{}", refused.stderr);
    }
    assert!(!mark.exists());
    // Root's own file, which names the programs of another user.
    let own = project.path("own");
    fs::create_dir(&own).unwrap();
    fs::copy(&path, own.join("odoo-backup.toml")).unwrap();
    let refused = root.searching_in(&own).run(["doctor"]).await.expect_code(2);
    assert!(refused.stderr.contains("`pg_path`"), "{}", refused.stderr);
    assert!(!mark.exists());
}

#[tokio::test]
async fn named_configuration_is_obeyed() {
    let Some(project) = project().await else { return };
    give(&project.config());
    root(&project).run(["init"]).await.success();
    let found = root(&project).searching_in("/").env("ODOO_BACKUP_CONFIG", project.config().to_str().unwrap());
    found.run(["list"]).await.success();
}

#[tokio::test]
async fn folder_not_entered_hides_no_configuration() {
    let Some(project) = project().await else { return };
    let folder = project.path("private");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("odoo-backup.toml"), "").unwrap();
    chmod(&folder, 0o700);
    let searched = user(&project).searching_in(&folder).run(["list"]).await.expect_code(2);
    assert!(!searched.stderr.contains("unable to read"), "{}", searched.stderr);
    assert!(searched.stderr.contains("/etc/odoo-backup/config.toml"), "{}", searched.stderr);
}

#[tokio::test]
async fn root_follows_no_planted_link() {
    let Some(project) = project().await else { return };
    let root = root(&project);
    root.run(["init"]).await.success();
    root.run(["now"]).await.success();
    let outside = project.path("outside");
    fs::create_dir_all(outside.join(INSTANCE)).unwrap();
    fs::write(outside.join(INSTANCE).join("secret"), "root's own").unwrap();
    chmod(&outside, 0o700);
    // Odoo's user owns the folder with both filestores.
    let filestores = project.data_dir().join("filestore");
    fs::rename(&filestores, project.data_dir().join("moved")).unwrap();
    symlink(&outside, &filestores).unwrap();
    lchown(&filestores, Some(USER), Some(USER)).unwrap();
    let restore = root.run(["restore", "--to", TARGET]).await.expect_code(1);
    assert!(restore.stderr.contains("root does not follow a symbolic link"), "{}", restore.stderr);
    let now = root.run(["now", "--json"]).await.expect_code(3).json();
    assert_eq!(now["backups"][0]["filestore"]["findings"]["unreferenced"], 0, "{now:#}");
    let names: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [INSTANCE]);
}

#[tokio::test]
async fn open_repository_is_a_warning() {
    let Some(project) = project().await else { return };
    let warning = format!("belongs to {USER}");
    let init = root(&project).run(["init"]).await.success();
    assert!(init.stderr.contains(&warning), "{}", init.stderr);
    let doctor = root(&project).run(["doctor"]).await;
    assert!(doctor.stdout.contains(&warning), "{}", doctor.stdout);
    chmod(&project.repository(), 0o777);
    let doctor = user(&project).run(["doctor"]).await;
    assert!(doctor.stdout.contains("other users may write to"), "{}", doctor.stdout);
}

#[tokio::test]
async fn unreadable_files_fail_first_backup() {
    let Some(project) = project().await else { return };
    let user = user(&project);
    user.run(["init"]).await.success();
    let chown = Command::new("chown").args(["-R", "0:0"]).arg(project.filestore()).status().unwrap();
    assert!(chown.success());
    // First nothing can be listed. Then everything can be listed, but no file can be read.
    for folders in ["711", "755"] {
        for (kind, mode) in [("d", folders), ("f", "600")] {
            let change = ["-type", kind, "-exec", "chmod", mode, "{}", "+"];
            assert!(Command::new("find").arg(project.filestore()).args(change).status().unwrap().success());
        }
        let now = user.run(["now"]).await.expect_code(1);
        for said in ["that the attachments name are neither in", "run odoo-backup as the user that Odoo runs as"] {
            assert!(now.stderr.contains(said), "{folders}: {said}: {}", now.stderr);
        }
    }
    user.run(["now", "--accept-missing"]).await.expect_code(3);
}
