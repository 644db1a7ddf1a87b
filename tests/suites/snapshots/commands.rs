//! Runs one instance through every command, and records what that leaves on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::odoo_backup;
use harness::project::{INSTANCE, Project, TARGET};
use harness::receiver::Receiver;
use harness::schema::Documents;
use rustix::process::Signal;
use serde_json::Value;

use super::book::{Book, assert_unchanged};
use super::{add_names, document, lines, schemas};
use crate::daemon::Service;
use crate::main_job::damage::flip_a_bit;

/// Runs commands, and records the output and exit code of each.
struct Recorder {
    service: Service,
    commands: Book,
    codes: Book,
    documents: Documents,
}

impl Recorder {
    /// Runs a command with `--json`, which must exit with `code`. The text after a comma in `title`
    /// names a case whose document has the same shape.
    async fn json(&mut self, title: &str, arguments: &[&str], code: i32) -> Value {
        let run = self.service.program.run([arguments, &["--json"]].concat()).await.expect_code(code);
        let document = run.json();
        self.note(title, &document);
        self.codes.line("Exit codes", format!("{code}\t{title}"));
        document
    }

    /// Records a document. Errors are separate documents.
    fn note(&mut self, title: &str, document: &Value) {
        let command = title.split(',').next().unwrap();
        let command = if document["error"].is_object() { "error" } else { command };
        self.documents.assert_document(command, document);
        self.commands.add(command, document);
    }

    /// Runs a command with `--json-progress`, which must exit with 0, and checks its events.
    async fn events(&mut self, arguments: &[&str]) {
        let run = self.service.program.run([arguments, &["--json-progress"]].concat()).await.success();
        assert!(run.json().is_object());
        let events: Vec<Value> = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        events.iter().for_each(|event| self.documents.assert_document("event", event));
        let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!((kinds[0], kinds.iter().filter(|kind| **kind == "start").count()), ("start", 1), "{kinds:?}");
        assert_eq!((kinds.last(), kinds.iter().filter(|kind| **kind == "end").count()), (Some(&"end"), 1), "{kinds:?}");
        assert_eq!((&events[0]["command"], &events.last().unwrap()["exit_code"]), (&arguments[0].into(), &0.into()));
        // Each phase that began has ended, with all its bytes.
        let number = |event: &&Value, kind: &str| event["event"] == kind;
        let begun = events.iter().filter(|event| number(event, "phase")).count();
        let ended: Vec<_> = events.iter().filter(|event| event["ended"] == true).collect();
        assert_eq!(begun, ended.len(), "{events:?}");
        for event in &ended {
            let of_phase = events.iter().filter(|other| number(other, "progress") && other["phase"] == event["phase"]);
            assert!(of_phase.map(|other| other["done_bytes"].as_u64()).is_sorted(), "{events:?}");
        }
    }

    /// Runs a command for its exit code.
    async fn code(&mut self, title: &str, arguments: &[&str], code: i32) {
        self.service.program.run(arguments).await.expect_code(code);
        self.codes.line("Exit codes", format!("{code}\t{title}"));
    }

    /// Backs up and returns the id.
    async fn back_up(&mut self, title: &str, code: i32) -> String {
        let now = self.json(title, &["now", INSTANCE], code).await;
        now["backups"][0]["id"].as_str().unwrap().to_owned()
    }

    fn project(&self) -> &Project {
        &self.service.project
    }

    fn object(&self, id: &str, name: &str) -> PathBuf {
        self.project().repository().join(INSTANCE).join(id).join(name)
    }
}

pub(super) fn configuration(project: &Project, receiver: &Receiver) -> String {
    format!(
        "[repository.offsite]\nurl = \"file://{}\"\n[[notify]]\nname = 'hook'\nwebhook = '{}'\n[[notify]]\nname = 'broken'\n\
         webhook = 'http://127.0.0.1:1/'\non = ['failure']\n\
         [instance.{INSTANCE}.retention]\nkeep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\ngrace = '1 hour'\n\
         [instance.{INSTANCE}.check]\nschedule = '30 4 * * 1'\n[instance.{INSTANCE}.drill]\nschedule = '0 5 * * 0'\n\
         [target.mistake]\nodoo_conf = \"{}\"\ndatabase = \"{INSTANCE}\"\nfilestore = \"{}\"\n",
        project.path("offsite").display(),
        receiver.url("/hook"),
        project.odoo_conf(INSTANCE).display(),
        project.path("elsewhere").display(),
    )
}

