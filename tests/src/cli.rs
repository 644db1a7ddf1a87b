//! The program, run as an operator or a script runs it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// Returns an [`OdooBackup`](crate::cli::OdooBackup) for the binary that cargo built for this test.
/// Only for suites that are declared in `cli/Cargo.toml`, because cargo builds it only for those.
#[macro_export]
macro_rules! odoo_backup {
    ($config:expr) => {
        $crate::cli::OdooBackup::new(env!("CARGO_BIN_EXE_odoo-backup"), $config)
    };
}

/// The program with one configuration. Its environment contains nothing of the tester's own: no
/// `PG…`, `AWS…` or `ODOO_BACKUP…` variables, an empty home, and a folder of its own
/// for temporary files.
#[derive(Debug)]
pub struct OdooBackup {
    program: PathBuf,
    /// `None` if the program searches for it.
    config: Option<PathBuf>,
    home: TempDir,
    /// For temporary files: what another test's killed run leaves must not be found here.
    temporary: TempDir,
    environment: Vec<(String, String)>,
    folder: Option<PathBuf>,
    user: Option<u32>,
}

impl OdooBackup {
    /// Returns the program at `program`, which is given `--config config` in each run.
    pub fn new(program: impl AsRef<Path>, config: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            config: Some(config.as_ref().to_owned()),
            home: tempfile::Builder::new().prefix("obhome-").tempdir().expect("an empty home"),
            temporary: tempfile::Builder::new().prefix("obtmp-").tempdir().expect("a folder"),
            environment: Vec::new(),
            folder: None,
            user: None,
        }
    }

    /// Runs it in this folder without `--config`, so that it searches for its configuration.
    #[must_use]
    pub fn searching_in(mut self, folder: impl AsRef<Path>) -> Self {
        self.config = None;
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Runs it as the user and group with this number, which only root may do. The home and the
    /// folder for temporary files then belong to that user.
    #[must_use]
    pub fn as_user(mut self, user: u32) -> Self {
        for folder in [&self.home, &self.temporary] {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(user)).expect("root may give a folder away");
        }
        self.user = Some(user);
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the empty home of its runs, for files that they find or leave there.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs a command until it ends, without input and without a terminal.
    pub async fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.spawn(arguments).wait().await
    }

    /// Starts a command and leaves it running, so that a test can kill it or wait for it. It is
    /// killed when dropped.
    pub fn spawn<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        let mut command = match self.user {
            // It enters the current folder before it changes to the user, as a shell with sudo
            // does.
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups");
                command.arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.current_dir(self.folder.as_deref().unwrap_or(Path::new(".")));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["PG", "AWS", "ODOO_BACKUP", "XDG_"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command.env("HOME", self.home.path()).env("TMPDIR", self.temporary.path()).env_remove("RUST_LOG");
        // No run asks the link-local address of cloud machines for an identity.
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(self.config.iter().flat_map(|config| [OsStr::new("--config"), config.as_os_str()]));
        command.args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let description = format!("{:?}", command.as_std());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("starting {description}: {error}"));
        let pid = child.id().expect("a child not waited for");
        let peak_rss = Arc::new(AtomicU64::new(0));
        Running {
            stdout: read_all(child.stdout.take().expect("a pipe")),
            stderr: read_all(child.stderr.take().expect("a pipe")),
            watcher: tokio::spawn(watch_peak_rss(pid, Arc::clone(&peak_rss))),
            peak_rss,
            child,
            pid,
            description,
        }
    }
}

/// A running process of the program that has not been waited for.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pid: u32,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
    peak_rss: Arc<AtomicU64>,
    watcher: JoinHandle<()>,
    description: String,
}

impl Running {
    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the peak of its memory until now, in bytes.
    pub fn peak_rss(&self) -> u64 {
        self.peak_rss.load(Ordering::Relaxed)
    }

