//! Tests incremental backups: a daily backup stores only what changed that day, and each day can be
//! restored exactly. Each problem of a file is reported by its correct name.

mod cache;
mod standby;

use std::fs;
use std::path::{Path, PathBuf};

use harness::cli::OdooBackup;
use harness::compare::{assert_same_database, assert_same_tree, file_paths, tree_differences};
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, TARGET};
use serde_json::Value;

use crate::main_job::damage::flip_a_bit;

async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Backs up with this exit code, and returns the report of the backup.
async fn now(program: &OdooBackup, code: i32, more: &[&str]) -> Value {
    let arguments = [&["now", "--json"], more].concat();
    program.run(arguments).await.expect_code(code).json()["backups"][0].clone()
}

/// Returns the relative paths of the files of a filestore that Odoo named.
fn files(project: &Project) -> Vec<String> {
    let named = |path: &PathBuf| path.components().count() == 2 && !path.starts_with("checklist");
    let files = file_paths(&project.filestore()).into_iter().filter(named);
    files.map(|path| path.to_str().unwrap().to_owned()).collect()
}

fn copy_tree(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// Removes the target, so that it can be restored to again.
fn remove_target(project: &Project) {
    project.cluster().execute("postgres", &format!("DROP DATABASE IF EXISTS {TARGET}"));
    if project.target_filestore().exists() {
        fs::remove_dir_all(project.target_filestore()).unwrap();
    }
}

#[tokio::test]
async fn unchanged_filestore_is_not_stored_again() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let first = now(&program, 0, &[]).await;
    assert_eq!(first["filestore"]["new_files"], first["filestore"]["files"]);
    let second = now(&program, 0, &[]).await;
    assert_eq!(second["filestore"]["new_files"], 0);
    assert_eq!(second["filestore"]["files"], first["filestore"]["files"]);
    assert_eq!(second["filestore"]["bytes"], first["filestore"]["bytes"]);
    let folder = project.repository().join(INSTANCE).join(second["id"].as_str().unwrap());
    let mut stored: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    stored.sort();
    let names = ["database-0002.index.zst", "database-0002.zst", "database.map.zst", "manifest.json"];
    assert_eq!(stored, [["SHA256SUMS", "attachments.zst"].as_slice(), &names].concat());
    let show = program.run(["show", "latest"]).await.success().stdout;
    assert!(show.contains("nothing new; references ") && show.contains(", 0 of its own"), "{show}");
    program.run(["check", "--read-data"]).await.success();
    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_database(project.database(), project.target_database()).await;
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
}

#[tokio::test]
async fn each_day_restores_exactly_its_files() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let mut days: Vec<(String, PathBuf)> = Vec::new();
    let odd = project.filestore().join("odd");
    for day in 0..30 {
        let all = files(&project);
        // Files are added and deleted, a deleted one returns, and one whose name is no digest
        // changes its content.
        fs::remove_file(project.filestore().join(&all[day * 7 % all.len()])).unwrap();
        if day % 5 == 4 {
            let earlier = &days[day - 3].1;
            let status =
                std::process::Command::new("cp").arg("-an").arg(earlier.join(".")).arg(project.filestore()).status();
            assert!(status.unwrap().success());
        }
        fs::write(&odd, format!("day {day}{}", "!".repeat(day))).unwrap();
        let backup = program.run(["now", "--json"]).await.json()["backups"][0].clone();
        let copy = project.path(&format!("day-{day}"));
        copy_tree(&project.filestore(), &copy);
        days.push((backup["id"].as_str().unwrap().to_owned(), copy));
    }
    program.run(["check"]).await.success();
    for (id, copy) in days.iter().step_by(3) {
        program.run(["restore", id, "--to", TARGET, "--jobs", "2"]).await.success();
        let restored = project.target_filestore();
        // Files that the day's database names and its disk had lost are restored from an earlier
        // backup.
        let differences = tree_differences(copy, &restored, &["checklist"]);
        let unexpected: Vec<_> = differences.iter().filter(|text| !text.ends_with("is only in the second")).collect();
        assert!(unexpected.is_empty(), "{id}: {unexpected:?}");
        remove_target(&project);
    }
}

