//! Tests the daemon as a process, with a real server and a real repository.

mod ends;
mod http;
mod life;
mod notify;
mod page;
mod several;
mod textfile;
mod watched;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use harness::cli::{OdooBackup, Running};
use harness::odoo_backup;
use harness::project::{INSTANCE, Project};
use serde_json::Value;
use tokio::net::UnixDatagram;
use tokio_postgres::Client;

/// A project with a repository. Its daemon has its own state folder and a port that the system
/// chooses.
pub(crate) struct Service {
    pub(crate) project: Project,
    pub(crate) program: OdooBackup,
    /// Receives what a daemon reports to its service manager.
    manager: UnixDatagram,
}

impl Service {
    /// Starts a project with these keys of the instance, and more sections at the end.
    pub(crate) async fn with(keys: &str, more: &str) -> Self {
        let service = Self::of(Project::start().await);
        service.configure(keys, more);
        service.program.run(["init"]).await.success();
        service
    }

    pub(crate) fn of(project: Project) -> Self {
        let socket = project.path("manager");
        let manager = UnixDatagram::bind(&socket).unwrap();
        let program = odoo_backup!(project.config()).env("NOTIFY_SOCKET", socket.to_str().unwrap());
        Self { project, program, manager }
    }

    /// Rewrites the configuration.
    pub(crate) fn configure(&self, keys: &str, more: &str) {
        let repository = format!("url = \"file://{}\"", self.project.repository().display());
        let daemon = format!("[daemon]\nlisten = \"127.0.0.1:0\"\nstate_dir = \"{}\"\n", self.state().display());
        self.project.write_config(&repository, &format!("{daemon}{more}"));
        let config = fs::read_to_string(self.project.config()).unwrap();
        let header = format!("[instance.{INSTANCE}]\n");
        assert!(config.contains(&header));
        fs::write(self.project.config(), config.replace(&header, &format!("{header}{keys}\n"))).unwrap();
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.project.path("state")
    }

    /// Makes the next daemon find that it was away: the last slot that it served is long ago.
    pub(crate) fn pretend_absence(&self) {
        fs::create_dir_all(self.state()).unwrap();
        let line =
            format!(r#"{{"event":"slot","instance":"{INSTANCE}","job":"backup","slot":"2026-01-01T00:00:00Z"}}"#);
        fs::write(self.state().join("journal.jsonl"), format!("{line}\n")).unwrap();
    }

    pub(crate) fn start(&self) -> Running {
        self.program.spawn(["daemon"])
    }

    /// Waits until the daemon has reported this to its service manager.
    pub(crate) async fn until_reported(&self, what: &str) -> String {
        let mut buffer = [0; 4096];
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                let length = self.manager.recv(&mut buffer).await.unwrap();
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if text.lines().any(|line| line.starts_with(what)) {
                    return text;
                }
            }
        });
        waited.await.unwrap_or_else(|_| panic!("the daemon did not say {what}"))
    }

    /// Locks a table, so that pg_dump, and with it the backup, waits until this is dropped.
    pub(crate) async fn hold_pg_dump(&self) -> Client {
        let client = self.project.cluster().connect(INSTANCE).await;
        client.batch_execute("BEGIN; LOCK TABLE mail_message IN ACCESS EXCLUSIVE MODE").await.unwrap();
        client
    }

    /// Waits until pg_dump waits for the lock.
    pub(crate) async fn until_pg_dump_waits(&self, daemon: &mut Running) {
        let watcher = self.project.cluster().connect("postgres").await;
        let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'production' AND wait_event_type = 'Lock'";
        while watcher.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            assert!(!daemon.has_ended(), "the daemon has ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns the events of the journal.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.state().join("journal.jsonl")).unwrap_or_default();
        // The last line may be incomplete at this moment.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Returns the outcomes of the runs that have ended.
    pub(crate) fn outcomes(&self) -> Vec<Value> {
        self.journal().iter().filter(|event| event["event"] == "ended").map(|event| event["outcome"].clone()).collect()
    }

    /// Waits until this many runs have ended, and returns their outcomes.
    pub(crate) async fn ended(&self, daemon: &mut Running, count: usize) -> Vec<Value> {
        wait_for(daemon, || Some(self.outcomes()).filter(|outcomes| outcomes.len() >= count)).await
    }

    /// Waits until the daemon has written its journal to the disk.
    pub(crate) async fn until_state_is_written(&self, daemon: &mut Running) {
        let journal = self.state().join("journal.jsonl");
        wait_for(daemon, || journal.exists().then_some(())).await;
    }

    /// Returns the names of the claims in the repository.
    pub(crate) fn claims(&self) -> Vec<String> {
        let locks = self.project.repository().join("locks");
        // The store removes an empty folder.
        let files = if locks.is_dir() { harness::compare::file_paths(&locks) } else { Vec::new() };
        files.into_iter().map(|path| path.display().to_string()).collect()
    }

    pub(crate) async fn backups(&self) -> Vec<Value> {
        let listed = self.program.run(["list", "--json"]).await.success().json();
        listed["backups"].as_array().unwrap().clone()
    }
}

/// Polls until there is an answer. Panics if the daemon ends before.
pub(crate) async fn wait_for<T>(daemon: &mut Running, mut answer: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(!daemon.has_ended(), "the daemon has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
