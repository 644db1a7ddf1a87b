//! Tests repositories of earlier versions: they must stay readable.
//!
//! `tests/frozen` contains one of each format; that of format 2 began as one of format 1, and has a
//! backup of it. Next to each is the content of its backups, which other programs recorded when it
//! was created.

mod content;
mod make;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, ProjectOptions, Source, TARGET_KEYS};
use serde_json::Value;

use self::content::{Content, Expected};

/// Returns the recorded content.
fn expected(format: u32) -> Expected {
    serde_json::from_slice(&fs::read(frozen(format).join("expected.json")).unwrap()).unwrap()
}

fn frozen(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/frozen/format-{format}"))
}

/// Copies a folder with the modes of a repository: git stores neither 0600 nor 0700.
fn copy_private(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_private(&entry.path(), &to);
        } else {
            fs::write(&to, fs::read(entry.path()).unwrap()).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// Returns a project whose repository is a copy of the frozen one, with a target for each of its
/// backups.
async fn with_frozen_copy(format: u32, expected: &Expected) -> (Project, OdooBackup) {
    let project = Project::with(ProjectOptions { source: Source::Empty, ..ProjectOptions::default() }).await;
    copy_private(&frozen(format).join("repository"), &project.repository());
    let conf = project.odoo_conf(INSTANCE);
    let targets = (0..expected.backups.len()).map(|number| {
        let (name, conf) = (target(number), conf.display());
        format!("[target.{name}]\nodoo_conf = \"{conf}\"\ndatabase = \"{name}\"\n{TARGET_KEYS}\n")
    });
    let url = format!("url = \"file://{}\"", project.repository().display());
    project.write_config(&url, &targets.collect::<String>());
    let program = odoo_backup!(project.config());
    (project, program)
}

fn target(number: usize) -> String {
    format!("copy_{number}")
}

/// Returns the fields of a listed backup that later versions must keep.
fn brief(listed: &Value) -> Value {
    let fields = [
        "id",
        "instance",
        "created_at",
        "finished_at",
        "odoo_series",
        "database",
        "filestore",
        "attachments",
        "stored_bytes",
        "imported",
        "warnings",
        "pinned",
        "proven",
        "proof",
    ];
    fields.iter().map(|field| ((*field).to_owned(), listed[field].clone())).collect()
}

/// Panics unless `found` contains everything in `expected`. It may contain more.
#[track_caller]
fn assert_holds(found: &Value, expected: &Value, at: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                assert_holds(found.get(name).unwrap_or(&Value::Null), expected, &format!("{at}.{name}"));
            }
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}

#[tokio::test]
async fn frozen_format_1_is_read() {
    assert_read_and_fetched(1).await;
}

#[tokio::test]
async fn frozen_format_2_is_read() {
    assert_read_and_fetched(2).await;
}

async fn assert_read_and_fetched(format: u32) {
    let expected = expected(format);
    let (project, program) = with_frozen_copy(format, &expected).await;
    let list = program.run(["list", "--json"]).await.success().json();
    let listed = list["backups"].as_array().unwrap();
    assert_eq!((listed.len(), &list["damaged"]), (expected.backups.len(), &serde_json::json!([])), "{list}");
    for (listed, backup) in listed.iter().zip(&expected.backups) {
        assert_holds(listed, &backup.listed, &backup.name());
        let shown = program.run(["show", &backup.name(), "--json"]).await.success().json();
        let own_format = if backup.listed["database"]["chain"].is_null() { 1 } else { 2 };
        assert_holds(&shown["manifest"], &serde_json::json!({ "format": own_format, "id": backup.id() }), "manifest");
        assert_eq!(shown["pin_note"], backup.pin_note.clone().map_or(Value::Null, Value::from), "{}", backup.name());
        assert_eq!(shown["proof"]["depth"], backup.listed["proof"]["depth"], "{}", backup.name());
        let files = program.run(["files", &backup.name(), "--json"]).await.success().json();
        assert_eq!(files["attachments"].as_array().unwrap().len() as u64, backup.content.rows("ir_attachment"));
    }

    let check = program.run(["check", "--read-data", "--json"]).await.success().json();
    assert_eq!((&check["sound"], &check["unnamed"]), (&true.into(), &serde_json::json!([])), "{check}");
    assert_eq!(check["set_aside"], serde_json::json!(expected.set_aside));
    assert_eq!(check["backups"].as_array().unwrap().len(), expected.backups.len());

    // The second version of a file overrides the first, and the first still exists.
    for (number, backup) in expected.backups.iter().enumerate() {
        for path in make::PATHS.iter().filter(|path| backup.content.files.contains_key(**path)) {
            let file = project.path(&format!("fetched-{number}"));
            program.run(["fetch", &backup.name(), path, "-o", file.to_str().unwrap()]).await.success();
            assert_eq!(content::sha256(&file), backup.content.files[*path], "{path} of {}", backup.name());
            fs::remove_file(file).unwrap();
        }
    }
}

#[tokio::test]
async fn frozen_format_1_restores_exactly() {
    assert_restores_exactly(1).await;
}

#[tokio::test]
async fn frozen_format_2_restores_exactly() {
    assert_restores_exactly(2).await;
}

async fn assert_restores_exactly(format: u32) {
    let expected = expected(format);
    let (project, program) = with_frozen_copy(format, &expected).await;
    for (number, backup) in expected.backups.iter().enumerate() {
        let target = target(number);
        program.run(["restore", &backup.name(), "--to", &target, "--verify", "full"]).await.success();
        let filestore = project.target_filestore().with_file_name(&target);
        let content = Content::of(project.cluster(), &target, &filestore).await;
        assert_eq!(content.files, backup.content.files, "{}", backup.name());
        assert_eq!(content.database, backup.content.database, "{}", backup.name());
    }
}
