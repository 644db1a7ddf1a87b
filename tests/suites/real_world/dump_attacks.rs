//! Tests dumps with content that pg_dump does not write: none of it is run, however it arrives.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine::manifest::{Manifest, StoredDump, StoredObject};
use engine::stream::Fingerprint;
use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::postgres::SUPERUSER;
use harness::project::Project;
use serde_json::Value;

/// A database of the restoring role that must not change.
const VICTIM: &str = "victim";

async fn project_with_backup() -> (Project, OdooBackup) {
    let project = Project::start().await;
    project.cluster().create_database(VICTIM);
    fs::create_dir(project.path("tmp")).unwrap();
    let program = odoo_backup!(project.config()).env("TMPDIR", project.path("tmp").to_str().unwrap());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    (project, program)
}

fn zstd(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new("zstd").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("zstd");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Returns the folder of the only backup.
fn backup_folder(project: &Project) -> PathBuf {
    let entries = fs::read_dir(project.repository().join("production")).unwrap();
    let mut folders = entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("manifest.json").is_file());
    folders.next().expect("a backup")
}

fn dump_of(project: &Project) -> Vec<u8> {
    zstd(&["-dcq"], &fs::read(backup_folder(project).join("database-0001.zst")).unwrap())
}

/// Replaces the dump of the backup and updates all digests, as an attacker with write access to the
/// repository could.
fn forge(project: &Project, dump: &[u8]) {
    let folder = backup_folder(project);
    let replace = |name: &str, content: &[u8]| {
        let _ = fs::remove_file(folder.join(name));
        fs::write(folder.join(name), content).unwrap();
    };
    let stored = zstd(&["-cq"], dump);
    let mut document: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    document["filestore"].as_object_mut().unwrap().remove("found");
    let mut manifest: Manifest = serde_json::from_value(document).unwrap();
    // A reader of format 2 takes backups of format 1, so an attacker need not write an index.
    let key = manifest.backup().object("database.dump.zst");
    let object = StoredObject { key, plain: Fingerprint::of(dump), stored: Fingerprint::of(&stored) };
    (manifest.format, manifest.database.dump) = (1, StoredDump::Whole(object));
    let bytes = manifest.to_bytes().unwrap();
    replace("database.dump.zst", &stored);
    replace("SHA256SUMS", manifest.checksums(&bytes).as_bytes());
    replace("manifest.json", &bytes);
}

fn integer(value: i32) -> [u8; 5] {
    let [a, b, c, d] = value.unsigned_abs().to_le_bytes();
    [u8::from(value < 0), a, b, c, d]
}

/// Returns the dump with one more entry before all others.
fn with_entry(dump: &[u8], kind: &str, definition: &str) -> Vec<u8> {
    let read = |at: usize| i32::from_le_bytes(dump[at + 1..at + 5].try_into().unwrap());
    let minor = dump[6];
    let mut at = 11 + if minor >= 15 { 1 } else { 5 } + 7 * 5;
    for _text in ["database", "server", "pg_dump"] {
        at += 5 + read(at) as usize;
    }
    let mut entry = Vec::new();
    let text = |entry: &mut Vec<u8>, text: &str| {
        entry.extend(integer(text.len() as i32));
        entry.extend(text.as_bytes());
    };
    entry.extend(integer(30_000));
    entry.extend(integer(0));
    for value in ["1259", "0", "unremarkable", kind] {
        text(&mut entry, value);
    }
    entry.extend(integer(2));
    for value in [definition, "", "", "public"] {
        text(&mut entry, value);
    }
    // No tablespace, no access method.
    entry.extend([integer(-1), integer(-1)].concat());
    if minor >= 16 {
        entry.extend(integer(0));
    }
    for value in ["odoo", "false"] {
        text(&mut entry, value);
    }
    entry.extend(integer(-1));
    entry.push(3);
    entry.extend([0; 8]);
    [&dump[..at], &integer(read(at) + 1), &entry, &dump[at + 5..]].concat()
}

fn databases(project: &Project) -> Vec<String> {
    project.cluster().databases()
}

const DROP: &str = "DROP DATABASE victim WITH (FORCE);";

#[tokio::test]
async fn foreign_statement_stops_restore_and_drill() {
    let (project, program) = project_with_backup().await;
    let dump = dump_of(&project);
    forge(&project, &with_entry(&dump, "TABLE", DROP));
    for command in [&["drill"][..], &["restore", "--to", "staging"], &["restore", "--to", "staging", "--jobs", "1"]] {
        let refused = program.run(command).await.expect_code(1);
        assert!(refused.stderr.contains("contains `DROP DATABASE victim WITH (FORCE);`"), "{}", refused.stderr);
        assert!(refused.stderr.contains("--trusted"), "{}", refused.stderr);
        assert_eq!(databases(&project), ["production", VICTIM]);
    }
    let export = program.run(["export", "latest", "-o", project.path("x.zip").to_str().unwrap()]).await.expect_code(1);
    assert!(export.stderr.contains("contains `DROP DATABASE"), "{}", export.stderr);
    // This is not damage of the backup, and nothing was verified.
    let list = program.run(["list", "--json"]).await.success().stdout;
    assert!(!list.to_lowercase().contains("failed"), "{list}");
}

