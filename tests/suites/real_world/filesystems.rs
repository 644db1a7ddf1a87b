//! Tests file systems that lack an operation or are read-only, and folders within each other.

mod state_folder;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, TARGET};

/// Refuses the system calls that some file systems lack, and then becomes the program given as
/// argument.
const SHIM: &str = r#"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define DENY(number, error) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

int main(int count, char **arguments) {
    struct sock_filter filter[] = {
        LOAD(nr),
#ifdef SYS_chmod
        DENY(SYS_chmod, EPERM),
#endif
#ifdef SYS_link
        DENY(SYS_link, EPERM),
#endif
        DENY(SYS_fchmod, EPERM),
        DENY(SYS_fchmodat, EPERM),
        DENY(SYS_linkat, EPERM),
        DENY(SYS_fsync, EINVAL),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
        LOAD(args[4]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("seccomp");
        return 99;
    }
    execv(arguments[1], arguments + 1);
    perror(arguments[1]);
    return 98;
}
"#;

/// Returns the program on a file system without permissions, hard links, renames that replace
/// nothing, and fsync. If the machine cannot simulate one, prints that and returns `None`.
fn on_poor_file_system(project: &Project) -> Option<OdooBackup> {
    let (source, shim, script) = (project.path("shim.c"), project.path("shim"), project.path("program"));
    fs::write(&source, SHIM).unwrap();
    let built = Command::new("cc").arg("-o").arg(&shim).arg(&source).status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no C compiler");
        return None;
    }
    if !Command::new(&shim).arg("/bin/true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: system calls cannot be refused here");
        return None;
    }
    let text = format!("#!/bin/sh\nexec {} {} \"$@\"\n", shim.display(), env!("CARGO_BIN_EXE_odoo-backup"));
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    Some(OdooBackup::new(script, project.config()))
}

#[tokio::test]
async fn limited_file_system_is_tolerated() {
    let project = Project::start().await;
    let Some(program) = on_poor_file_system(&project) else { return };
    // A live copy may not be replaced.
    project.write_target_keys("");
    program.run(["init"]).await.success();
    let now = program.run(["now"]).await.success();
    let lacks = "cannot create a file without replacing another";
    assert!(now.stderr.contains(lacks) && now.stderr.contains("the file system of"), "{}", now.stderr);
    let doctor = program.run(["doctor"]).await.success();
    assert!(doctor.stdout.contains(lacks), "{}", doctor.stdout);
    program.run(["now"]).await.success();
    program.run(["check", "--read-data"]).await.success();
    program.run(["restore", "--to", TARGET]).await.success();
    program.run(["restore", "--to", TARGET]).await.success();
    program.run(["restore", "--to", TARGET, "--undo"]).await.success();
    program.run(["prune"]).await.success();
}

/// A mounted file system. It is unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts one. If this user may not mount, prints that and returns `None`.
    fn new(arguments: &[&str], at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        if !Command::new("mount").args(arguments).arg(at).status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: this user may not mount");
            return None;
        }
        Some(Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn read_only_repository_has_own_hint() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    let Some(_disk) = Mounted::new(&["-t", "tmpfs", "tmpfs"], &project.repository()) else { return };
    program.run(["init"]).await.success();
    let status = Command::new("mount").args(["-o", "remount,ro"]).arg(project.repository()).status().unwrap();
    assert!(status.success());
    let now = program.run(["now"]).await.expect_code(1);
    assert!(now.stderr.contains("ReadWritePaths="), "{}", now.stderr);
    assert!(!now.stderr.contains("run as"), "{}", now.stderr);
}

#[tokio::test]
async fn read_only_target_has_own_hint() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    let Some(_disk) = Mounted::new(&["-t", "tmpfs", "-o", "ro", "tmpfs"], &project.data_dir()) else { return };
    let restore = program.run(["restore", "--to", TARGET]).await.expect_code(1);
    assert!(restore.stderr.contains("ReadWritePaths="), "{}", restore.stderr);
    let doctor = program.run(["doctor"]).await.expect_code(1);
    assert!(doctor.stdout.contains("ReadWritePaths="), "{}", doctor.stdout);
}

async fn assert_refused(project: &Project, program: &OdooBackup) {
    for command in ["init", "doctor", "now", "prune"] {
        let run = program.run([command]).await.expect_code(2);
        assert!(run.stderr.contains("keep them in folders apart"), "{command}: {}", run.stderr);
    }
    assert!(!project.repository().join("repository.json").exists());
}

#[tokio::test]
async fn repository_in_filestore_is_refused() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    project.write_config(&format!("url = \"file://{}/backups\"", project.filestore().display()), "");
    assert_refused(&project, &program).await;
    symlink(project.filestore(), project.path("link")).unwrap();
    project.write_config(&format!("url = \"file://{}/backups\"", project.path("link").display()), "");
    assert_refused(&project, &program).await;
}

#[tokio::test]
async fn filestore_in_repository_is_refused() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    project.write_config(&format!("url = \"file://{}\"", project.data_dir().display()), "");
    assert_refused(&project, &program).await;
}

#[tokio::test]
async fn state_in_repository_is_refused() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    let state = format!("[daemon]\nstate_dir = \"{}/state\"\n", project.repository().display());
    project.write_config(&format!("url = \"file://{}\"", project.repository().display()), &state);
    assert_refused(&project, &program).await;
}

#[tokio::test]
async fn mounted_repository_in_filestore_is_refused() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    let inside = project.filestore().join("zz");
    fs::create_dir_all(&inside).unwrap();
    let repository = project.repository();
    // The same folder under another name.
    let Some(_bound) = Mounted::new(&["--bind", inside.to_str().unwrap()], &repository) else { return };
    assert_refused(&project, &program).await;
}

#[tokio::test]
async fn repository_mounted_into_filestore_is_refused() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    let inside = project.filestore().join("zz");
    let Some(_bound) = Mounted::new(&["--bind", project.repository().to_str().unwrap()], &inside) else { return };
    let now = program.run(["now"]).await.expect_code(1);
    assert!(now.stderr.contains("in the filestore is the repository"), "{}", now.stderr);
    assert_eq!(fs::read_dir(project.repository().join(INSTANCE)).unwrap().count(), 1);
}
