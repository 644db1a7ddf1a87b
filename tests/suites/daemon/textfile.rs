//! Tests `status --textfile`, which writes metrics for node_exporter.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::exposition::{Exposition, metric};
use harness::http::Client;
use harness::project::INSTANCE;
use rustix::process::Signal;

use crate::daemon::Service;

/// An instance with a backup, and a folder for metrics.
struct Watched {
    service: Service,
    folder: PathBuf,
}

impl Watched {
    async fn start() -> Self {
        let notify = "[[notify]]\nname = \"hook\"\nwebhook = \"http://127.0.0.1:9/\"\n";
        let service = Service::with("schedule = \"0 2 * * *\"\nstale_after = \"48h\"", notify).await;
        service.program.run(["now"]).await.success();
        let folder = service.project.path("node-exporter");
        fs::create_dir(&folder).unwrap();
        Self { service, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("odoo-backup.prom")
    }

    /// Writes the file, which must end in this code, and reads it.
    async fn written(&self, code: i32) -> Exposition {
        let file = self.file();
        let run = self.service.program.run(["status", "--textfile", file.to_str().unwrap()]).await;
        run.expect_code(code);
        let names: Vec<_> = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["odoo-backup.prom"], "no temporary file is left");
        Exposition::of(&fs::read_to_string(file).unwrap())
    }
}

/// Returns the names of the metrics that only one of the two has.
fn only(one: &Exposition, other: &Exposition) -> Vec<String> {
    one.names().difference(&other.names()).map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn textfile_has_values_of_daemon() {
    let it = Watched::start().await;
    let daemon = it.service.start();
    it.service.until_reported("READY=1").await;
    let address = fs::read_to_string(it.service.state().join("address")).unwrap();
    let client = Client::new(address.trim());
    let served = loop {
        let text = client.get("/metrics").await.expect(200).text();
        if text.contains("odoo_backup_repository_read_timestamp_seconds") {
            break Exposition::of(&text);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let file = it.written(0).await;
    assert_eq!(file.value("odoo_backup_textfile_complete"), Some(1.0));
    assert_eq!(file.value(&format!("odoo_backup_backups{{odoo_instance=\"{INSTANCE}\"}}")), Some(1.0));
    let own = ["odoo_backup_textfile_complete", "odoo_backup_textfile_timestamp_seconds"];
    assert_eq!(only(&file, &served), own);
    let of_daemon = ["active_runs", "downloads_total", "retention_removed_total", "runs_total"];
    let of_daemon = [&of_daemon[..], &["start_timestamp_seconds"]].concat();
    assert_eq!(only(&served, &file), of_daemon.iter().map(|name| format!("odoo_backup_{name}")).collect::<Vec<_>>());
    let changing = [&own[..], &["odoo_backup_repository_read_timestamp_seconds"]].concat();
    for (series, value) in file.samples.iter().filter(|(series, _)| !changing.contains(&metric(series))) {
        assert_eq!(served.value(series), Some(*value), "{series}");
    }

    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
    // The daemon is missed: there is a schedule.
    let alone = it.written(3).await;
    let of_running = ["odoo_backup_next_run_timestamp_seconds", "odoo_backup_running"];
    assert_eq!(only(&file, &alone), of_running);
    assert_eq!(alone.value("odoo_backup_textfile_complete"), Some(1.0));
}

#[tokio::test]
async fn unread_repository_leaves_no_values() {
    let it = Watched::start().await;
    let before = it.written(3).await;
    // node_exporter runs as another user.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&it.file()), 0o644);
    fs::set_permissions(it.file(), fs::Permissions::from_mode(0o600)).unwrap();
    let repository = it.service.project.repository();
    fs::rename(&repository, repository.with_extension("away")).unwrap();
    let unread = it.written(1).await;
    assert_eq!(mode(&it.file()), 0o644);
    let condition = format!("odoo_backup_instance_condition{{odoo_instance=\"{INSTANCE}\"}}");
    for (series, value) in [
        ("odoo_backup_textfile_complete", 0.0),
        ("odoo_backup_repository_readable{repository=\"main\"}", 0.0),
        (&condition, 2.0),
    ] {
        assert_eq!(unread.value(series), Some(value), "{series}");
    }
    // What remains of what was known is no word about backups.
    let known: BTreeSet<_> = before.names().intersection(&unread.names()).copied().collect();
    let expected = [
        "build_info",
        "instance_condition",
        "notifications_total",
        "notifier_failing",
        "repository_readable",
        "schedule_interval_seconds",
        "stale_after_seconds",
        "textfile_complete",
        "textfile_timestamp_seconds",
    ];
    assert_eq!(known, expected.map(|name| format!("odoo_backup_{name}")).iter().map(String::as_str).collect());
    assert_eq!(only(&unread, &before), [""; 0]);

    fs::rename(repository.with_extension("away"), &repository).unwrap();
    fs::write(it.service.project.config(), "[repository]\nurl = 1\n").unwrap();
    let unread = it.written(2).await;
    let names = ["build_info", "textfile_complete", "textfile_timestamp_seconds"];
    assert_eq!(unread.names(), names.map(|name| format!("odoo_backup_{name}")).iter().map(String::as_str).collect());
    assert_eq!(unread.value("odoo_backup_textfile_complete"), Some(0.0));
}

#[tokio::test]
async fn unread_state_leaves_condition_open() {
    let it = Watched::start().await;
    let condition = format!("odoo_backup_instance_condition{{odoo_instance=\"{INSTANCE}\"}}");
    assert_eq!(it.written(3).await.value(&condition), Some(0.0));
    fs::create_dir_all(it.service.state().join("journal.jsonl")).unwrap();
    let file = it.written(3).await;
    assert_eq!(file.value("odoo_backup_textfile_complete"), Some(0.0));
    assert_eq!(file.value("odoo_backup_repository_readable{repository=\"main\"}"), Some(1.0));
    assert_eq!(file.value(&condition), None, "the latest run may have failed");
}

#[tokio::test]
async fn textfile_of_other_name_is_refused() {
    let it = Watched::start().await;
    for (name, code, message) in
        [("odoo-backup.txt", 2, "must end in .prom"), ("missing/odoo-backup.prom", 1, "does not exist")]
    {
        let file = it.folder.join(name);
        let run = it.service.program.run(["status", "--textfile", file.to_str().unwrap()]).await.expect_code(code);
        assert!(run.stderr.contains(message), "{}", run.stderr);
        assert!(!file.exists());
    }
    // A folder of that name stays, and no temporary file is left.
    fs::create_dir(it.file()).unwrap();
    it.service.program.run(["status", "--textfile", it.file().to_str().unwrap()]).await.expect_code(1);
    assert_eq!(fs::read_dir(&it.folder).unwrap().count(), 1);
}
