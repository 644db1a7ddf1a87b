//! A real S3 server for one test: SeaweedFS on loopback, in a temporary folder, on free ports.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a start may take on a machine that is busy with other tests. On an idle one it takes
/// one second.
const PATIENCE: Duration = Duration::from_secs(60);
/// Another process may take a port after it was chosen and before it is used.
const ATTEMPTS: usize = 5;
/// What the server prints once its buckets exist.
const READY: &str = "running and ready to use";

/// A running server with one empty bucket. When this is dropped or the process ends in any way, the
/// server is killed and its folder removed.
#[derive(Debug)]
pub struct SeaweedFs {
    /// `http://127.0.0.1:PORT`, for path-style requests.
    pub endpoint: String,
    /// The port of `endpoint`.
    pub port: u16,
    /// The only access key, with all privileges.
    pub access_key: String,
    /// Its secret key.
    pub secret_key: String,
    /// An existing, empty bucket. Writing to another bucket does not create it.
    pub bucket: String,
    program: PathBuf,
    server: Child,
    guard: Option<ChildStdin>,
    ports: Vec<u16>,
    /// Removed when this is dropped.
    folder: TempDir,
}

impl SeaweedFs {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    /// If the program is not installed or does not start.
    pub fn start() -> Self {
        let program = program();
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(&program) {
                Ok(server) => return server,
                Err(log) => last = log,
            }
        }
        panic!("SeaweedFS did not start; the last attempt printed:\n{last}");
    }

    /// Kills the server at once, like a power failure. Every later request is refused.
    pub fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Creates a user with exactly the permissions of a policy. Its access key is `name`, its
    /// secret key `secret`.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn add_user(&self, name: &str, secret: &str, policy: &str) {
        let file = self.folder.path().join(format!("{name}.json"));
        fs::write(&file, policy).unwrap();
        self.shell(&format!(
            "s3.policy -put -name={name} -file={}\ns3.user.create -name {name} -access_key {name} -secret_key {secret}\n\
             s3.policy.attach -user {name} -policy {name}\n",
            file.display()
        ));
    }

    /// Keeps every version of the bucket's objects from now on.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn keep_versions(&self) {
        self.shell(&format!("s3.bucket.versioning -name {} -enable\n", self.bucket));
    }

    /// Runs commands in the server's own shell.
    fn shell(&self, commands: &str) {
        let [master, grpc, ..] = self.ports[..] else { unreachable!("there are more ports") };
        let mut shell = Command::new(&self.program)
            .args(["shell", &format!("-master=127.0.0.1:{master}.{grpc}")])
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        // The shell exits with 0 even if a command fails.
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success() && !said.contains("error:"), "{commands}\n{said}");
    }

    fn try_start(program: &Path) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("seaweedfs-").tempdir().unwrap();
        let names = [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port.grpc",
            "admin.port",
            "admin.port.grpc",
            "s3.port",
        ];
        let ports = free_ports(names.len());
        let port = *ports.last().unwrap();
        let (access_key, secret_key, bucket) = ("AKtest", "SKtest", "test");

        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let log = folder.path().join("log");
        let output = File::create(&log).unwrap();
        let server = Command::new(program)
            .arg("mini")
            .arg(format!("-dir={}", data.display()))
            .args([
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                "-admin.ui=false",
                "-webdav=false",
            ])
            .args(["-s3.port.https=0", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .args(["-s3.autoCreateBucket=false", &format!("-bucket={bucket}")])
            .args(names.iter().zip(&ports).map(|(name, port)| format!("-{name}={port}")))
            .current_dir(folder.path())
            .env("GOMEMLIMIT", "300MiB")
            .env("AWS_ACCESS_KEY_ID", access_key)
            .env("AWS_SECRET_ACCESS_KEY", secret_key)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            // Ctrl-C goes to the test only. The guard then ends the server.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("unable to start {}: {error}", program.display()));
        let guard = guard(server.id(), folder.path(), &ports);
        let mut seaweed = Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            port,
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            bucket: bucket.into(),
            program: program.to_owned(),
            server,
            guard: Some(guard),
            ports,
            folder,
        };
        if seaweed.comes_up(&log) { Ok(seaweed) } else { Err(fs::read_to_string(&log).unwrap_or_default()) }
    }

    fn comes_up(&mut self, log: &Path) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.server.try_wait().unwrap().is_some() {
                return false;
            }
            let said = fs::read_to_string(log).unwrap_or_default();
            if said.contains(READY) {
                // The server moves to another port if this one is taken: then this port belongs to
                // another process.
                return said
                    .lines()
                    .any(|line| line.contains("S3 Endpoint") && line.trim_end().ends_with(&self.endpoint))
                    && answers(self.port);
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for SeaweedFs {
    fn drop(&mut self) {
        self.kill();
        for socket in self.ports.iter().flat_map(|port| sockets(*port)) {
            let _ = fs::remove_file(socket);
        }
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.write_all(b"done\n");
        }
    }
}

/// Starts a guard that outlives this process, however that ends: a server in a static is never
/// dropped, and a killed test drops nothing.
fn guard(server: u32, folder: &Path, ports: &[u16]) -> ChildStdin {
    let script = r#"
        trap '' INT HUP
        read -r word && exit 0
        server=$1 folder=$2
        shift 2
        kill -9 "$server"
        rm -f "$@"
        # Files may still appear while the server dies.
        for attempt in 1 2 3 4 5; do rm -rf "$folder" && break; sleep 0.2; done
    "#;
    let mut shell = Command::new("sh")
        .args(["-c", script, "seaweedfs-guard", &server.to_string()])
        .arg(folder)
        .args(ports.iter().flat_map(|port| sockets(*port)))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh is there");
    let stdin = shell.stdin.take().expect("it was asked for");
    // The thread waits for the shell, because otherwise no process would reap it before this one
    // ends.
    thread::spawn(move || shell.wait());
    stdin
}

/// Returns the sockets that the server creates where no setting can change it. They remain when it
/// is killed.
fn sockets(port: u16) -> Vec<PathBuf> {
    ["s3", "filer", "s3-grpc", "filer-grpc", "master-grpc", "volume-grpc", "admin-grpc"]
        .iter()
        .map(|name| PathBuf::from(format!("/tmp/seaweedfs-{name}-{port}.sock")))
        .collect()
}

/// Returns distinct ports that were free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// Returns whether a SeaweedFS answers HTTP on this port.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.write_all(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.") && answer.contains("Server: SeaweedFS"))
}

/// Returns `$ODOO_BACKUP_WEED`, else what `make tools` installed, else `weed` from the `PATH`.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("ODOO_BACKUP_WEED") {
        return program.into();
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/weed");
    if installed.exists() {
        return installed;
    }
    match Command::new("weed").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("the S3 server of the tests is not installed: run `make tools`")
        }
        _ => "weed".into(),
    }
}
