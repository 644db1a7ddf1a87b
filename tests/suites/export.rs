//! Reads the output of `export` with other programs: in Odoo's way, with `unzip`, `pg_restore` and
//! `tar`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::cli::OdooBackup;
use harness::compare::{assert_same_content, assert_same_tree};
use harness::odoo::OdooShape;
use harness::odoo_backup;
use harness::odoo17::Odoo17;
use harness::project::{INSTANCE, Project, ProjectOptions, Source};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Returns the program, with a new repository and one backup.
async fn backed_up(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    program
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Loads a zip like `restore_db` in `odoo/service/db.py`. It also sets ON_ERROR_STOP, which Odoo
/// does not set and which must succeed as well.
fn load_like_odoo(project: &Project, zip: &Path) -> PathBuf {
    run(Command::new("unzip").arg("-tq").arg(zip));
    let folder = project.path("unpacked");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(zip).arg(&folder));
    let cluster = project.cluster();
    cluster.create_database("loaded");
    let mut psql = cluster.command("psql", cluster.user());
    run(psql.args(["-q", "--set=ON_ERROR_STOP=1", "--dbname=loaded", "-f"]).arg(folder.join("dump.sql")));
    folder
}

async fn assert_loads(project: &Project) -> Value {
    let program = backed_up(project).await;
    let zip = project.path("production.zip");
    let exported = program.run(["export", "latest", "--json", "-o", zip.to_str().unwrap()]).await.success().json();
    assert_eq!(exported["files"][0]["path"], zip.to_str().unwrap());
    let metadata = fs::metadata(&zip).unwrap();
    assert_eq!((metadata.mode() & 0o777, metadata.len()), (0o600, exported["files"][0]["bytes"].as_u64().unwrap()));

    let folder = load_like_odoo(project, &zip);
    assert_same_content(project.database(), project.cluster().database("loaded")).await;
    assert_same_tree(&project.filestore(), &folder.join("filestore"), &["checklist"]);
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["dump.sql", "filestore", "manifest.json"]);
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn exported_zip_loads_like_in_odoo() {
    let project = Project::start().await;
    let manifest = assert_loads(&project).await;
    assert_eq!(manifest["odoo_dump"], "1");
    assert_eq!(manifest["db_name"], INSTANCE);
    assert_eq!((&manifest["version"], &manifest["major_version"]), (&json!("17.0"), &json!("17.0")));
    assert_eq!(manifest["version_info"], json!([17, 0, 0, "final", 0, ""]));
    assert_eq!(manifest["pg_version"], format!("{}.0", project.cluster().version()));
    assert_eq!(manifest["modules"]["base"], "17.0.1.3");
}

#[tokio::test]
async fn real_odoo17_zip_loads_in_odoo() {
    let Some(odoo17) = Odoo17::find() else { return };
    let options = ProjectOptions { source: Source::Odoo17(odoo17), ..ProjectOptions::default() };
    let manifest = assert_loads(&Project::with(options).await).await;
    assert!(manifest["modules"].as_object().unwrap().len() > 5, "{manifest}");
}

#[tokio::test]
async fn archive_and_tar_hold_all_volumes() {
    let shape = OdooShape::default();
    let options = ProjectOptions { source: Source::Shape(shape.clone()), ..ProjectOptions::default() };
    let project = Project::with(options).await;
    let program = backed_up(&project).await;
    let client = project.cluster().connect(INSTANCE).await;
    let changed = shape.day_of_activity(&client, &project.filestore(), 1).await.unwrap();
    assert!(!changed.added.is_empty() && !changed.removed.is_empty());
    program.run(["now"]).await.success();

    let base = project.path("base");
    program.run(["export", "latest", "--format", "dump", "-o", base.to_str().unwrap()]).await.success();
    let (dump, tar, folder) = (project.path("base.dump"), project.path("base.tar"), project.path("files"));
    fs::create_dir(&folder).unwrap();
    run(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&folder));
    assert_same_tree(&project.filestore(), &folder, &["checklist"]);
    let cluster = project.cluster();
    cluster.create_database("loaded");
    let mut pg_restore = cluster.command("pg_restore", cluster.user());
    run(pg_restore.args(["--no-owner", "--exit-on-error", "--dbname=loaded"]).arg(&dump));
    assert_same_content(project.database(), cluster.database("loaded")).await;

    // The same over stdout, as a pipe would receive it.
    let zip = project.path("piped.zip");
    let script = "\"$PROGRAM\" --config \"$CONFIG\" export latest -o - | cat > \"$ZIP\"";
    let mut shell = Command::new("sh");
    shell.env("PROGRAM", env!("CARGO_BIN_EXE_odoo-backup")).env("CONFIG", project.config()).env("ZIP", &zip);
    run(shell.args(["-eu", "-c", script]));
    let folder = project.path("piped");
    run(Command::new("unzip").arg("-q").arg(&zip).arg("-d").arg(&folder));
    assert_same_tree(&project.filestore(), &folder.join("filestore"), &["checklist"]);
}