/// Returns the files that attachments name, in their order.
pub(super) fn attachment_files(project: &Project) -> Vec<PathBuf> {
    let sql = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname LIKE 'd%' ORDER BY 1";
    project.cluster().execute(INSTANCE, sql).lines().map(|path| project.filestore().join(path)).collect()
}

/// Deletes most attachments and their files, as Odoo and its collector do.
pub(super) fn remove_most_files(project: &Project) {
    project.cluster().execute(INSTANCE, "DELETE FROM ir_attachment WHERE store_fname < 'd'");
    for folder in fs::read_dir(project.filestore()).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.file_name().unwrap().to_str().unwrap() < "d" {
            fs::remove_dir_all(folder).unwrap();
        }
    }
}

pub(super) fn age(folder: &Path) {
    let age = ["-type", "f", "-exec", "touch", "--date", "2 days ago", "{}", "+"];
    assert!(Command::new("find").arg(folder).args(age).status().unwrap().success());
}

#[tokio::test]
async fn commands_keep_documents_and_exit_codes() {
    let receiver = Receiver::start();
    let service = Service::of(Project::start().await);
    let more = configuration(&service.project, &receiver);
    service.configure("schedule = \"0 2 * * *\"\ntimezone = \"Europe/Brussels\"", &more);
    service.project.write_target_keys("anonymize = true");
    let (commands, codes) = (Book::new("commands"), Book::new("exit-codes"));
    let mut it = Recorder { service, commands, codes, documents: schemas() };
    let mut stored = Book::new("documents");

    it.json("now, without a repository", &["now"], 10).await;
    it.json("init", &["init"], 0).await;
    let (new, conf) = (it.project().path("new.toml"), it.project().odoo_conf("production"));
    let url = format!("file://{}", it.project().repository().display());
    let new = odoo_backup!(new);
    let arguments = ["init", "--json", "--odoo-conf", conf.to_str().unwrap(), "--repository", &url];
    it.note("init", &new.run(arguments).await.success().json());
    it.code("status --nagios, critical", &["status", "--nagios"], 2).await;
    it.json("doctor", &["doctor"], 0).await;
    fs::set_permissions(it.project().repository(), fs::Permissions::from_mode(0o777)).unwrap();
    let fixed = it.json("doctor", &["doctor", "--fix"], 0).await;
    assert_eq!(fixed["fixes"][0]["outcome"], "fixed", "{fixed}");
    it.json("config show", &["config", "show"], 0).await;
    let first = backups(&mut it, &mut stored).await;
    copies(&mut it, &mut stored, &first).await;
    let last = removals(&mut it, &mut stored).await;
    damage(&mut it, &mut stored, &last).await;
    locks(&mut it, &mut stored).await;

    it.json("schedule", &["schedule"], 0).await;
    it.json("notify test", &["notify", "test"], 1).await;
    it.json("notify test", &["notify", "test", "--dry-run"], 0).await;
    let manual = it.project().path("manual");
    it.json("manual", &["manual", manual.to_str().unwrap()], 0).await;
    it.code("completions", &["completions", "bash"], 0).await;
    it.json("restore, wrong usage", &["restore"], 2).await;
    it.json("now, no such instance", &["now", "prodution"], 2).await;
    let documented = manual_codes();
    documented.into_iter().for_each(|code| it.codes.line("Exit codes of the manual", code));
    assert_unchanged(&[it.commands, it.codes, stored]);
}

