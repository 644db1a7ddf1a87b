//! Damage of a dump's objects: it is named with every backup that it hits, and the next backup is
//! good.

use std::fs;
use std::path::Path;

use harness::project::{INSTANCE, Project, TARGET};
use serde_json::Value;

use super::{add_table, assert_restores, id, initialised, now, object};
use crate::main_job::damage::flip_a_bit;

/// Makes three backups, of which each needs the volumes before it.
async fn three(project: &Project, program: &harness::cli::OdooBackup) -> Vec<Value> {
    let mut backups = Vec::new();
    for number in 1..=3 {
        add_table(project, &format!("noise_{number}"), 300);
        backups.push(now(program, 0, &[]).await);
    }
    assert_eq!(backups[2]["database"]["volumes"], 3, "{}", backups[2]);
    backups
}

fn truncate(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[tokio::test]
async fn damaged_volume_is_named_then_avoided() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let backups = three(&project, &program).await;
    let pristine = project.path("pristine");
    let copy = |from: &Path, to: &Path| {
        assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    copy(&project.repository(), &pristine);
    let remove: fn(&Path) = |path| fs::remove_file(path).unwrap();
    for (name, hit) in [("database-0002.zst", 1..3), ("database-0002.index.zst", 1..3), ("database.map.zst", 1..2)] {
        for (how, damage) in [("gone", remove), ("truncated", truncate), ("flipped", flip_a_bit)] {
            let case = format!("{name} is {how}");
            damage(&object(&project, &backups[1], name));
            let check = program.run(["check", "--read-data", "--json"]).await.expect_code(13).json();
            let key = format!("{INSTANCE}/{}/{name}", id(&backups[1]));
            let found = check["damaged"].as_array().unwrap().iter().find(|found| found["object"] == key.as_str());
            let names: Vec<_> =
                backups[hit.clone()].iter().map(|backup| format!("{INSTANCE}/{}", id(backup))).collect();
            assert_eq!(
                found.unwrap_or_else(|| panic!("{case}: {check}"))["backups"],
                serde_json::json!(names),
                "{case}"
            );
            // What a damaged volume had is stored again. No map of an earlier backup is needed.
            let next = now(&program, if hit.len() == 2 { 3 } else { 0 }, &[]).await;
            let warned = next["warnings"].to_string();
            assert!(
                hit.len() == 1 || warned.contains("database-0002") && warned.contains("stored again"),
                "{case}: {warned}"
            );
            assert_restores(&project, &program, &next, INSTANCE).await;
            for backup in &backups[hit.clone()] {
                program.run(["restore", id(backup), "--to", TARGET]).await.expect_code(1);
            }
            fs::remove_dir_all(project.repository()).unwrap();
            copy(&pristine, &project.repository());
        }
    }
}

#[tokio::test]
async fn damaged_map_makes_next_dump_full() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let first = now(&program, 0, &[]).await;
    truncate(&object(&project, &first, "database.map.zst"));
    let next = now(&program, 3, &[]).await;
    assert_eq!(next["database"]["chain"], next["id"]);
    let warned = next["warnings"].to_string();
    assert!(
        warned.contains("database.map.zst is damaged") && warned.contains("the dump is stored in full"),
        "{warned}"
    );
    assert_restores(&project, &program, &next, INSTANCE).await;
}

#[tokio::test]
async fn failed_drill_makes_next_dump_full() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let first = now(&program, 0, &[]).await;
    let volume = object(&project, &first, "database-0001.zst");
    let intact = fs::read(&volume).unwrap();
    flip_a_bit(&volume);
    program.run(["drill"]).await.expect_code(13);
    fs::write(&volume, intact).unwrap();
    program.run(["check", "--read-data"]).await.success();
    let next = now(&program, 0, &[]).await;
    assert_eq!(next["database"]["chain"], next["id"], "{next}");
}