/// Returns the files in the folder of the exports.
fn left(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn damaged_backup_export_changes_no_file() {
    let project = Project::start().await;
    let program = backed_up(&project).await;
    let folder = project.path("exports");
    fs::create_dir(&folder).unwrap();
    let zip = folder.join("production.zip");
    fs::write(&zip, "mine").unwrap();
    let refused = program.run(["export", "latest", "-o", zip.to_str().unwrap()]).await.expect_code(1);
    assert!(refused.stderr.contains("production.zip already exists"), "{}", refused.stderr);
    assert_eq!(fs::read(&zip).unwrap(), b"mine");
    fs::remove_file(&zip).unwrap();

    let backup = fs::read_dir(project.repository().join(INSTANCE)).unwrap().next().unwrap().unwrap().path();
    for (object, formats) in [("database-0001.zst", ["zip", "dump"]), ("filestore-0001.tar.zst", ["zip", "dump"])] {
        let path = backup.join(object);
        let intact = fs::read(&path).unwrap();
        // At the very end, where everything before has been written already.
        let mut damaged = intact.clone();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&path, damaged).unwrap();
        for format in formats {
            let arguments = ["export", "latest", "--format", format, "-o", zip.to_str().unwrap()];
            let failed = program.run(arguments).await.expect_code(1);
            assert!(failed.stderr.contains("damaged"), "{object} {format}: {}", failed.stderr);
            assert!(failed.stderr.contains(object), "{object} {format}: {}", failed.stderr);
            assert_eq!(left(&folder), [""; 0], "{object} {format}");
        }
        fs::write(&path, intact).unwrap();
    }
    program.run(["export", "latest", "-o", zip.to_str().unwrap()]).await.success();
}

#[tokio::test]
async fn stopped_export_leaves_nothing() {
    let project = Project::start().await;
    let tools = project.path("tools");
    fs::create_dir(&tools).unwrap();
    let program = backed_up(&project).await;
    let waiting = project.path("waiting");
    let real = project.cluster().bin("pg_restore");
    let script = format!(
        "#!/bin/sh\ncase $1 in --version|--list) exec '{}' \"$@\";; esac\ntouch '{}'\nexec sleep 600\n",
        real.display(),
        waiting.display()
    );
    fs::write(tools.join("pg_restore"), script).unwrap();
    run(Command::new("chmod").arg("700").arg(tools.join("pg_restore")));
    let config = fs::read_to_string(project.config()).unwrap();
    let config = config.replace("odoo_conf =", &format!("pg_path = \"{}\"\nodoo_conf =", tools.display()));
    fs::write(project.config(), config).unwrap();
    let folder = project.path("exports");
    fs::create_dir(&folder).unwrap();
    let running = program.spawn(["export", "latest", "-o", folder.join("x.zip").to_str().unwrap()]);
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !waiting.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
    assert_eq!(left(&folder).len(), 1, "the export is running");
    running.signal(Signal::INT);
    running.wait().await.expect_code(130);
    assert_eq!(left(&folder), [""; 0]);
}

#[tokio::test]
async fn zip_needs_odoo_and_no_terminal() {
    let options = ProjectOptions { source: Source::Empty, ..ProjectOptions::default() };
    let project = Project::with(options).await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.expect_code(3);
    let zip = project.path("x.zip");
    let refused = program.run(["export", "latest", "-o", zip.to_str().unwrap()]).await.expect_code(1);
    assert!(refused.stderr.contains("is not a backup of an Odoo database"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--format dump"), "{}", refused.stderr);
    assert!(!zip.exists());
    let usage = program.run(["export", "latest", "--format", "dump", "-o", "-"]).await.expect_code(2);
    assert!(usage.stderr.contains("two files"), "{}", usage.stderr);
    program.run(["export", "latest", "--format", "dump", "-o", zip.to_str().unwrap()]).await.success();
}