#[tokio::test]
async fn trusted_repository_runs_what_it_holds() {
    let (project, program) = project_with_backup().await;
    let dump = dump_of(&project);
    forge(&project, &with_entry(&dump, "NEWS", "CREATE COLLATION public.news (LOCALE = 'C');"));
    let refused = program.run(["restore", "--to", "staging"]).await.expect_code(1);
    assert!(refused.stderr.contains("the entry NEWS public.unremarkable is of an unknown type"), "{}", refused.stderr);
    program.run(["restore", "--to", "staging", "--trusted"]).await.success();
    let made = project.cluster().execute("staging", "SELECT collname FROM pg_collation WHERE collname = 'news'");
    assert_eq!(made.trim(), "news");
}

fn write_superuser(project: &Project, more: &str) {
    let config = fs::read_to_string(project.config()).unwrap();
    let keys = format!("neutralize = false\nuser = \"{SUPERUSER}\"");
    let config = if config.contains(&keys) { config } else { config.replace("neutralize = false", &keys) };
    fs::write(project.config(), format!("{config}\n{more}\n")).unwrap();
}

#[tokio::test]
async fn superuser_needs_trust_in_the_repository() {
    let (project, program) = project_with_backup().await;
    write_superuser(&project, "");
    for command in [
        &["drill", "--to", "staging"][..],
        &["restore", "--to", "staging"],
        &["restore", "--to", "staging", "--dry-run"],
    ] {
        let refused = program.run(command).await.expect_code(1);
        let said = refused.stdout + &refused.stderr;
        assert!(said.contains("the role \"postgres\" can run programs or read files on its server"), "{said}");
        assert!(said.contains("--trusted"), "{said}");
    }
    program.run(["drill", "--to", "staging", "--trusted"]).await.success();
    write_superuser(&project, "[instance.production.drill]\ntarget = \"staging\"\ntrusted = true");
    program.run(["drill"]).await.success();
    program.run(["restore", "--to", "staging", "--trusted"]).await.success();
    assert_eq!(databases(&project), ["production", "staging", VICTIM]);
}

/// Returns an archive of the instance as pg_dump writes it.
fn archive(project: &Project, name: &str, options: &[&str]) -> PathBuf {
    let path = project.path(name);
    let cluster = project.cluster();
    let mut pg_dump = cluster.command("pg_dump", cluster.user());
    pg_dump.args(["--format=custom", "--dbname", "production", "--file"]).arg(&path).args(options);
    assert!(pg_dump.status().unwrap().success());
    path
}

async fn import(program: &OdooBackup, path: &Path, name: &str, code: i32) -> String {
    let import = ["import", path.to_str().unwrap(), "--as", name, "--on", "staging"];
    program.run(import).await.expect_code(code).stderr
}

#[tokio::test]
async fn foreign_statement_stops_import_of_archive() {
    let (project, program) = project_with_backup().await;
    for options in [&["--compress=0"][..], &["--compress=6"]] {
        let name = format!("archive{}", options[0].len() + usize::from(options[0].ends_with('6')));
        let path = archive(&project, &name, options);
        // There are no files next to it: a warning.
        import(&program, &path, &name, 3).await;
        let dump = fs::read(&path).unwrap();
        for (kind, definition) in [
            ("TABLE", DROP),
            ("ACL", "GRANT odoo TO PUBLIC; DROP DATABASE victim;"),
            ("COMMENT", "COMMENT ON TABLE x IS 'x'; -- \rDROP DATABASE victim;"),
            ("SECURITY LABEL", "/* x */ DROP DATABASE victim;"),
            ("DATABASE PROPERTIES", "DROP DATABASE victim;"),
        ] {
            fs::write(&path, with_entry(&dump, kind, definition)).unwrap();
            let refused = import(&program, &path, "evil", 1).await;
            assert!(refused.contains("refused to run"), "{kind}: {refused}");
            assert_eq!(databases(&project), ["production", VICTIM]);
        }
    }
    let inserts = archive(&project, "inserts", &["--inserts"]);
    let refused = import(&program, &inserts, "inserts", 1).await;
    assert!(refused.contains("contains its rows as INSERT statements"), "{refused}");
}
