//! Tests that problems of this machine do not count as damage.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use harness::cli::{OdooBackup, Run};
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, ProjectOptions};
use harness::seaweed::SeaweedFs;

/// Runs a command that must not hang. The limit is far above any real duration, so that a busy
/// machine fails no test.
async fn bounded(program: &OdooBackup, arguments: &[&str]) -> Run {
    let run = tokio::time::timeout(Duration::from_secs(120), program.run(arguments)).await;
    run.unwrap_or_else(|_| panic!("{arguments:?} hangs"))
}

fn pipe(path: &Path) {
    let _ = fs::remove_file(path);
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// Creates a script in place of a program.
fn script(project: &Project, name: &str, text: &str) -> std::path::PathBuf {
    let path = project.path(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    path
}

/// Checks that the backup is unchanged: not quarantined, not refuted.
async fn assert_untouched(program: &OdooBackup, what: &str) {
    let listed = program.run(["list", "--json"]).await.success().json();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 1, "{what}: {listed}");
    assert_eq!(listed["set_aside"].as_array().unwrap().len(), 0, "{what}: {listed}");
    assert!(listed["backups"][0]["proof"].is_null(), "{what}: {listed}");
}

#[tokio::test]
async fn killed_pg_restore_is_no_damage() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    let folder = project.path("programs");
    fs::create_dir(&folder).unwrap();
    let bin = project.cluster().bin("pg_restore");
    symlink(project.cluster().bin("pg_dump"), folder.join("pg_dump")).unwrap();
    let config = fs::read_to_string(project.config()).unwrap();
    let keys = format!("[instance.{INSTANCE}]\npg_path = \"{}\"\n", folder.display());
    fs::write(project.config(), config.replace(&format!("[instance.{INSTANCE}]\n"), &keys)).unwrap();
    for (name, ends) in [
        ("a signal", "kill -9 $$"),
        ("no memory", "echo 'pg_restore: error: out of memory' >&2; exit 1"),
        ("a library that is missing", "echo 'error while loading shared libraries: libpq.so.5' >&2; exit 127"),
    ] {
        let text = format!("case $1 in --version) exec '{}' \"$@\";; esac\n{ends}", bin.display());
        fs::rename(script(&project, "fake", &text), folder.join("pg_restore")).unwrap();
        for arguments in [&["check", "--read-data"][..], &["repair", "--read-data"]] {
            let run = bounded(&program, arguments).await;
            assert_eq!(run.code, Some(1), "{name}: {arguments:?}: {}{}", run.stdout, run.stderr);
            assert!(!run.stdout.contains("DAMAGED"), "{name}: {}", run.stdout);
        }
        assert_untouched(&program, name).await;
    }
}

#[tokio::test]
async fn open_file_limit_is_no_damage() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    let binary = env!("CARGO_BIN_EXE_odoo-backup");
    let mut failed = 0;
    for limit in 8..32 {
        let limited = script(&project, "limited", &format!("ulimit -n {limit}\nexec '{binary}' \"$@\""));
        let limited = OdooBackup::new(limited, project.config());
        for arguments in [&["check", "--read-data"][..], &["list"], &["repair"]] {
            let run = bounded(&limited, arguments).await;
            let said = format!("{limit} files: {arguments:?}: {}{}", run.stdout, run.stderr);
            assert!(!said.contains("DAMAGED") && run.code != Some(13), "{said}");
            failed += u32::from(said.contains("Too many open files"));
        }
    }
    assert!(failed > 0, "no limit was low enough");
    assert_untouched(&program, "too few files").await;
}

#[tokio::test]
async fn cached_pipes_do_not_block() {
    let server = SeaweedFs::start();
    let cache = tempfile_folder();
    let repository = format!(
        "url = \"s3://{}/pipes\"\nendpoint = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\ncache_dir = \"{}\"",
        server.bucket,
        server.endpoint,
        server.access_key,
        server.secret_key,
        cache.path().display()
    );
    let project = Project::with(ProjectOptions { repository: Some(repository), ..ProjectOptions::default() }).await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    program.run(["now"]).await.success();
    program.run(["list"]).await.success();
    let mut replaced = 0;
    for folder in fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path()) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            pipe(&entry);
            replaced += 1;
        }
    }
    assert!(replaced > 1, "the cache is used");
    for arguments in [&["list"][..], &["now"], &["check"]] {
        assert_eq!(bounded(&program, arguments).await.code, Some(0), "{arguments:?}");
    }
}

fn tempfile_folder() -> Folder {
    let path = std::env::temp_dir().join(format!("obcache-{}-{:?}", std::process::id(), std::thread::current().id()));
    fs::create_dir(&path).unwrap();
    Folder(path)
}

/// A folder that is removed when dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn pipes_and_devices_are_no_configuration() {
    let project = Project::start().await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    let config = fs::read_to_string(project.config()).unwrap();
    let fifo = project.path("fifo");
    pipe(&fifo);
    for place in [fifo.to_str().unwrap(), "/dev/zero"] {
        let odoo_conf = project.odoo_conf(INSTANCE).display().to_string();
        let configured = project.path("other.toml");
        fs::write(&configured, config.replace(&odoo_conf, place)).unwrap();
        fs::set_permissions(&configured, PermissionsExt::from_mode(0o600)).unwrap();
        for file in [configured.as_path(), Path::new(place)] {
            let program = odoo_backup!(file);
            let run = bounded(&program, &["list"]).await;
            assert!(run.code.is_some_and(|code| code != 0), "{place}: {}", run.stdout);
            assert!(run.stderr.contains("not a regular file"), "{place}: {}", run.stderr);
        }
    }
    // In the repository they are not objects.
    program.run(["now"]).await.success();
    pipe(&project.repository().join(INSTANCE).join("check.json"));
    for arguments in [&["list"][..], &["check", "--read-data"], &["now"], &["prune", "--dry-run"]] {
        assert_eq!(bounded(&program, arguments).await.code, Some(0), "{arguments:?}");
    }
}
