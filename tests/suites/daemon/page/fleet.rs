//! Many instances that were never backed up: their manifests are like that of a real backup.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use engine::repository::BackupId;
use harness::project::INSTANCE;
use jiff::{Timestamp, ToSpan, Zoned};
use serde_json::{Value, json};

use crate::daemon::Service;

/// What a full backup says of its sizes.
const SIZES: [&str; 4] = [
    "/database/dump/size",
    "/database/volumes/0/object/plain/size",
    "/database/volumes/0/object/stored/size",
    "/filestore/bytes",
];

/// The state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Ok,
    Warning,
    Failed,
    Stale,
    New,
}

/// Returns the state of the instance with this number. The first one is real.
fn how(number: usize) -> How {
    match number % 10 {
        3 => How::Failed,
        5 if number % 20 == 5 => How::Stale,
        7 if number % 20 == 7 => How::New,
        9 if number % 20 == 9 => How::Warning,
        _ => How::Ok,
    }
}

pub(super) fn name(number: usize) -> String {
    if number == 0 { INSTANCE.to_owned() } else { format!("shop-{number:03}") }
}

/// Counts the instances in this state among the first `of`.
pub(super) fn count(of: usize, wanted: How) -> usize {
    (0..of).filter(|number| how(*number) == wanted).count()
}

/// Returns the first instance in this state.
pub(super) fn first(wanted: How) -> usize {
    (1..).find(|number| how(*number) == wanted).unwrap()
}

/// Makes the first backup, and writes the configuration, the repository and the journal of the
/// others.
pub(super) async fn write(service: &Service, count: usize) {
    service.program.run(["now"]).await.success();
    let real = Real::of(service);
    let now = Timestamp::now();
    // Nothing begins by itself while a test runs.
    let hour = (Zoned::now().hour() + 12) % 24;
    let (mut config, mut journal) = (fs::read_to_string(service.project.config()).unwrap(), String::new());
    config = config.replace("schedule = \"0 2 * * *\"", &format!("schedule = \"0 {hour} * * *\""));
    for number in 1..count {
        let (name, minute) = (name(number), number % 60);
        let keys = "odoo_conf = \"ODOO_CONF\"\nstale_after = \"36h\""
            .replace("ODOO_CONF", &service.project.odoo_conf(INSTANCE).display().to_string());
        write!(config, "\n[instance.{name}]\n{keys}\ndatabase = \"{name}\"\nschedule = \"{minute} {hour} * * *\"\n")
            .unwrap();
        let age = match how(number) {
            How::New => continue,
            How::Stale => 24 * 5,
            How::Failed => 31,
            How::Ok | How::Warning => 7,
        };
        real.write_like(&name, number, now - age.hours());
        if how(number) == How::Failed {
            let (began, ended) = (now - 7.hours(), now - 7.hours() + 3.seconds());
            let error = json!({ "message": "unable to connect to PostgreSQL at db07.example.com:5432", "causes": ["connection refused"] });
            journal.extend(run(
                number,
                &name,
                began,
                ended,
                &json!({ "result": "failed", "error": error, "attempts": 6 }),
            ));
        } else {
            let began = now - age.hours();
            journal.extend(run(number, &name, began, began + 70.seconds(), &json!({ "result": "done" })));
        }
    }
    fs::write(service.project.config(), config).unwrap();
    fs::create_dir_all(service.state()).unwrap();
    fs::write(service.state().join("journal.jsonl"), journal).unwrap();
}

fn run(id: usize, instance: &str, began: Timestamp, ended: Timestamp, outcome: &Value) -> [String; 2] {
    let trigger = json!({ "by": "request" });
    let began =
        json!({ "event": "began", "run": id, "instance": instance, "job": "backup", "trigger": trigger, "at": began });
    let ended = json!({ "event": "ended", "run": id, "at": ended, "outcome": outcome });
    [format!("{began}\n"), format!("{ended}\n")]
}

/// The one backup that was made.
pub(super) struct Real {
    repository: PathBuf,
    id: String,
    manifest: String,
}

impl Real {
    pub(super) fn of(service: &Service) -> Self {
        let repository = service.project.repository();
        let made = fs::read_dir(repository.join(INSTANCE)).unwrap().map(|entry| entry.unwrap().path());
        let [made] = made.filter(|path| path.join("manifest.json").exists()).collect::<Vec<_>>().try_into().unwrap();
        let manifest = fs::read_to_string(made.join("manifest.json")).unwrap();
        Self { repository, id: made.file_name().unwrap().to_str().unwrap().to_owned(), manifest }
    }

    /// Writes the manifest of a backup of another instance, of another size.
    pub(super) fn write_like(&self, name: &str, number: usize, created_at: Timestamp) {
        let id = BackupId::new(created_at);
        let text = self.manifest.replace(&self.id, id.as_str());
        let text = text.replace(&format!("\"{INSTANCE}\""), &format!("\"{name}\""));
        let text = text.replace(&format!("\"{INSTANCE}/"), &format!("\"{name}/"));
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        manifest["created_at"] = json!(created_at);
        manifest["finished_at"] = json!(created_at + i64::try_from(20 + number * 37 % 600).unwrap().seconds());
        let factor = [1, 40, 900, 7000][number % 4] * (60 + number % 41);
        for pointer in SIZES {
            let size = manifest.pointer_mut(pointer).unwrap();
            *size = json!(size.as_u64().unwrap() * u64::try_from(factor).unwrap());
        }
        if how(number) == How::Warning {
            manifest["warnings"] = json!(["3 files that attachments reference are missing in the filestore"]);
        }
        let folder = self.repository.join(name).join(id.as_str());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    }
}
