//! Runs the real nginx in front of a stand-in for the daemon.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use harness::certificates::Authority;
use tempfile::TempDir;

use crate::deploy::deployed;

/// How long to wait for an answer that should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running nginx, killed when dropped.
struct Nginx {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nginx {
    /// Starts nginx with the deployed configuration in front of `backend`; `None` if it is not
    /// installed.
    fn start(backend: u16) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("obnginx-").tempdir().unwrap();
        let identity = Authority::new("deploy").issue(&["backup.example.com"]);
        fs::write(folder.path().join("certificate"), identity.certificate).unwrap();
        fs::write(folder.path().join("key"), identity.key).unwrap();
        // Another process may take the port before nginx does.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            write_configuration(folder.path(), port, backend);
            let tested = nginx(folder.path()).arg("-t").output();
            let Ok(tested) = tested else {
                eprintln!("skipped: nginx is not installed");
                return None;
            };
            assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
            let mut process = nginx(folder.path()).stderr(Stdio::null()).spawn().unwrap();
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    return Some(Self { process, port, folder });
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("nginx did not start");
    }

    /// Sends a request by curl, which speaks TLS. Its output can be read as it arrives.
    fn ask(&self, path: &str) -> Child {
        let port = self.port;
        Command::new("curl")
            .args(["--silent", "--no-buffer", "--insecure", "--include", "--max-time", "60"])
            .args(["--resolve", &format!("backup.example.com:{port}:127.0.0.1")])
            .arg(format!("https://backup.example.com:{port}{path}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

fn nginx(folder: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "errors"]);
    command
}

fn write_configuration(folder: &Path, port: u16, backend: u16) {
    let server = fs::read_to_string(deployed("nginx/odoo-backup.conf")).unwrap();
    let server = server
        .replace("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl"))
        .replace("    listen [::]:443 ssl;\n", "")
        .replace("/etc/ssl/certs/backup.example.com.pem", "certificate")
        .replace("/etc/ssl/private/backup.example.com.key", "key")
        .replace("127.0.0.1:8479", &format!("127.0.0.1:{backend}"));
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths: String = paths.iter().map(|name| format!("{name}_temp_path {name};\n")).collect();
    let http = format!("access_log off;\n{paths}{server}");
    let conf = format!("daemon off;\nmaster_process off;\npid pid;\nevents {{}}\nhttp {{\n{http}}}\n");
    fs::write(folder.join("nginx.conf"), conf).unwrap();
}

/// Reads the head of a request, up to the empty line.
fn head(connection: &TcpStream) -> String {
    let lines = BufReader::new(connection).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

fn read_until(output: &mut impl Read, wanted: &str) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&seen).contains(wanted) {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{wanted:?} in {}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    String::from_utf8(seen).unwrap()
}

#[test]
fn events_pass_unbuffered_metrics_are_refused() {
    let backend = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let Some(nginx) = Nginx::start(backend.local_addr().unwrap().port()) else { return };

    let mut client = nginx.ask("/api/v1/runs/17/events");
    let mut arrived = client.stdout.take().unwrap();
    let (mut connection, _) = backend.accept().unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = head(&connection);
    assert!(head.starts_with("GET /api/v1/runs/17/events HTTP/1.1"), "{head}");
    let host = format!("Host: backup.example.com:{}\n", nginx.port);
    for header in [host.as_str(), "X-Forwarded-Proto: https\n", "X-Forwarded-For: 127.0.0.1\n"] {
        assert!(head.contains(header), "{header:?} in {head}");
    }
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n").unwrap();
    // The first event arrives before the second is sent.
    let begun = read_until(&mut arrived, "data: first\n\n");
    assert!(begun.contains("Strict-Transport-Security: max-age="), "{begun}");
    connection.write_all(b"data: second\n\n").unwrap();
    read_until(&mut arrived, "data: second\n\n");
    drop(connection);
    client.wait().unwrap();

    let refused = nginx.ask("/metrics").wait_with_output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&refused).starts_with("HTTP/1.1 404"), "{}", String::from_utf8_lossy(&refused));
    let errors = fs::read_to_string(nginx.folder.path().join("errors")).unwrap();
    assert!(!errors.contains("[emerg]"), "{errors}");
}
