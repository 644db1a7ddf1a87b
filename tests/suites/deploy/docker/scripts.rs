//! Runs the scripts of the image and of the compositions. They need root, to give files away and to
//! become another user.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use crate::deploy::{deployed, output_of};

/// Names a user and a group that Odoo may run as.
pub(super) const ODOO: (u32, u32) = (4321, 4322);

/// Lists the volumes of the compositions.
const VOLUMES: &[&str] = &[
    "var/lib/odoo",
    "var/lib/odoo-backup",
    "var/lib/odoo-backup-state",
    "var/cache/odoo-backup",
    "run/secrets-of/web",
    "run/secrets-of/db",
    "run/secrets-of/backup",
    "run/given",
];

pub(super) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: this test must run as root");
    }
    is_root
}

/// Makes new volumes, of which Odoo's has Odoo's owner.
pub(super) fn volumes() -> TempDir {
    let root = tempfile::Builder::new().prefix("obvolumes-").tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for volume in VOLUMES {
        fs::create_dir_all(root.path().join(volume)).unwrap();
    }
    chown(root.path().join("var/lib/odoo"), Some(ODOO.0), Some(ODOO.1)).unwrap();
    root
}

/// Makes the same without the secrets of a new server and a new Odoo.
fn volumes_of_existing_odoo() -> TempDir {
    let root = volumes();
    fs::remove_dir(root.path().join("run/secrets-of/db")).unwrap();
    fs::remove_dir(root.path().join("run/secrets-of/web")).unwrap();
    root
}

pub(super) fn prepare(root: &TempDir) -> Command {
    let mut script = Command::new(deployed("docker/prepare.sh"));
    script.env("PREPARE_ROOT", root.path());
    script
}

/// Returns the content of a secret, after a look at its owner and its mode.
#[track_caller]
fn secret(root: &TempDir, name: &str, owner: u32) -> String {
    let path = root.path().join("run/secrets-of").join(name);
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (owner, 0o400), "{name}");
    fs::read_to_string(path).unwrap()
}

#[test]
fn prepare_makes_each_secret_once() {
    if !is_root() {
        return;
    }
    let root = volumes();
    output_of(&mut prepare(&root));
    let secrets = || {
        let passwords =
            [("backup/odoo-db-password", ODOO.0), ("web/odoo-db-password", ODOO.0), ("db/odoo-db-password", 999)];
        let others = [("db/postgres-password", 0), ("backup/token", ODOO.0)];
        [&passwords[..], &others]
            .concat()
            .into_iter()
            .map(|(name, owner)| secret(&root, name, owner))
            .collect::<Vec<_>>()
    };
    let made = secrets();
    assert_eq!([&made[0], &made[0]], [&made[1], &made[2]]);
    assert_ne!(made[0], made[3]);
    assert_ne!(made[0], made[4]);
    assert!(made.iter().all(|secret| secret.trim_end().len() == 48), "{made:?}");
    output_of(&mut prepare(&root));
    assert_eq!(secrets(), made);
}

#[test]
fn prepare_gives_volumes_to_odoos_user() {
    if !is_root() {
        return;
    }
    let root = volumes();
    output_of(&mut prepare(&root));
    for volume in ["var/lib/odoo-backup", "var/lib/odoo-backup-state", "var/cache/odoo-backup"] {
        let metadata = fs::metadata(root.path().join(volume)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (ODOO.0, ODOO.1, 0o700), "{volume}");
    }
}

#[test]
fn prepare_copies_given_secrets_again() {
    if !is_root() {
        return;
    }
    let root = volumes_of_existing_odoo();
    for password in ["first\n", "second\n"] {
        for name in ["odoo-db-password", "s3-secret-access-key"] {
            fs::write(root.path().join("run/given").join(name), password).unwrap();
        }
        output_of(&mut prepare(&root));
        assert_eq!(secret(&root, "backup/odoo-db-password", ODOO.0), password);
        assert_eq!(secret(&root, "backup/s3-secret-access-key", ODOO.0), password);
    }
}

#[test]
fn prepare_asks_for_existing_password() {
    if !is_root() {
        return;
    }
    let root = volumes_of_existing_odoo();
    let output = prepare(&root).output().unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("write it into the file secrets/odoo-db-password"), "{message}");
}

