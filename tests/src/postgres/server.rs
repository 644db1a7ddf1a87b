//! The process of the server: creation, start, wait, kill.

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

/// Runs the server's command line, which replaces the shell, and kills the server when the harness
/// closes its end of the pipe. So no server outlives a test process, however that process ends. The
/// watcher is forked twice, so that it is not a child of the server: the server takes every child
/// that ends for one of its sessions. The watcher reads descriptor 3, because a shell gives
/// background processes an empty stdin.
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
    /// Creates a cluster in `folder`, which belongs to the user of the server, and starts it on a
    /// free port.
    pub fn start(binaries: &Binaries, folder: &Path, options: &ClusterOptions) -> Self {
        make_cluster(binaries, folder, options.password.then_some(PASSWORD), &options.settings);
        for (name, content) in &options.files {
            write_as_server_user(&folder.join("data").join(name), content);
        }
        Self::run(binaries, folder)
    }

    /// Copies the cluster whose socket is in `primary` into `folder`, and starts the copy as its
    /// hot standby.
    pub fn start_standby(binaries: &Binaries, folder: &Path, primary: &Path, port: u16) -> Self {
        let mut copy = as_server_user(&binaries.program("pg_basebackup"));
        copy.arg("-D").arg(folder.join("data")).args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        copy.arg("-h").arg(primary).args(["-p", &port.to_string(), "-U", SUPERUSER]);
        run(&mut copy);
        Self::run(binaries, folder)
    }

    fn run(binaries: &Binaries, folder: &Path) -> Self {
        let mut server = Self { binaries: binaries.clone(), folder: folder.to_owned(), port: 0, child: None };
        // Another process may take the free port before the server listens on it: then try another
        // one.
        for _ in 0..10 {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("unable to find a free port for a PostgreSQL server; its log:\n{}", server.log());
    }

    /// Starts the process and waits until it accepts connections. Returns `false` if its port was
    /// taken.
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
            assert!(Instant::now() < deadline, "the PostgreSQL server did not become ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Checks the same as `pg_ctl --wait`: the eighth line of `postmaster.pid`, in the file of this
    /// very process.
    fn accepts_connections(&self) -> bool {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines();
        lines.next().is_some_and(|pid| pid.trim() == self.pid().to_string())
            && lines.nth(6).is_some_and(|status| status.trim() == "ready")
    }

    /// Shuts the server down immediately, like a crash: no session ends in order, and the next
    /// start recovers.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // The process has not been waited for yet, so no other process can have its id.
        let _ = kill_process(Pid::from_child(&child), Signal::QUIT);
        if let Some(mut watcher) = child.stdin.take() {
            let _ = watcher.write_all(b"done\n");
        }
        let _ = child.wait();
    }

    /// Kills the server if it is running and starts it again on the same port.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "another process took the port of a PostgreSQL server that restarts");
    }

    /// Returns the port it was started on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the programs it runs from.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Returns the process id. Panics after [`Server::kill`].
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the PostgreSQL server runs").id()
    }

    /// Returns what it has logged so far.
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

/// Creates the data folder of a cluster in `folder`, with settings for tests.
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

/// Returns a command that does not run as root, because PostgreSQL refuses that. It runs as the
/// user `postgres`, or as the unprivileged system user if there is no such user.
pub(super) fn as_server_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    clear_environment(&mut command);
    // The other user may not be able to enter the current folder.
    command.current_dir("/");
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid);
    }
    command
}

/// Makes the server's user the owner of a file or folder.
pub(super) fn give_to_server_user(path: &Path) {
    if let Some((uid, gid)) = server_user() {
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("changing the owner of what is the server's");
    }
}

/// Writes a private file. A server refuses a private key that other users may read.
fn write_as_server_user(path: &Path, content: &str) {
    let _ = std::fs::remove_file(path);
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(content.as_bytes()));
    written.unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
    give_to_server_user(path);
}

/// Returns the user and group to run servers as, if this process is root. `None` otherwise.
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
