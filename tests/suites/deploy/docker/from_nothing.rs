//! Starts what the composition starts, with its scripts and its configuration, without containers.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::http::Client;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::scripts::{ODOO, image, is_root, prepare, volumes};
use crate::deploy::{deployed, output_of};

/// Returns the command of a service, run with the capabilities that the composition leaves it.
fn service(root: &TempDir, program: &Path) -> Command {
    let path = |name: &str| root.path().join(name);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "0", "--bounding-set=-all,+setuid,+setgid"]).arg(program);
    command.env_clear().env("PATH", std::env::var("PATH").unwrap());
    command.env("ODOO_DATA_DIR", path("var/lib/odoo")).env("ODOO_BACKUP_CONFIG", path("config.toml"));
    command.env("ODOO_BACKUP_TOKEN_FILE", path("run/secrets-of/backup/token"));
    command.env("STATE_DIRECTORY", path("var/lib/odoo-backup-state"));
    command.env("CACHE_DIRECTORY", path("var/cache/odoo-backup"));
    // There is no server: a dashboard that says so helps more than none.
    command.envs([
        ("ODOO_DATABASE", "production"),
        ("ODOO_DB_HOST", "127.0.0.1"),
        ("ODOO_DB_USER", "odoo"),
        ("PGPORT", "1"),
    ]);
    command
}

/// Writes the configuration of the composition, with the volumes' folders.
fn configure(root: &TempDir) {
    let text = fs::read_to_string(deployed("docker/odoo-backup.toml")).unwrap();
    let folder = root.path().display();
    let text = text.replace("/var/lib/", &format!("{folder}/var/lib/")).replace("0.0.0.0:8479", "0.0.0.0:0");
    let text = text.replace("/run/odoo-backup/", &format!("{folder}/run/secrets-of/backup/"));
    fs::write(root.path().join("config.toml"), text).unwrap();
}

/// A daemon, which ends when this is dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

impl Daemon {
    /// Starts the service `backup`, and waits for the address that it logs.
    fn start(root: &TempDir, program: &Path) -> (Self, u16) {
        let mut command = service(root, program);
        let mut daemon = Self(command.arg("daemon").stderr(Stdio::piped()).spawn().unwrap());
        let mut log = BufReader::new(daemon.0.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the daemon ended");
        }
        // A full pipe would hinder the daemon.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        (daemon, line.trim_end().rsplit_once(':').unwrap().1.parse().unwrap())
    }

    fn owner(&self) -> u32 {
        fs::metadata(format!("/proc/{}", self.0.id())).unwrap().uid()
    }
}

#[tokio::test]
async fn dashboard_answers_token() {
    if !is_root() {
        return;
    }
    let root = volumes();
    let programs = image(&root, env!("CARGO_BIN_EXE_odoo-backup"));
    configure(&root);
    output_of(&mut prepare(&root));
    // `init` runs at each `up`.
    for expected in ["created the repository", "found the repository"] {
        let printed = output_of(service(&root, &programs.join("odoo-backup")).arg("init"));
        assert!(printed.contains(expected), "{printed}");
    }
    let repository = fs::metadata(root.path().join("var/lib/odoo-backup/repository.json")).unwrap();
    assert_eq!((repository.uid(), repository.mode() & 0o777), (ODOO.0, 0o600));

    let (daemon, port) = Daemon::start(&root, &programs.join("odoo-backup"));
    assert_eq!(daemon.owner(), ODOO.0);
    output_of(Command::new(deployed("docker/healthy")).arg(port.to_string()));
    let token = output_of(&mut service(&root, &programs.join("token")));
    let client = Client::new(format!("127.0.0.1:{port}"));
    assert_eq!(client.get("/api/v1/instances").await.status, 401);
    let shown = client.with("authorization", &format!("Bearer {}", token.trim_end()));
    let answer = shown.get("/api/v1/instances").await;
    assert_eq!((answer.status, &answer.json()["instances"][0]["name"]), (200, &"production".into()));
    drop(daemon);
    assert!(TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(5)).is_err());
}
