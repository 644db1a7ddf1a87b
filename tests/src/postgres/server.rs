//! The server's process: made, started, waited for, killed.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::template::fresh_cluster;
use super::{Binaries, ClusterOptions, PASSWORD, SUPERUSER, clear_environment, run};

/// Runs the server's command line, which replaces the shell, and kills it when the harness's end of the pipe closes: so no
/// server outlives a test process, however that ends. The watcher is nobody's child (forked twice), because the server takes
/// every child that ends for a session of its own.
/// (Descriptor 3, because a shell gives what runs in the background an empty stdin.)
const WATCHED: &str = r#"
    exec 3<&0
    ( ( read -r word <&3; [ "$word" = done ] || kill -QUIT $$ ) </dev/null >/dev/null 2>&1 & )
    exec "$@" 3<&- </dev/null
"#;

/// Longer than any start takes on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A PostgreSQL server process and its data.
#[derive(Debug)]
pub struct Server {
    binaries: Binaries,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Makes a cluster in `folder`, which belongs to the user that the server runs as, and starts it on a free port.
    pub fn start(binaries: &Binaries, folder: &Path, options: &ClusterOptions) -> Self {
        make_cluster(binaries, folder, options.password.then_some(PASSWORD), &options.settings);
        for (name, content) in &options.files {
            write_as_server_user(&folder.join("data").join(name), content);
        }
        Self::run(binaries, folder)
    }

    /// Copies the cluster whose socket is in `primary` into `folder`, and starts the copy as its hot standby.
    pub fn start_standby(binaries: &Binaries, folder: &Path, primary: &Path, port: u16) -> Self {
        let mut copy = as_server_user(&binaries.program("pg_basebackup"));
        copy.arg("-D").arg(folder.join("data")).args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        copy.arg("-h").arg(primary).args(["-p", &port.to_string(), "-U", SUPERUSER]);
        run(&mut copy);
        Self::run(binaries, folder)
    }

    fn run(binaries: &Binaries, folder: &Path) -> Self {
        let mut server = Self { binaries: binaries.clone(), folder: folder.to_owned(), port: 0, child: None };
        // Between asking for a free port and the server's listening on it, another process may take it: then try another.
        for _ in 0..10 {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("no port could be had for a PostgreSQL server; its log says:\n{}", server.log());
    }

    /// Starts the process and waits until it accepts connections. `false`: its port was taken.
    fn launch(&mut self) -> bool {
        let log_before = self.log().len();
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.log_path()).expect("log file");
        let mut command = as_server_user(Path::new("/bin/sh"));
        command.args(["-c", WATCHED, "sh"]).arg(self.binaries.program("postgres"));
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.folder).args(["-p", &self.port.to_string()]);
        command.stdin(Stdio::piped()).stdout(log.try_clone().expect("log file")).stderr(log);
        self.child = Some(command.spawn().expect("starting the PostgreSQL server"));

        let deadline = Instant::now() + START_LIMIT;
        while !self.accepts_connections() {
            let child = self.child.as_mut().expect("started above");
            if child.try_wait().expect("waiting for the PostgreSQL server").is_some() {
                self.child = None;
                let log = self.log().split_off(log_before);
                assert!(log.contains("could not bind"), "the PostgreSQL server ended at once:\n{log}");
                return false;
            }
            assert!(Instant::now() < deadline, "the PostgreSQL server did not get ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// As `pg_ctl --wait` finds out: the eighth line of `postmaster.pid`, in the file of this very process.
    fn accepts_connections(&self) -> bool {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines();
        lines.next().is_some_and(|pid| pid.trim() == self.pid().to_string())
            && lines.nth(6).is_some_and(|status| status.trim() == "ready")
    }

    /// An immediate shutdown, or a crash: no session ends in order, and the next start recovers.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // The process is not waited for yet, so its id can be nobody else's.
        let _ = kill_process(Pid::from_child(&child), Signal::QUIT);
        if let Some(mut watcher) = child.stdin.take() {
            let _ = watcher.write_all(b"done\n");
        }
        let _ = child.wait();
    }

    /// Kills the server if it runs and starts it again on the same port.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "another process took the port of a PostgreSQL server that restarts");
    }

    /// The port it was started on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The programs it runs from.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The process id. Panics after [`Server::kill`].
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the PostgreSQL server runs").id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read(self.log_path()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes a cluster's data folder in `folder`, with settings that suit a test.
pub(super) fn make_cluster(
    binaries: &Binaries,
    folder: &Path,
    password: Option<&str>,
    more_settings: &[(String, String)],
) {
    let data = folder.join("data");
    fresh_cluster(binaries, &data, password);
    let mut settings = String::from(
        "listen_addresses = '127.0.0.1'\nfsync = off\nfull_page_writes = off\n\
         max_wal_size = '4GB'\nlc_messages = 'C'\n",
    );
    for (name, value) in more_settings {
        settings.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
    }
    let path = data.join("postgresql.auto.conf");
    std::fs::write(&path, settings).unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A command that does not run as root, which PostgreSQL refuses: as the user `postgres`, or else `nobody`.
pub(super) fn as_server_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    clear_environment(&mut command);
    // The current folder may be one that the other user cannot enter.
    command.current_dir("/");
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid);
    }
    command
}

/// Makes the server's user the owner of a folder or file.
pub(super) fn give_to_server_user(path: &Path) {
    if let Some((uid, gid)) = server_user() {
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("changing the owner of what is the server's");
    }
}

/// A server refuses a private key that others may read.
fn write_as_server_user(path: &Path, content: &str) {
    let _ = std::fs::remove_file(path);
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(content.as_bytes()));
    written.unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
    give_to_server_user(path);
}

/// The user to run servers as, and its group, where this process is root; `None`: as oneself.
fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let entry = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse().ok());
        Some((ids.next()??, ids.next()??))
    };
    Some(entry("postgres").or_else(|| entry("nobody")).expect("a user other than root to run PostgreSQL as"))
}