#[tokio::test]
async fn damaged_findings_excuse_nothing() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let file = project.filestore().join(files(&project).remove(0));
    fs::write(&file, "not what its name says").unwrap();
    let first = now(&program, 3, &[]).await;
    let list = project.repository().join(INSTANCE).join(first["id"].as_str().unwrap()).join("findings.zst");
    flip_a_bit(&list);

    // Dump and files are intact. Whether the file was damaged before is not known.
    let restored = program.run(["restore", "--to", TARGET, "--verify", "full", "--json"]).await.expect_code(3).json();
    let checks = restored["verification"]["checks"].as_array().unwrap();
    let of_files = checks.iter().find(|check| check["subject"] == "files").unwrap();
    assert_eq!(of_files["outcome"], "skipped", "{of_files}");
    let summary = of_files["summary"].as_str().unwrap();
    assert!(summary.starts_with("1 file damaged in the copy, and the list of what was already wrong"), "{summary}");
    let shown = program.run(["show", "latest"]).await.success();
    assert!(shown.stderr.contains("findings.zst"), "{}", shown.stderr);
    let shown = program.run(["show", "latest", "--json"]).await.success().json();
    let filestore = &shown["filestore"];
    assert_eq!((&filestore["findings"], &filestore["finding_counts"]["damaged"]), (&Value::Null, &1.into()));

    // The next backup cannot know which files were damaged, so it reads all of them.
    let run = program.run(["now"]).await.expect_code(3);
    assert!(run.stderr.contains("; every file is read again"), "{}", run.stderr);
    let next = program.run(["show", "latest", "--json"]).await.success().json();
    assert_eq!(next["filestore"]["finding_counts"]["damaged"], 1, "{next}");
}

#[tokio::test]
async fn file_problems_are_distinguished() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let named = project.cluster().execute(
        INSTANCE,
        "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname LIKE '__/%' AND file_size > 10 ORDER BY 1 LIMIT 3",
    );
    let named: Vec<&str> = named.split_whitespace().collect();
    let path = |name: &str| project.filestore().join(name);
    fs::remove_file(path(named[0])).unwrap();
    let content = fs::read(path(named[1])).unwrap();
    fs::write(path(named[1]), [&content[..content.len() - 1], b"?"].concat()).unwrap();
    fs::create_dir_all(path("zz")).unwrap();
    project.write_settled("zz/nobody-knows-me", "x");
    std::os::unix::fs::symlink("/etc/passwd", path("zz/link")).unwrap();

    let run = program.run(["now"]).await.expect_code(3);
    assert!(run.stdout.contains(", with warnings"), "{}", run.stdout);
    let backup = program.run(["show", "latest", "--json"]).await.success().json();
    let findings = &backup["filestore"]["findings"];
    assert_eq!(findings["missing"], serde_json::json!([named[0]]));
    assert_eq!(findings["damaged"], serde_json::json!([named[1]]));
    assert_eq!(findings["unreferenced_names"], serde_json::json!(["zz/nobody-knows-me"]));
    assert_eq!(findings["skipped"], serde_json::json!(["zz/link"]));
    assert_eq!(findings["deleted"], Value::Null);
    // It is stored as it is, and restored so. After it is repaired, it is stored again.
    program.run(["restore", "--to", TARGET]).await.success();
    assert_eq!(fs::read(project.target_filestore().join(named[1])).unwrap().last(), Some(&b'?'));
    assert!(!project.target_filestore().join("zz/link").exists());
    let still = now(&program, 3, &[]).await;
    assert_eq!(still["filestore"]["findings"]["damaged"], serde_json::json!([named[1]]));
    assert_eq!(
        (&still["filestore"]["new_files"], &still["filestore"]["findings"]["rescued"]),
        (&0.into(), &Value::Null)
    );
    fs::write(path(named[1]), content).unwrap();
    let repaired = now(&program, 3, &[]).await;
    assert_eq!(
        (&repaired["filestore"]["new_files"], &repaired["filestore"]["findings"]["damaged"]),
        (&1.into(), &Value::Null)
    );
}

