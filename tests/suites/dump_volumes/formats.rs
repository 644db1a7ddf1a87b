//! A repository of format 1 becomes one of format 2.

use std::fs;

use harness::project::{INSTANCE, Project, set_format_1};
use serde_json::json;

use super::{assert_restores, id, initialised, now, object};

#[tokio::test]
async fn upgraded_repository_holds_both_formats() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    project.set_format_1();
    let guide = project.repository().join("RESTORE.txt");
    fs::write(&guide, "# Restore by hand\n\nAn earlier text.\n").unwrap();
    let first = now(&program, 0, &[]).await;
    let second = now(&program, 0, &[]).await;
    for backup in [&first, &second] {
        assert!(object(&project, backup, "database.dump.zst").exists());
        let manifest = fs::read_to_string(object(&project, backup, "manifest.json")).unwrap();
        assert!(manifest.contains("\"format\": 1") && !manifest.contains("\"origin\""), "{manifest}");
    }

    let plan = program.run(["upgrade", "--dry-run", "--json"]).await.success().json();
    assert_eq!((&plan["repositories"][0]["from"], &plan["repositories"][0]["to"]), (&json!(1), &json!(2)), "{plan}");
    assert!(fs::read_to_string(&guide).unwrap().contains("earlier text"));
    let upgraded = program.run(["upgrade"]).await.success().stdout;
    assert!(upgraded.contains("upgraded") && upgraded.contains("from format 1 to 2"), "{upgraded}");
    assert!(fs::read_to_string(&guide).unwrap().contains("database.map.zst"));
    let again = program.run(["upgrade"]).await.success().stdout;
    assert!(again.contains("has format 2 already"), "{again}");

    let third = now(&program, 0, &[]).await;
    let fourth = now(&program, 0, &[]).await;
    assert_eq!((&third["database"]["chain"], &fourth["database"]["chain"]), (&third["id"], &third["id"]));
    assert_eq!((&first["database"]["chain"], &fourth["database"]["volumes"]), (&json!(null), &json!(2)));
    let manifest = fs::read_to_string(object(&project, &third, "manifest.json")).unwrap();
    assert!(manifest.contains("\"format\": 2") && manifest.contains("\"origin\""), "{manifest}");
    for backup in [&first, &second, &third, &fourth] {
        assert_restores(&project, &program, backup, INSTANCE).await;
    }
    program.run(["check", "--read-data"]).await.success();
    assert_eq!(program.run(["list", "--json"]).await.success().json()["backups"].as_array().unwrap().len(), 4);
    program.run(["show", id(&second)]).await.success();
}

#[tokio::test]
async fn operators_guide_is_kept() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    project.set_format_1();
    let guide = project.repository().join("RESTORE.txt");
    fs::write(&guide, "Call Anna.\n").unwrap();
    let warned = program.run(["upgrade"]).await.expect_code(3);
    assert!(warned.stderr.contains("RESTORE.txt in ") && warned.stderr.contains(" was kept"), "{}", warned.stderr);
    assert_eq!(fs::read_to_string(&guide).unwrap(), "Call Anna.\n");
}

#[tokio::test]
async fn copy_needs_destination_of_format_2() {
    let project = Project::start().await;
    let url = format!("url = \"file://{}\"", project.repository().display());
    let near = project.path("near");
    project.write_config(&url, &format!("[repository.near]\nurl = \"file://{}\"\n", near.display()));
    let program = initialised(&project).await;
    set_format_1(&near);
    now(&program, 0, &[]).await;
    let refused = program.run(["copy", "--to", "near"]).await.expect_code(1);
    assert!(
        refused.stderr.contains("has format 1") && refused.stderr.contains("odoo-backup upgrade"),
        "{}",
        refused.stderr
    );
    assert!(!near.join(INSTANCE).exists());
    program.run(["upgrade"]).await.success();
    program.run(["copy", "--to", "near"]).await.success();
    program.run(["check", "--read-data", "--repository", "near"]).await.success();
}

#[tokio::test]
async fn newer_repository_is_refused() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let path = project.repository().join("repository.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"format\": 2", "\"format\": 3")).unwrap();
    let refused = program.run(["now"]).await.expect_code(1);
    assert!(
        refused.stderr.contains("has format 3") && refused.stderr.contains("newer odoo-backup"),
        "{}",
        refused.stderr
    );
}
