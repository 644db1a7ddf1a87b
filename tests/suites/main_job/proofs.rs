//! Tests that the result of a verified copy is known for the backup from then on.

use std::fs;

use harness::project::Project;
use serde_json::Value;

use crate::main_job::initialised;

/// Returns the objects with the results for the only backup.
fn proofs(project: &Project, id: &str) -> Vec<String> {
    let Ok(folder) = fs::read_dir(project.repository().join("production/proofs").join(id)) else { return Vec::new() };
    folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn restored_backup_is_listed_as_verified() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let id = program.run(["now", "--json"]).await.success().json()["backups"][0]["id"].as_str().unwrap().to_owned();
    let listed = async || program.run(["list", "--json"]).await.success().json()["backups"][0].take();
    let before = listed().await;
    assert_eq!((&before["proven"], &before["proof"]), (&Value::Null, &Value::Null));
    assert!(program.run(["show", "latest"]).await.success().stdout.contains("verified      not yet: "));

    let report = project.path("report.json");
    let arguments = ["restore", "--to", "staging", "--verify", "full", "--json", "--report", report.to_str().unwrap()];
    let restored = program.run(arguments).await.success().json();
    let written: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(written, restored);
    let names = proofs(&project, &id);
    assert_eq!(names.len(), 1);
    let key = format!("production/proofs/{id}/{}", names[0]);
    assert_eq!(restored["proof"]["key"], key.as_str());
    let [total, database] = ["total", "database"].map(|part| restored["timings"][part].as_f64().unwrap());
    assert!(total > database && database > 0.0, "{restored}");

    let stored: Value = serde_json::from_slice(&fs::read(project.repository().join(&key)).unwrap()).unwrap();
    assert_eq!((&stored["outcome"], &stored["depth"]), (&"passed".into(), &"full".into()), "{stored}");
    assert_eq!(stored["verification"]["checks"], restored["verification"]["checks"]);
    assert_eq!(stored["seconds"], restored["timings"]);
    let sums = fs::read_to_string(project.repository().join("production").join(&id).join("SHA256SUMS")).unwrap();
    assert!(sums.contains(&format!("{}  manifest.json", stored["manifest"].as_str().unwrap())), "{stored}");
    let host = project.cluster().host();
    assert!(!stored.to_string().contains(host) && !stored.to_string().contains("smtp-secret"), "{stored}");

    let after = listed().await;
    assert_eq!((&after["proof"]["key"], &after["proof"]["outcome"]), (&key.as_str().into(), &"passed".into()));
    assert_eq!(after["proven"], after["proof"]["at"]);
    let line = program.run(["list"]).await.success().stdout;
    let row = line.lines().nth(2).unwrap();
    assert!(row.trim_end().ends_with(" full"), "{line}");
    let shown = program.run(["show", "latest", "--json"]).await.success().json();
    assert_eq!((&shown["proof"]["seconds"], &shown["proof"]["key"]), (&stored["seconds"], &key.as_str().into()));
    assert!(program.run(["show", "latest"]).await.success().stdout.contains(", full, by a restore with "));

    // Of a proof that was tampered with, only the name is used.
    fs::write(project.repository().join(&key), "{}").unwrap();
    let shown = program.run(["show", "latest"]).await.success().stdout;
    assert!(shown.contains("proof         cannot be read: ") && shown.contains("is damaged"), "{shown}");
}

#[tokio::test]
async fn unstorable_proof_does_not_undo_restore() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    // No file system permission stops root, which may run this test. A file in place of the folder
    // stops every user.
    fs::write(project.repository().join("production/proofs"), "").unwrap();
    let run = program.run(["restore", "--to", "staging", "--json"]).await.expect_code(3).json();
    assert_eq!(run["proof"], Value::Null);
    let warning = run["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("unable to store the proof of the backup: "), "{warning}");
    assert!(project.cluster().databases().contains(&"staging".to_owned()));
}

#[tokio::test]
async fn damage_revokes_proof_until_next_restore() {
    let project = Project::start().await;
    // Only a neutralized copy is replaced without a further option.
    project.write_target_keys("");
    let program = initialised(&project).await;
    let id = program.run(["now", "--json"]).await.success().json()["backups"][0]["id"].as_str().unwrap().to_owned();
    program.run(["restore", "--to", "staging"]).await.success();
    let dump = project.repository().join("production").join(&id).join("database-0001.zst");
    let intact = fs::read(&dump).unwrap();
    let mut damaged = intact.clone();
    damaged[intact.len() / 2] ^= 1;
    fs::write(&dump, damaged).unwrap();
    let failed = program.run(["restore", "--to", "staging", "--verify", "full"]).await.expect_code(1);
    assert!(failed.stderr.contains("database-0001.zst"), "{}", failed.stderr);
    let refuted = program.run(["list", "--json"]).await.expect_code(13).json()["backups"][0].take();
    assert_eq!((&refuted["proven"], &refuted["proof"]["outcome"]), (&Value::Null, &"failed".into()));
    assert!(program.run(["list"]).await.expect_code(13).stdout.contains("DAMAGED"));
    let shown = program.run(["show", "latest"]).await.success().stdout;
    assert!(shown.contains("verified      FAILED") && shown.contains("database-0001.zst"), "{shown}");
    let status = program.run(["status", "--json"]).await.expect_code(1).json();
    let reasons = status["instances"][0]["condition"]["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason["reason"] == "backup_refuted"), "{status:#}");
    fs::write(&dump, intact).unwrap();
    // By id, because `latest` skips the damaged backup, and there is no other.
    program.run(["restore", &id, "--to", "staging"]).await.success();
    program.run(["status"]).await.success();
    let listed = program.run(["list", "--json"]).await.success().json()["backups"][0].take();
    assert_eq!(listed["proof"]["outcome"], "passed");
    assert_eq!(proofs(&project, &id).len(), 3);
}

#[tokio::test]
async fn time_names_only_performed_steps() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    // Neither neutralized nor anonymized.
    let text = program.run(["restore", "--to", "staging"]).await.success().stdout;
    let time = text.lines().find(|line| line.starts_with("  time ")).unwrap();
    assert!(
        time.contains("verification ") && !time.contains("neutralization") && !time.contains("anonymization"),
        "{time}"
    );
    let drilled = program.run(["drill"]).await.success().stdout;
    assert!(drilled.contains(" neutralization "), "{drilled}");
}