/// Runs `now`, `list`, `show`, `files`, `fetch`, `check` and `pin`. Returns the first backup.
async fn backups(it: &mut Recorder, stored: &mut Book) -> String {
    let first = it.back_up("now", 0).await;
    it.json("list", &["list"], 0).await;
    it.json("show", &["show", "latest"], 0).await;
    let files = it.json("files", &["files", "latest"], 0).await;
    let path = files["attachments"].as_array().unwrap().iter().find_map(|file| file["path"].as_str()).unwrap();
    let file = it.project().path("fetched");
    it.json("fetch", &["fetch", "latest", path, "-o", file.to_str().unwrap()], 0).await;
    it.json("check", &["check"], 0).await;
    it.json("check, reading all", &["check", "--read-data"], 0).await;
    it.json("pin", &["pin", "latest", "--note", "before the upgrade"], 0).await;
    it.json("show, a pinned backup", &["show", "latest"], 0).await;
    let repository = it.project().repository();
    stored.add("repository.json", &document(&repository.join("repository.json")));
    stored.add("pins/<id>.json", &document(&repository.join(INSTANCE).join("pins").join(format!("{first}.json"))));
    stored.add("check.json", &document(&repository.join(INSTANCE).join("check.json")));
    it.json("unpin", &["unpin", "latest"], 0).await;
    first
}

/// Runs `restore`, `drill`, `copy`, `export` and `import`.
async fn copies(it: &mut Recorder, stored: &mut Book, first: &str) {
    it.json("restore --dry-run", &["restore", "--to", TARGET, "--dry-run"], 0).await;
    let report = it.project().path("restore.json");
    it.json("restore", &["restore", "--to", TARGET, "--report", report.to_str().unwrap()], 0).await;
    it.note("restore, its report", &document(&report));
    it.json("restore, again", &["restore", "--to", TARGET], 0).await;
    let record = it.project().target_filestore().with_file_name(format!(".odoo-backup-{TARGET}.json"));
    stored.add(".odoo-backup-<target>.json", &document(&record));
    it.json("restore --undo", &["restore", "--undo", "--to", TARGET], 0).await;
    it.json("restore, refused", &["restore", "--to", "mistake"], 1).await;
    let report = it.project().path("drill.json");
    it.json("drill", &["drill", "--report", report.to_str().unwrap()], 0).await;
    it.note("drill, its report", &document(&report));
    let proofs = it.project().repository().join(INSTANCE).join("proofs").join(first);
    for entry in fs::read_dir(proofs).unwrap() {
        stored.add("proofs/<id>/<time>-<depth>-<outcome>.json", &document(&entry.unwrap().path()));
    }
    it.json("copy, dry run", &["copy", "--to", "offsite", "--dry-run"], 0).await;
    it.json("copy", &["copy", "--to", "offsite"], 0).await;
    let zip = it.project().path("production.zip");
    it.json("export", &["export", "latest", "-o", zip.to_str().unwrap()], 0).await;
    let base = it.project().path("production");
    it.json("export, of a dump", &["export", "latest", "--format", "dump", "-o", base.to_str().unwrap()], 0).await;
    it.events(&["drill", "latest"]).await;
    it.events(&["check", "--read-data"]).await;
    it.events(&["prune", "--dry-run"]).await;
    it.json("import", &["import", zip.to_str().unwrap(), "--as", "archive", "--on", TARGET], 0).await;
}

/// Runs `prune` and `forget`. Returns the only remaining backup.
async fn removals(it: &mut Recorder, stored: &mut Book) -> String {
    let files = attachment_files(it.project());
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], "damaged").unwrap();
    it.project().write_settled("odd", "a file that no attachment names");
    it.back_up("now, with warnings", 3).await;
    remove_most_files(it.project());
    let last = it.back_up("now, with warnings", 3).await;
    let repository = it.project().repository();
    age(&repository);
    fs::write(repository.join(INSTANCE).join(".tmp-left"), "half").unwrap();
    it.json("prune, as of a day", &["prune", "--dry-run", "--as-of", "2100-01-01"], 3).await;
    it.json("prune, held", &["prune", "--repack", "--dry-run"], 3).await;
    age(&repository);
    it.json("prune", &["prune", INSTANCE, "--repack", "--accept-shrunk"], 0).await;
    stored.add("accepted.json", &document(&repository.join(INSTANCE).join("accepted.json")));
    stored.add("manifest.json", &document(&it.object(&last, "manifest.json")));
    for name in ["tables.zst", "attachments.zst"] {
        lines(&it.object(&last, name)).iter().for_each(|line| stored.add(name, line));
    }
    for path in harness::compare::file_paths(&repository.join(INSTANCE)) {
        if path.to_str().unwrap().ends_with(".files.zst") {
            let path = repository.join(INSTANCE).join(path);
            lines(&path).iter().for_each(|line| stored.add("filestore-NNNN.files.zst", line));
        }
    }
    it.json("now, with --prune", &["now", INSTANCE, "--prune"], 3).await;
    it.json("list, several", &["list"], 0).await;
    let list = it.service.backups().await;
    let newest = list.iter().rfind(|backup| backup["instance"] == INSTANCE).unwrap();
    let newest = newest["id"].as_str().unwrap().to_owned();
    let another = it.back_up("now, with warnings", 3).await;
    it.json("forget, dry run", &["forget", &another, "--dry-run"], 0).await;
    it.json("forget", &["forget", &another, "--yes"], 0).await;
    newest
}

