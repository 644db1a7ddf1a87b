//! Tests every kind of damage to every kind of object: `check` names it and the affected backups.
//! After `repair`, everything else is intact, nothing is deleted, and what could not be repaired is
//! quarantined.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::cli::OdooBackup;
use harness::compare::file_paths;
use harness::project::{INSTANCE, Project};
use serde_json::{Value, json};

use crate::main_job::damage::flip_a_bit;
use crate::main_job::initialised;

/// Three backups. Each has its own object of each kind.
struct Fixture {
    project: Project,
    program: OdooBackup,
    ids: Vec<String>,
}

/// The expected state of an object after the repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Mended,
    SetAside,
    /// Still damaged, but no restore needs it.
    Left,
}

/// A change to a file, with its name.
type Damage = (&'static str, fn(&Path));

/// Content in place of another backup's proof.
const ANOTHERS: &str = "{\"format\": 1, \"backup\": \"20200101T000000Z-0000\"}";

/// Objects of the second backup. Those of the third have the same names, or the next number.
const KINDS: [(&str, End); 10] = [
    ("database-0002.zst", End::SetAside),
    ("database-0002.index.zst", End::SetAside),
    ("database.map.zst", End::SetAside),
    ("tables.zst", End::Mended),
    ("attachments.zst", End::Left),
    ("filestore-0001.tar.zst", End::Mended),
    ("filestore-0001.files.zst", End::Mended),
    ("filestore-removed.zst", End::SetAside),
    ("SHA256SUMS", End::Mended),
    ("manifest.json", End::SetAside),
];

impl Fixture {
    async fn new() -> Self {
        let project = Project::start().await;
        let program = initialised(&project).await;
        (0..3).for_each(|number| project.write_settled(&format!("gone-{number}"), "gone"));
        let mut ids = Vec::new();
        for number in 0..3 {
            fs::remove_file(project.filestore().join(format!("gone-{number}"))).unwrap();
            project.write_settled(&format!("new-{number}"), format!("{number}").repeat(100));
            let sql =
                format!("CREATE TABLE more_{number} AS SELECT 1 AS n; UPDATE ir_attachment SET name = name || '!'");
            project.cluster().execute(INSTANCE, &sql);
            let now = program.run(["now", "--json"]).await.success().json();
            ids.push(now["backups"][0]["id"].as_str().unwrap().to_owned());
        }
        copy(&project.repository(), &project.path("pristine"));
        Self { project, program, ids }
    }

    /// Restores the original repository.
    fn reset(&self) {
        fs::remove_dir_all(self.project.repository()).unwrap();
        copy(&self.project.path("pristine"), &self.project.repository());
    }

    fn path(&self, backup: usize, name: &str) -> PathBuf {
        self.project.repository().join(INSTANCE).join(&self.ids[backup]).join(name)
    }

    fn files(&self) -> BTreeSet<PathBuf> {
        file_paths(&self.project.repository()).into_iter().filter(|path| !path.ends_with("check.json")).collect()
    }

    fn names(&self, backups: std::ops::Range<usize>) -> Value {
        self.ids[backups].iter().map(|id| format!("{INSTANCE}/{id}")).collect()
    }

    /// Damages each kind of object, one after the other. `hit` are the affected backups, of those
    /// that own the object.
    async fn damaged(&self, how: &str, damage: impl Fn(&Path, &Path), hit: std::ops::Range<usize>) {
        for (name, end) in KINDS {
            let case = format!("{name} {how}");
            self.reset();
            damage(&self.path(1, name), &self.path(2, &name.replace("-0002", "-0003")));
            // If two documents disagree, the manifest is named: nothing shows which one is right.
            let (name, end) = match (name, how) {
                ("manifest.json", "deleted") => continue,
                ("SHA256SUMS", "swapped") => ("manifest.json", End::SetAside),
                usual => (usual.0, end),
            };
            let before = self.files();
            let check = self.program.run(["check", "--read-data", "--json"]).await.expect_code(13).json();
            let object = format!("{INSTANCE}/{}/{name}", self.ids[1]);
            let damaged = check["damaged"].as_array().unwrap();
            let found = damaged.iter().find(|damaged| damaged["object"] == object.as_str());
            let found = found.unwrap_or_else(|| panic!("{case}: {check}"));
            // A later backup may reference a volume too.
            let later = fs::read_to_string(
                self.project.path("pristine").join(INSTANCE).join(&self.ids[2]).join("manifest.json"),
            );
            let last = if later.unwrap().contains(&object) { 3 } else { 2 };
            let hit = hit.start..hit.end.max(last);
            assert_eq!(found["backups"], self.names(1..last), "{case}");

            let code = match end {
                End::Mended => 0,
                End::SetAside => 3,
                End::Left => 13,
            };
            let repair = self.program.run(["repair", "--json"]).await.expect_code(code).json();
            let of_it = &repair["instances"][0];
            let (aside, left) = match end {
                End::Mended => (json!([]), json!([])),
                End::SetAside => (json!(self.ids[hit.clone()]), json!([])),
                End::Left => (json!([]), json!(self.ids[hit.clone()])),
            };
            assert_eq!((&of_it["set_aside"], &of_it["left"]), (&aside, &left), "{case}: {repair}");
            let after = self.files();
            let quarantined_now = before.iter().map(|path| match path.ends_with("manifest.json") {
                true if !after.contains(path) => path.with_file_name("set-aside.json"),
                _ => path.clone(),
            });
            assert!(quarantined_now.into_iter().all(|path| after.contains(&path)), "{case}: nothing is deleted");

            // Objects that were found damaged are read again.
            let again = self.program.run(["check", "--read-data=1B", "--json"]).await;
            let again = again.expect_code(if end == End::Left { 13 } else { 0 }).json();
            let list = self.program.run(["list", "--json"]).await;
            let list = list.expect_code(if end == End::Left { 13 } else { 0 }).json();
            let aside = if end == End::SetAside { self.names(hit.clone()) } else { json!([]) };
            assert_eq!((&again["set_aside"], &list["set_aside"]), (&aside, &aside), "{case}");
            let count = 3 - aside.as_array().unwrap().len();
            assert_eq!(list["backups"].as_array().unwrap().len(), count, "{case}: {list}");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[tokio::test]
async fn truncated_object_is_repaired_or_quarantined() {
    let truncate = |path: &Path, _: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    Fixture::new().await.damaged("truncated", truncate, 1..2).await;
}

#[tokio::test]
async fn flipped_bit_is_repaired_or_quarantined() {
    Fixture::new().await.damaged("flipped", |path, _| flip_a_bit(path), 1..2).await;
}

#[tokio::test]
async fn lost_object_is_repaired_or_quarantined() {
    let fixture = Fixture::new().await;
    fixture.damaged("deleted", |path, _| fs::remove_file(path).unwrap(), 1..2).await;

    // Without its manifest and another copy of it, a backup cannot be recreated. Its remaining
    // objects stay until it is forgotten.
    fixture.reset();
    fs::remove_file(fixture.path(1, "manifest.json")).unwrap();
    let before = fixture.files();
    let check = fixture.program.run(["check", "--json"]).await.expect_code(13).json();
    let lost = format!("{INSTANCE}/{}/manifest.json", fixture.ids[1]);
    assert_eq!(check["damaged"][0]["object"], lost.as_str(), "{check}");
    fixture.program.run(["repair"]).await.expect_code(13);
    let after = fixture.files();
    assert!(before.iter().all(|path| after.contains(path)), "{after:?}");
}

#[tokio::test]
async fn swapped_object_is_repaired_or_quarantined() {
    let swap = |path: &Path, other: &Path| {
        let (one, two) = (fs::read(path).unwrap(), fs::read(other).unwrap());
        assert_ne!(one, two, "{}", path.display());
        fs::write(path, two).unwrap();
        fs::write(other, one).unwrap();
    };
    Fixture::new().await.damaged("swapped", swap, 1..3).await;
}

#[tokio::test]
async fn damaged_pins_and_proofs_harm_nothing() {
    let fixture = Fixture::new().await;
    let (program, id) = (&fixture.program, fixture.ids[1].as_str());
    program.run(["pin", id, "--note", "keep it"]).await.success();
    program.run(["restore", id, "--to", "staging"]).await.success();
    program.run(["check", "--read-data=1B"]).await.success();
    let instance = fixture.project.repository().join(INSTANCE);
    let proofs = instance.join("proofs").join(id);
    let proof = proofs.join(&file_paths(&proofs)[0]);
    let damages: [Damage; 3] = [
        ("flipped", flip_a_bit),
        ("truncated", |path| fs::write(path, "{\"").unwrap()),
        ("another's", |path| fs::write(path, ANOTHERS).unwrap()),
    ];
    for path in [instance.join("pins").join(format!("{id}.json")), proof, instance.join("check.json")] {
        for (how, damage) in damages {
            let case = format!("{} {how}", path.display());
            let intact = fs::read(&path).unwrap();
            damage(&path);
            program.run(["check", "--read-data=1B"]).await.success();
            let repair = program.run(["repair"]).await.success().stdout;
            assert!(repair.contains("3 backups checked, no damage found"), "{case}: {repair}");
            // Their names are enough to keep the backups that they are about.
            let list = program.run(["list", "--json"]).await.success().json();
            let backup = &list["backups"][1];
            assert_eq!((&backup["pinned"], &backup["proof"]["outcome"]), (&true.into(), &"passed".into()), "{case}");
            program.run(["show", id]).await.success();
            fs::write(&path, intact).unwrap();
        }
    }
}