#[test]
fn prepare_refuses_folder_of_root() {
    if !is_root() {
        return;
    }
    let root = volumes();
    chown(root.path().join("var/lib/odoo"), Some(0), Some(0)).unwrap();
    let output = prepare(&root).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("belongs to root"));
    assert!(!root.path().join("run/secrets-of/backup/token").exists());
}

/// Prints the user, the home, the arguments and the privileges.
const WHO: &str = r#"echo "$(id -u):$(id -g):$(id -G) $HOME $*"; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status"#;

/// Makes a folder like the image's, with this program as odoo-backup.
pub(super) fn image(root: &TempDir, program: &str) -> PathBuf {
    let programs = root.path().join("bin");
    let library = root.path().join("lib/odoo-backup");
    fs::create_dir_all(&programs).unwrap();
    fs::create_dir_all(&library).unwrap();
    // By a process of its own: a file that a thread of this one writes cannot be run.
    let mut install = Command::new("install");
    output_of(install.args(["-m", "755"]).arg(deployed("docker/as-odoo")).arg(programs.join("odoo-backup")));
    symlink("odoo-backup", programs.join("token")).unwrap();
    symlink(program, library.join("odoo-backup")).unwrap();
    programs
}

fn as_odoo(program: &Path, data: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("ODOO_DATA_DIR", data).env("HOME", "/root");
    command
}

#[test]
fn image_runs_as_owner_of_filestore() {
    if !is_root() {
        return;
    }
    let root = volumes();
    let (program, data) = (image(&root, "/bin/sh").join("odoo-backup"), root.path().join("var/lib/odoo"));
    let unprivileged = "CapEff:\t0000000000000000\nNoNewPrivs:\t1\n";
    let printed = output_of(as_odoo(&program, &data).args(["-c", WHO, "sh", "list", "a b"]));
    assert_eq!(printed, format!("4321:4322:4322 /nonexistent list a b\n{unprivileged}"));
    fs::create_dir(data.join("filestore")).unwrap();
    chown(data.join("filestore"), Some(4444), Some(4445)).unwrap();
    let printed = output_of(as_odoo(&program, &data).args(["-c", WHO]));
    assert!(printed.starts_with("4444:4445:4445 "), "{printed}");
}

#[test]
fn image_refuses_filestore_of_root() {
    if !is_root() {
        return;
    }
    let root = volumes();
    let program = image(&root, "/bin/sh").join("odoo-backup");
    for data in [root.path().to_owned(), root.path().join("missing")] {
        let output = as_odoo(&program, &data).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("unable to find Odoo's user"));
    }
}

#[test]
fn image_keeps_unprivileged_user() {
    if !is_root() {
        return;
    }
    let root = volumes();
    let program = image(&root, "/bin/sh").join("odoo-backup");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "4999", "--regid", "4998", "--clear-groups"]).arg(&program).args(["-c", WHO]);
    assert!(output_of(&mut command).starts_with("4999:4998:4998 "));
}

#[test]
fn token_is_readable_by_one_command() {
    if !is_root() {
        return;
    }
    let root = volumes();
    output_of(&mut prepare(&root));
    let token = root.path().join("run/secrets-of/backup/token");
    let data = root.path().join("var/lib/odoo");
    let printed =
        output_of(as_odoo(&image(&root, "/bin/sh").join("token"), &data).env("ODOO_BACKUP_TOKEN_FILE", &token));
    assert_eq!(printed, fs::read_to_string(token).unwrap());
}

/// Answers one request, and returns the port.
fn answering(status: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // All of it: closing a connection with unread bytes would discard the answer.
        let lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let request: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let status = if request[0].starts_with("GET /healthz ") { status } else { "404 Not Found" };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    port
}

#[test]
fn health_check_tells_answers_apart() {
    let healthy = |port: u16| {
        let output = Command::new(deployed("docker/healthy")).arg(port.to_string()).output().unwrap();
        output.status.success()
    };
    assert!(healthy(answering("200 OK")));
    assert!(!healthy(answering("503 Service Unavailable")));
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    assert!(!healthy(closed));
}