/// Runs `check`, `list`, `status` and `repair` on a damaged backup.
async fn damage(it: &mut Recorder, stored: &mut Book, backup: &str) {
    // An earlier backup may have the same list.
    let manifest: Value = serde_json::from_slice(&fs::read(it.object(backup, "manifest.json")).unwrap()).unwrap();
    let tables = manifest["database"]["rows"]["list"]["key"].as_str().unwrap();
    flip_a_bit(&it.project().repository().join(tables));
    it.json("check, damaged", &["check", "--read-data", "--instance", INSTANCE], 13).await;
    it.json("repair, all of it", &["repair", INSTANCE], 0).await;
    flip_a_bit(&it.object(backup, "database.map.zst"));
    it.json("check, damaged", &["check", "--read-data", "--instance", INSTANCE], 13).await;
    let repository = it.project().repository();
    stored.add("damage.json", &document(&repository.join(INSTANCE).join("damage.json")));
    it.json("list, damaged", &["list"], 13).await;
    it.json("show, damaged", &["show", backup], 0).await;
    it.json("status", &["status"], 1).await;
    it.json("repair, a dry run", &["repair", "--dry-run", INSTANCE], 3).await;
    it.json("repair, by quarantine", &["repair", INSTANCE], 3).await;
    it.json("copy, with a quarantined backup", &["copy", "--all", "--to", "offsite"], 3).await;
    it.json("list, with a quarantined backup", &["list"], 0).await;
    it.json("check, with a quarantined backup", &["check"], 0).await;
    add_names(stored, "names in the repository", &repository);
    let next = it.back_up("now, with warnings", 3).await;
    fs::write(it.object(&next, "manifest.json"), "{}").unwrap();
    it.json("list, with a manifest that cannot be read", &["list"], 13).await;
    it.json("prune, with a manifest that cannot be read", &["prune", INSTANCE], 13).await;
}

/// Runs `unlock` during a backup, which is then interrupted.
async fn locks(it: &mut Recorder, stored: &mut Book) {
    let held = it.service.hold_pg_dump().await;
    let mut running = it.service.program.spawn(["now", INSTANCE, "--json"]);
    it.service.until_pg_dump_waits(&mut running).await;
    it.json("unlock --list", &["unlock", "--list"], 0).await;
    it.code("unlock, a living owner", &["unlock"], 3).await;
    it.json("now, locked", &["now", INSTANCE], 11).await;
    for entry in fs::read_dir(it.project().repository().join("locks").join(INSTANCE)).unwrap() {
        stored.add("locks/<instance>/<purpose>-<id>.json", &document(&entry.unwrap().path()));
    }
    running.signal(Signal::INT);
    let run = running.wait().await.expect_code(130);
    it.note("now, interrupted", &run.json());
    it.codes.line("Exit codes", "130\tnow, interrupted".into());
    drop(held);
}

/// Returns the codes in the manual's table.
fn manual_codes() -> Vec<String> {
    let manual = include_str!("../../../docs/exit-codes.md");
    let table = manual.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
    let codes = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u8>().ok());
    codes.map(|code| code.to_string()).collect()
}