    /// Sends it a signal. Does nothing if it has ended.
    pub fn signal(&self, signal: Signal) {
        // `id` is `None` once the child was waited for: another process may have its number then.
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Returns whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("waiting for a child").is_some()
    }

    /// Waits until it ends.
    pub async fn wait(mut self) -> Run {
        let status = self.child.wait().await.expect("waiting for a child");
        self.watcher.await.expect("the watcher of memory");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
        Run {
            code: status.code(),
            stdout: text(self.stdout.await.expect("the reader of stdout")),
            stderr: text(self.stderr.await.expect("the reader of stderr")),
            peak_rss: self.peak_rss.load(Ordering::Relaxed),
            description: self.description,
        }
    }
}

/// A run of the program that has ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code. `None` if a signal ended it.
    pub code: Option<i32>,
    /// All of its stdout.
    pub stdout: String,
    /// All of its stderr.
    pub stderr: String,
    /// Peak memory of the process itself in bytes, as last read some milliseconds before its end.
    /// Its children (pg_dump, pg_restore) are not included.
    pub peak_rss: u64,
    description: String,
}

impl Run {
    /// Panics with everything that was printed unless the exit code is this.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code of {}\nstdout:\n{}\nstderr:\n{}",
            self.description,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Panics with everything that was printed unless the run succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        self.expect_code(0)
    }

    /// Returns stdout as one JSON document, which is what `--json` promises.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("stdout of {} is no JSON document: {error}\n{}", self.description, self.stdout)
        })
    }
}

fn read_all(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).await.expect("reading what the program prints");
        bytes
    })
}

/// Polls the memory until the process has ended. The kernel keeps the peak, so only growth in the
/// last milliseconds is missed. The figure of `wait4` is no alternative, because it includes the
/// memory of the process that forked.
async fn watch_peak_rss(pid: u32, peak: Arc<AtomicU64>) {
    while let Some(seen) = peak_rss(pid) {
        peak.fetch_max(seen, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Returns the peak memory of a running process (`VmHWM`) in bytes. `None` if it has ended.
pub fn peak_rss(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Returns a shell script in place of the program.
    fn script(body: &str) -> (TempDir, OdooBackup) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        let program = OdooBackup::new(&path, "c.toml");
        (folder, program)
    }

    #[tokio::test]
    async fn run_records_output_and_exit_code() {
        let (_folder, program) = script("echo \"{\\\"arguments\\\": \\\"$*\\\"}\"; echo oh >&2; exit 3");
        let run = program.run(["now", "--json"]).await.expect_code(3);
        assert_eq!(run.json()["arguments"], "--config c.toml now --json");
        assert_eq!(run.stderr, "oh\n");
    }

    #[tokio::test]
    #[should_panic(expected = "exit code of")]
    async fn unexpected_exit_code_fails_test() {
        let (_folder, program) = script("exit 1");
        program.run(["now"]).await.success();
    }

    #[tokio::test]
    async fn killed_run_has_signal_and_memory() {
        let (_folder, program) = script("exec sleep 1000");
        let running = program.spawn(["now"]);
        while running.peak_rss() < 200 << 10 {
            tokio::task::yield_now().await;
        }
        running.signal(Signal::TERM);
        let run = running.wait().await;
        assert_eq!(run.code, None);
        assert!(run.peak_rss >= 200 << 10, "{run:?}");
    }

    #[tokio::test]
    async fn callers_environment_is_not_inherited() {
        let (_folder, program) = script("env");
        let program = program.env("AWS_REGION", "eu-west-3");
        let run = program.run(["now"]).await.success();
        let leaked = |line: &str| ["PG", "ODOO_BACKUP", "XDG_"].iter().any(|prefix| line.starts_with(prefix));
        assert_eq!(run.stdout.lines().find(|line| leaked(line)), None);
        assert!(run.stdout.contains("AWS_REGION=eu-west-3\n"));
        assert!(run.stdout.contains(&format!("HOME={}\n", program.home().display())));
    }
}
