//! Tests that a drill verifies a backup and leaves only the proof.

use std::fs;

use harness::cli::OdooBackup;
use harness::odoo17::Odoo17;
use harness::project::{Project, ProjectOptions, Source};
use serde_json::Value;

use crate::main_job::initialised;

/// Returns a project with a backup.
async fn backed_up(project: &Project) -> OdooBackup {
    let program = initialised(project).await;
    program.run(["now"]).await.success();
    program
}

/// Checks that only these databases and folders exist, and no copy under any name.
#[track_caller]
fn assert_only(project: &Project, names: &[&str]) {
    assert_eq!(project.cluster().databases(), names);
    let filestores = fs::read_dir(project.data_dir().join("filestore")).unwrap();
    let mut found: Vec<_> = filestores.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, names);
}

async fn listed(program: &OdooBackup) -> Value {
    program.run(["list", "--json"]).await.success().json()["backups"][0].take()
}

#[tokio::test]
async fn doctor_reports_whether_drill_is_possible() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    assert!(!program.run(["doctor"]).await.success().stdout.contains("drill of"));
    let mut config = fs::read_to_string(project.config()).unwrap();
    config.push_str("[instance.production.drill]\nschedule = \"0 5 * * 0\"\n");
    fs::write(project.config(), config).unwrap();
    let before = program.run(["doctor"]).await.success().stdout;
    assert!(before.contains("drill of production\n") && before.contains("\"drill_production\" is free"), "{before}");
    program.run(["now"]).await.success();
    let after = program.run(["doctor"]).await.success().stdout;
    assert!(after.contains(" can be drilled: "), "{after}");
    assert_only(&project, &["production"]);
    project.cluster().psql_as("postgres", "postgres", &format!("ALTER ROLE {} NOCREATEDB", project.cluster().user()));
    let refused = program.run(["doctor"]).await.expect_code(1).stdout;
    let drill = refused.split("drill of production\n").nth(1).unwrap();
    assert!(drill.contains("FAILED   restore: the role ") && drill.contains("may not create databases"), "{refused}");
}

#[tokio::test]
async fn real_data_drill_leaves_only_proof() {
    let Some(odoo17) = Odoo17::find() else { return };
    let project = Project::with(ProjectOptions { source: Source::Odoo17(odoo17), ..ProjectOptions::default() }).await;
    let program = backed_up(&project).await;
    let page = project.path("drill.md");
    let drilled = program.run(["drill", "--verify", "full", "--json", "--report", page.to_str().unwrap()]).await;
    let drilled = drilled.success().json();
    assert_only(&project, &["production"]);
    assert!(drilled["database"].as_str().unwrap().starts_with("drill_production_restoring_"), "{drilled}");
    let checks = drilled["verification"]["checks"].as_array().unwrap();
    assert!(checks.len() == 9 && checks.iter().all(|check| check["outcome"] == "passed"), "{checks:?}");
    let assertions = drilled["neutralized"]["assertions"].as_array().unwrap();
    assert!(assertions.len() > 10 && assertions.iter().all(|one| one["found"] == 0), "{assertions:?}");

    let after = listed(&program).await;
    assert_eq!((&after["proof"], &after["proof"]["depth"]), (&drilled["proof"], &"full".into()));
    assert_eq!(after["proven"], drilled["proof"]["at"]);
    let shown = program.run(["show", "latest", "--json"]).await.success().json();
    assert_eq!((&shown["proof"]["occasion"], &shown["proof"]["seconds"]), (&"drill".into(), &drilled["timings"]));

    let page = fs::read_to_string(page).unwrap();
    let id = drilled["backup"].as_str().unwrap();
    for text in [
        &format!("# Drill of production/{id}\n"),
        "## Time to recover",
        "| sequences | passed | ",
        "## Assertions",
        "| no active mail server except the dummy | passed |",
        "| Copy afterwards | dropped |",
        drilled["proof"]["key"].as_str().unwrap(),
    ] {
        assert!(page.contains(text), "{text:?} is not in:\n{page}");
    }
}

#[tokio::test]
async fn drill_on_target_keeps_existing_databases() {
    let project = Project::start().await;
    let program = backed_up(&project).await;
    program.run(["restore", "--to", "staging"]).await.success();
    project.cluster().execute("staging", "CREATE TABLE mine ()");
    let config = fs::read_to_string(project.config()).unwrap();
    let scratch = project.path("scratch");
    let section = format!("[instance.production.drill]\nfolder = \"{}\"\nverify = \"full\"\n", scratch.display());
    fs::write(project.config(), format!("{config}\n{section}")).unwrap();

    // The target's copies stay live, but a drill's copy never does.
    let drilled = program.run(["drill", "production/latest", "--to", "staging", "--json"]).await.success().json();
    let folder = drilled["filestore"]["path"].as_str().unwrap();
    assert!(folder.starts_with(scratch.to_str().unwrap()), "{folder}");
    assert_eq!(drilled["verification"]["depth"], "full");
    assert!(drilled["neutralized"]["assertions"].is_array());
    assert_only(&project, &["production", "staging"]);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
    project.cluster().execute("staging", "SELECT FROM mine");

    let text = program.run(["drill", "--verify", "quick"]).await.success().stdout;
    assert!(
        text.contains(": verified; the backup of ")
            && text.contains(" was restored to a scratch copy, which was dropped")
            && text.contains("-quick-passed.json"),
        "{text}"
    );
    program.run(["drill", "--to", "stagin"]).await.expect_code(2);
    let page = project.path("there.json");
    fs::write(&page, "mine").unwrap();
    let refused = program.run(["drill", "--report", page.to_str().unwrap()]).await.expect_code(1);
    assert!(refused.stderr.contains("already exists"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(&page).unwrap(), "mine");
}

#[tokio::test]
async fn damage_fails_drill_and_revokes_proof() {
    let project = Project::start().await;
    let program = backed_up(&project).await;
    program.run(["drill"]).await.success();
    let id = listed(&program).await["id"].as_str().unwrap().to_owned();
    let volume = project.repository().join("production").join(&id).join("filestore-0001.tar.zst");
    let mut bytes = fs::read(&volume).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&volume, bytes).unwrap();
    let run = program.run(["drill"]).await.expect_code(13);
    assert!(run.stderr.contains(&format!("unable to drill production/{id}")), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("{id}/filestore-0001.tar.zst")), "{}", run.stderr);
    assert_only(&project, &["production"]);
    // The damage is known from then on.
    let after = program.run(["list", "--json"]).await.expect_code(13).json()["backups"][0].take();
    assert_eq!((&after["proven"], &after["proof"]["outcome"]), (&Value::Null, &"failed".into()));
    fs::remove_file(&volume).unwrap();
    let error = program.run(["drill", "--json"]).await.expect_code(13).json();
    assert_eq!(error["error"]["exit_code"], 13);
}
