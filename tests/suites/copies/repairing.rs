//! Tests repairs with the help of copies.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::project::{INSTANCE, Project};
use serde_json::json;

use crate::copies::{offsite, with_offsite};

fn dump(repository: PathBuf, id: &str) -> PathBuf {
    repository.join(INSTANCE).join(id).join("database.map.zst")
}

fn truncate_dump(project: &Project, id: &str) {
    let path = dump(project.repository(), id);
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn repair_uses_copy_or_quarantines() {
    let (project, program) = with_offsite("").await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let now = program.run(["now", "--json"]).await.success().json();
        ids.push(now["backups"][0]["id"].as_str().unwrap().to_owned());
    }
    program.run(["copy", "--to", "offsite"]).await.success();
    truncate_dump(&project, &ids[0]);
    let repair = program.run(["repair"]).await.success().stdout;
    assert!(repair.contains("database.map.zst: ") && repair.contains("recreated from the copy in offsite"), "{repair}");
    program.run(["check", "--read-data"]).await.success();
    // And in the other direction.
    fs::remove_file(dump(offsite(&project), &ids[1])).unwrap();
    let repair = program.run(["repair", "--repository", "offsite", "--json"]).await.success().json();
    assert_eq!(repair["instances"][0]["mended"][0]["from"], "the copy in main");

    // Now the copies are unavailable.
    truncate_dump(&project, &ids[0]);
    fs::rename(offsite(&project), project.path("unplugged")).unwrap();
    let repair = program.run(["repair"]).await.expect_code(3);
    assert!(repair.stderr.contains("no objects are recreated from the repository offsite: "), "{}", repair.stderr);
    let name = format!("{INSTANCE}/{}", ids[0]);
    assert!(repair.stdout.contains(&format!("quarantined: {name}")), "{}", repair.stdout);
    fs::rename(project.path("unplugged"), offsite(&project)).unwrap();
    let list = program.run(["list"]).await.success().stdout;
    assert!(list.contains(&format!("quarantined by a repair: {name}")), "{list}");
    let restored = program.run(["restore", &name, "--to", "staging"]).await.expect_code(3);
    assert!(restored.stderr.contains("skipped the repository main"), "{}", restored.stderr);

    let copied = program.run(["copy", "--all", "--to", "offsite", "--json"]).await.expect_code(3).json();
    assert_eq!(copied["set_aside"], json!([{ "instance": INSTANCE, "id": ids[0], "there": false }]), "{copied}");
    let back = ["copy", "--all", "--repository", "offsite", "--to", "main"];
    let copied = program.run(back).await.expect_code(3);
    assert!(copied.stderr.contains("quarantined in the destination repository"), "{}", copied.stderr);

    // After `forget` here, the backup can be copied back, once its remaining objects are older than
    // `grace` and removed.
    let age = ["-exec", "touch", "--date", "2 days ago", "{}", "+"];
    assert!(Command::new("find").arg(project.repository()).args(age).status().unwrap().success());
    program.run(["forget", &name]).await.expect_code(2);
    program.run(["forget", &name, "--yes"]).await.success();
    assert!(!program.run(["list"]).await.success().stdout.contains("aside"));
    let copied = program.run(back).await;
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    program.run(["check", "--read-data"]).await.success();
    assert_eq!(program.run(["list", "--json"]).await.success().json()["backups"].as_array().unwrap().len(), 2);
}