#[tokio::test]
async fn lost_files_come_from_earlier_backup() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let whole = project.path("whole");
    now(&program, 0, &[]).await;
    copy_tree(&project.filestore(), &whole);
    let named = project.cluster().execute(
        INSTANCE,
        "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname LIKE '__/%' AND file_size > 10 ORDER BY 1 LIMIT 3",
    );
    let named: Vec<&str> = named.split_whitespace().collect();
    let path = |name: &str| project.filestore().join(name);
    let damage = |name: &str, keep: usize| {
        let content = fs::read(path(name)).unwrap();
        fs::write(path(name), [&content[..content.len() - 1], &b"??"[..keep]].concat()).unwrap();
    };
    fs::remove_file(path(named[0])).unwrap();
    damage(named[1], 2);
    // Of the same length: only reading it shows the difference.
    damage(named[2], 1);

    let quick = now(&program, 3, &[]).await;
    let findings = &quick["filestore"]["findings"];
    assert_eq!(findings["damaged"], serde_json::json!([named[1]]));
    assert_eq!(findings["rescued"], serde_json::json!([named[0], named[1]]));
    assert_eq!(findings["missing"], Value::Null);

    let reread = now(&program, 3, &["--reread"]).await;
    let findings = &reread["filestore"]["findings"];
    assert_eq!(findings["damaged"], serde_json::json!([named[1], named[2]]));
    assert_eq!(reread["filestore"]["new_files"], 0);

    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_tree(&whole, &project.target_filestore(), &["checklist"]);
}

#[tokio::test]
async fn damaged_volume_is_not_reused() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let first = now(&program, 0, &[]).await;
    let folder = project.repository().join(INSTANCE).join(first["id"].as_str().unwrap());
    fs::remove_file(folder.join("filestore-0001.tar.zst")).unwrap();
    let run = program.run(["now"]).await.expect_code(3);
    assert!(run.stderr.contains("filestore-0001.tar.zst is damaged"), "{}", run.stderr);
    program.run(["check", "latest", "--read-data"]).await.success();
    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
    // A manifest that cannot be read is skipped as well.
    let second = program.run(["show", "latest", "--json"]).await.success().json();
    let manifest = project.repository().join(INSTANCE).join(second["id"].as_str().unwrap()).join("manifest.json");
    fs::write(manifest, "{}").unwrap();
    let run = program.run(["now"]).await.expect_code(3);
    assert!(run.stderr.contains("unable to reuse the files of"), "{}", run.stderr);
    program.run(["check", "latest", "--read-data"]).await.success();
}

#[tokio::test]
async fn reading_files_blocks_only_collector() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let backup = now(&program, 0, &[]).await;
    assert_eq!(backup["filestore"]["collector_held"], true);
    let never = "hold_filestore_gc = \"never\"\n";
    let config = fs::read_to_string(project.config()).unwrap();
    fs::write(
        project.config(),
        config.replacen("database = \"production\"\n", &format!("database = \"production\"\n{never}"), 1),
    )
    .unwrap();
    assert_eq!(now(&program, 0, &[]).await["filestore"]["collector_held"], false);

    // In a series whose collector would wait without limit, it is not held.
    fs::write(project.config(), &config).unwrap();
    project.cluster().execute(INSTANCE, "UPDATE ir_module_module SET latest_version = '14.0.1.3' WHERE name = 'base'");
    assert_eq!(now(&program, 0, &[]).await["filestore"]["collector_held"], false);
    let always = config.replacen(
        "database = \"production\"\n",
        "database = \"production\"\nhold_filestore_gc = \"always\"\n",
        1,
    );
    fs::write(project.config(), always).unwrap();
    assert_eq!(now(&program, 0, &[]).await["filestore"]["collector_held"], true);
}

