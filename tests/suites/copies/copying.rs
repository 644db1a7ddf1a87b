//! Tests `copy`, and the copies that `now` makes.

use std::fs;

use harness::compare::{assert_same_content, assert_same_tree};
use harness::odoo_backup;
use harness::project::{INSTANCE, Project};
use harness::seaweed::SeaweedFs;
use serde_json::json;

use crate::copies::{copy_folder, offsite, with_offsite};

#[tokio::test]
async fn copy_to_s3_and_back_restores() {
    let seaweed = SeaweedFs::start();
    let project = Project::start().await;
    let main = format!("url = \"file://{}\"", project.repository().display());
    let section = format!(
        "[repository.offsite]\nurl = \"s3://{}/copies\"\nendpoint = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n",
        seaweed.bucket, seaweed.endpoint, seaweed.access_key, seaweed.secret_key
    );
    project.write_config(&main, &section);
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    fs::write(project.filestore().join("new"), "another file").unwrap();
    program.run(["now"]).await.success();
    let copied = program.run(["copy", "--to", "offsite", "--json"]).await.success().json();
    assert_eq!((copied["backups"].as_array().unwrap().len(), &copied["there"]), (2, &json!(0)));
    let again = program.run(["copy", "--to", "offsite", "latest"]).await.success();
    assert!(
        again.stdout.contains("0 backups copied, 0 objects (0 B) stored, 1 backup already there"),
        "{}",
        again.stdout
    );
    program.run(["check", "--read-data", "--repository", "offsite"]).await.success();

    fs::rename(project.repository(), project.path("former")).unwrap();
    program.run(["init"]).await.success();
    let back = program.run(["copy", "--repository", "offsite", "--to", "main"]).await.success();
    assert!(back.stdout.contains("main: 2 backups copied"), "{}", back.stdout);
    assert_same_tree(&project.path("former").join(INSTANCE), &project.repository().join(INSTANCE), &[]);
    let restored = program.run(["restore", "--to", "staging", "--json"]).await.success().json();
    assert_eq!(restored["repository"], "main");
    assert_same_content(project.database(), project.target_database()).await;
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
    // No locks remain in either repository.
    for repository in ["main", "offsite"] {
        let locks = program.run(["unlock", "--list", "--repository", repository]).await.success();
        assert!(locks.stdout.contains("no locks"), "{}", locks.stdout);
    }
}

#[tokio::test]
async fn now_copies_backup_and_retries_failures() {
    let (project, program) = with_offsite("copy = \"after_backup\"\n[repository.offsite.retention]\nkeep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\ngrace = \"1 hour\"").await;
    let first = program.run(["now", "--json"]).await.success().json();
    let copies = &first["backups"][0]["copies"];
    assert_eq!(
        (&copies[0]["repository"], &copies[0]["backups"][0]["id"]),
        (&json!("offsite"), &first["backups"][0]["id"])
    );

    fs::rename(offsite(&project), project.path("unplugged")).unwrap();
    let failed = program.run(["now"]).await.expect_code(3);
    assert!(failed.stderr.contains("warning: production: not copied to offsite: "), "{}", failed.stderr);
    assert!(failed.stdout.contains("production: backup "), "{}", failed.stdout);
    fs::rename(project.path("unplugged"), offsite(&project)).unwrap();
    let third = program.run(["now"]).await.success();
    assert!(third.stdout.contains("offsite: 2 backups copied"), "{}", third.stdout);
    program.run(["check", "--read-data", "--repository", "offsite"]).await.success();

    // Each repository has its own retention.
    let backups = async |repository: &str| {
        let listed = program.run(["list", "--json", "--repository", repository]).await.success().json();
        listed["backups"].as_array().unwrap().len()
    };
    program.run(["prune", "--repository", "offsite"]).await.success();
    assert_eq!((backups("main").await, backups("offsite").await), (3, 1));
    let copied = program.run(["copy", "--to", "offsite"]).await.success();
    assert!(copied.stdout.contains("0 backups copied"), "what was pruned there does not come again: {}", copied.stdout);
    let all = program.run(["copy", "--to", "offsite", "--all"]).await.success();
    assert!(all.stdout.contains("2 backups copied"), "{}", all.stdout);
}

#[tokio::test]
async fn copy_skips_damaged_backup_exits_13() {
    let (project, program) = with_offsite("").await;
    program.run(["now"]).await.success();
    let id = program.run(["list", "--json"]).await.success().json()["backups"][0]["id"].as_str().unwrap().to_owned();
    let dump = project.repository().join(INSTANCE).join(&id).join("database-0001.zst");
    let mut bytes = fs::read(&dump).unwrap();
    bytes[100] ^= 1;
    fs::write(&dump, bytes).unwrap();
    let copied = program.run(["copy", "--to", "offsite"]).await.expect_code(13);
    assert!(
        copied.stderr.contains(&format!("{id} was not copied: production/{id}/database-0001.zst: ")),
        "{}",
        copied.stderr
    );
    assert!(program.run(["list", "--repository", "offsite"]).await.success().stdout.contains("no backups yet"));
    let itself = program.run(["copy", "--to", "main"]).await.expect_code(2);
    assert!(itself.stderr.contains("unable to copy the repository main to itself"), "{}", itself.stderr);
}

#[tokio::test]
async fn dry_runs_write_nothing() {
    let (project, program) = with_offsite("").await;
    program.run(["init"]).await.success();
    for _ in 0..2 {
        program.run(["now"]).await.success();
    }
    program.run(["copy", "--to", "offsite", "latest~1"]).await.success();
    let places = [project.repository(), offsite(&project)];
    let former = ["former-main", "former-offsite"].map(|name| project.path(name));
    for (place, former) in places.iter().zip(&former) {
        copy_folder(place, former);
    }
    let copy = program.run(["copy", "--to", "offsite", "--dry-run", "--json"]).await.success().json();
    let forget = program.run(["forget", "latest", "--dry-run", "--json"]).await.success().json();
    let prune = ["prune", "--dry-run", "--as-of", "2100-12-24", "--json"];
    let prune = program.run(prune).await.success().json();
    for (place, former) in places.iter().zip(&former) {
        assert_same_tree(place, former, &[]);
    }
    assert_eq!((&copy["dry_run"], copy["backups"].as_array().unwrap().len()), (&json!(true), 1));
    assert_eq!((&forget["dry_run"], &forget["backup"]), (&json!(true), &copy["backups"][0]["id"]));
    assert_eq!((&prune["dry_run"], &prune["as_of"]), (&json!(true), &json!("2100-12-25T00:00:00Z")));

    let copied = program.run(["copy", "--to", "offsite", "--json"]).await.success().json();
    let figures =
        |copied: &serde_json::Value| (copied["backups"].clone(), copied["objects"].clone(), copied["bytes"].clone());
    assert_eq!(figures(&copied), figures(&copy));
}
