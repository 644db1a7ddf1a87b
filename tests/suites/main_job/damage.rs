//! Tests that damage in the repository is found and reported, and never restored.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use harness::project::Project;

use crate::main_job::initialised;

/// Returns the files of the only backup.
fn objects(project: &Project) -> Vec<PathBuf> {
    let mut instance =
        fs::read_dir(project.repository().join("production")).unwrap().map(|entry| entry.unwrap().path());
    let backup = instance.find(|path| path.is_dir()).unwrap();
    let mut objects: Vec<_> = fs::read_dir(backup).unwrap().map(|entry| entry.unwrap().path()).collect();
    objects.sort();
    objects
}

pub(crate) fn flip_a_bit(path: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    byte[0] ^= 0x10;
    file.write_all_at(&byte, middle).unwrap();
}

#[tokio::test]
async fn flipped_bit_is_found_stops_restore() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let objects = objects(&project);
    assert_eq!(objects.len(), 9, "{objects:?}");
    for object in objects {
        let intact = fs::read(&object).unwrap();
        flip_a_bit(&object);
        let name = object.file_name().unwrap().to_str().unwrap();
        let check = program.run(["check", "--read-data", "--json"]).await.expect_code(13).json();
        let damage = check["backups"][0]["damage"].as_array().unwrap();
        assert!(damage.iter().any(|damage| damage["object"].as_str().unwrap().ends_with(name)), "{name}: {check}");

        // A restore needs neither the lists of tables and attachments nor the checksums, except
        // that of the manifest.
        if !["attachments.zst", "tables.zst"].contains(&name) && name != "SHA256SUMS" {
            for jobs in ["1", "2"] {
                let restore = program.run(["restore", "--to", "staging", "--jobs", jobs]).await.expect_code(1);
                // pg_restore may fail on a damaged dump first, with any message.
                let reported =
                    ["damaged", "not name the manifest", "check --read-data` to see whether the dump is damaged"];
                assert!(
                    reported.iter().any(|reported| restore.stderr.contains(reported)),
                    "{name}: {}",
                    restore.stderr
                );
                assert_eq!(project.cluster().databases(), ["production"], "{name}");
                assert_eq!(fs::read_dir(project.data_dir().join("filestore")).unwrap().count(), 1, "{name}");
            }
        }
        fs::write(&object, intact).unwrap();
    }
    program.run(["check", "--read-data"]).await.success();
}

#[tokio::test]
async fn missing_or_truncated_object_is_found() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    for object in objects(&project) {
        let name = object.file_name().unwrap().to_str().unwrap().to_owned();
        let intact = fs::read(&object).unwrap();
        fs::write(&object, &intact[..intact.len() - 1]).unwrap();
        // Without reading the data, the two small documents are known only by their content.
        let truncated = program.run(["check", "--json"]).await;
        assert_eq!(truncated.code, Some(if name == "SHA256SUMS" { 0 } else { 13 }), "{name}: {}", truncated.stdout);
        fs::remove_file(&object).unwrap();
        let missing = program.run(["check", "--json"]).await;
        assert_eq!(missing.code, Some(13), "{name}: {}", missing.stdout);
        assert!(missing.stdout.contains(&name) && missing.stdout.contains("it is missing"), "{}", missing.stdout);
        fs::write(&object, intact).unwrap();
    }
    program.run(["check"]).await.success();
}

#[tokio::test]
async fn samples_cover_all_repeat_damaged_objects() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let first = program.run(["check", "--read-data=1B", "--json"]).await.success().json();
    let all = first["read"]["of_objects"].as_u64().unwrap();
    assert_eq!((&first["read"]["objects"], &first["read"]["never_read"]), (&1.into(), &(all - 1).into()), "{first}");
    for _ in 1..all {
        program.run(["check", "--read-data=1B"]).await.success();
    }
    let text = program.run(["check", "--read-data=0.001%"]).await.success().stdout;
    assert!(text.contains("everything was read since"), "{text}");

    let dump = objects(&project).into_iter().find(|object| object.ends_with("database-0001.zst")).unwrap();
    flip_a_bit(&dump);
    program.run(["check"]).await.success();
    let mut runs = 0;
    while program.run(["check", "--read-data=1B"]).await.code == Some(0) {
        runs += 1;
        assert!(runs < all, "all of it was read, and the damage not seen");
    }
    for _ in 0..2 {
        let again = program.run(["check", "--read-data=1B"]).await.expect_code(13).stdout;
        assert!(again.contains("DAMAGED") && again.contains("database-0001.zst"), "{again}");
    }
    program.run(["check", "--read-data=lots"]).await.expect_code(2);
}