#[tokio::test]
async fn fetch_accepts_name_id_and_path() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    now(&program, 0, &[]).await;
    // From a volume of an earlier backup, and from one of its own.
    fs::write(project.filestore().join("odd"), "odd content").unwrap();
    now(&program, 0, &[]).await;
    let all = program.run(["files", "latest", "--json"]).await.success().json();
    let attachments = all["attachments"].as_array().unwrap();
    assert_eq!(attachments.len(), 120);
    let with_file: Vec<_> = attachments.iter().filter(|attachment| attachment["path"].is_string()).collect();
    for attachment in with_file.iter().step_by(20) {
        let (id, path) = (attachment["id"].to_string(), attachment["path"].as_str().unwrap());
        let expected = fs::read(project.filestore().join(path)).unwrap();
        for (number, what) in [id.as_str(), path].into_iter().enumerate() {
            let to = project.path(&format!("fetched-{id}-{number}"));
            program.run(["fetch", "latest", what, "-o", to.to_str().unwrap()]).await.success();
            assert!(fs::read(&to).unwrap() == expected, "{what}");
        }
    }
    let odd = program.run(["fetch", "latest", "odd", "-o", "-"]).await.success();
    assert_eq!(odd.stdout, "odd content");

    let name = with_file[0]["name"].as_str().unwrap();
    let like = program.run(["files", "latest", "--like", &name.to_uppercase()]).await.success();
    assert!(like.stdout.contains(name), "{}", like.stdout);
    let none = program.run(["fetch", "latest", "no/such", "-o", "-"]).await.expect_code(1);
    assert!(
        none.stderr.contains("contains no file \"no/such\"") && none.stderr.contains("odoo-backup files"),
        "{}",
        none.stderr
    );

    // An existing file is not replaced, and a damaged one is not written.
    let to = project.path("there");
    fs::write(&to, "mine").unwrap();
    program.run(["fetch", "latest", "odd", "-o", to.to_str().unwrap()]).await.expect_code(1);
    assert_eq!(fs::read_to_string(&to).unwrap(), "mine");
    let show = program.run(["show", "latest", "--json"]).await.success().json();
    let folder = project.repository().join(INSTANCE).join(show["id"].as_str().unwrap());
    let volume = folder.join("filestore-0001.tar.zst");
    let mut bytes = fs::read(&volume).unwrap();
    // The start and the end of the archive are not part of the fetched file.
    let middle = bytes.len() / 4..bytes.len() * 3 / 4;
    bytes[middle].fill(0);
    fs::write(volume, bytes).unwrap();
    let fetched = project.path("damaged");
    program.run(["fetch", "latest", "odd", "-o", fetched.to_str().unwrap()]).await.expect_code(1);
    assert!(!fetched.exists());
}

#[tokio::test]
async fn deletion_after_snapshot_is_not_loss() {
    let project = Project::start().await;
    let config = fs::read_to_string(project.config()).unwrap();
    let never =
        config.replacen("database = \"production\"\n", "database = \"production\"\nhold_filestore_gc = \"never\"\n", 1);
    fs::write(project.config(), never).unwrap();
    let program = initialised(&project).await;
    // A user deletes an attachment, and the collector runs just after the backup has taken its
    // snapshot.
    let named = project.cluster().execute(
        INSTANCE,
        "SELECT store_fname FROM ir_attachment WHERE store_fname LIKE '__/%' GROUP BY 1 HAVING count(*) = 1 ORDER BY 1 LIMIT 1",
    );
    let named = named.trim();
    let lock = project.cluster().connect(INSTANCE).await;
    // The first table that is read after the snapshot: the backup waits there.
    lock.batch_execute("BEGIN; LOCK TABLE ir_config_parameter IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let running = program.spawn(["now", "--json"]);
    let watcher = project.cluster().connect("postgres").await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'production' AND wait_event_type = 'Lock' AND query LIKE '%database.uuid%'";
    while watcher.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    project.cluster().execute(INSTANCE, &format!("DELETE FROM ir_attachment WHERE store_fname = '{named}'"));
    fs::remove_file(project.filestore().join(named)).unwrap();
    drop(lock);
    let run = running.wait().await.expect_code(3).json();
    let findings = &run["backups"][0]["filestore"]["findings"];
    assert_eq!((&findings["deleted"], &findings["missing"]), (&serde_json::json!([named]), &Value::Null));
}
