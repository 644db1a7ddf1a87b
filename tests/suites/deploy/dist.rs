//! Packs a release of a stand-in for the program, which need not be built for it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::deploy::{VERSION, deployed, output_of};

/// Replaces the time of the commit: a clone of this repository may have no history.
const TIME: &str = "1796115847";

/// Returns the command that packs a program of this version.
fn dist(folder: &TempDir) -> Command {
    let program = folder.path().join("program");
    let answers = format!(
        "#!/bin/sh\ncase $1 in\n--version) echo odoo-backup {VERSION} ;;\n\
         manual) mkdir -p \"$2\" && echo '.TH' >\"$2/odoo-backup-restore.1\" ;;\n*) echo \"$@\" ;;\nesac\n"
    );
    let text = folder.path().join("text");
    fs::write(&text, answers).unwrap();
    // By a process of its own: a file that a thread of this one writes cannot be run.
    output_of(Command::new("install").args(["-m", "755"]).arg(text).arg(&program));
    let mut command = Command::new(deployed("dist"));
    command.arg("--program").arg(program).arg("--output").arg(packed(folder));
    if !Command::new("cargo-deb").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("the Debian package is left out: cargo-deb is not installed");
        command.arg("--no-deb");
    }
    command.env("SOURCE_DATE_EPOCH", TIME);
    command
}

fn packed(folder: &TempDir) -> PathBuf {
    folder.path().join("packed")
}

fn tarball() -> String {
    format!("odoo-backup-{VERSION}-linux-{}.tar.gz", std::env::consts::ARCH)
}

#[test]
fn release_is_same_twice() {
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    // Neither the user's umask nor the zone and the language matter.
    let first = output_of(&mut dist(&folders[0]));
    let mut second = Command::new("sh");
    second.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(deployed("dist")).args(dist(&folders[1]).get_args());
    second.envs([("TZ", "Asia/Tokyo"), ("LANG", "C.UTF-8"), ("SOURCE_DATE_EPOCH", TIME)]);
    assert_eq!(first, output_of(&mut second));
    let [first, second] = folders.map(|folder| fs::read(packed(&folder).join(tarball())).unwrap());
    assert!(first == second && !first.is_empty());
}

#[test]
fn release_has_time_of_commit() {
    let folder = TempDir::new().unwrap();
    let sums = output_of(&mut dist(&folder));
    assert_ne!(sums, output_of(dist(&folder).env("SOURCE_DATE_EPOCH", "1796115848")));
}

#[test]
fn tarball_has_files_without_owner() {
    let folder = TempDir::new().unwrap();
    output_of(&mut dist(&folder));
    let listed = output_of(Command::new("tar").arg("-tvzf").arg(packed(&folder).join(tarball())).env("TZ", "UTC"));
    let root = format!("odoo-backup-{VERSION}-linux-{}", std::env::consts::ARCH);
    for (mode, file) in [
        ("-rwxr-xr-x", "odoo-backup"),
        ("-rw-r--r--", "README.md"),
        ("-rw-r--r--", "LICENSE-MIT"),
        ("-rw-r--r--", "LICENSE-APACHE"),
        ("-rw-r--r--", "CHANGELOG.md"),
        ("-rw-r--r--", "completions/_odoo-backup"),
        ("-rw-r--r--", "man/odoo-backup-restore.1"),
        ("-rw-r--r--", "systemd/odoo-backup-daemon.service"),
        ("-rw-r--r--", "systemd/tmpfiles.d/odoo-backup.conf"),
        ("-rw-r--r--", "docs/README.md"),
        ("-rw-r--r--", "examples/odoo-backup.toml"),
        ("-rwxr-xr-x", "examples/upgrade-with-rollback.sh"),
    ] {
        let path = format!(" {root}/{file}");
        let line = listed.lines().find(|line| line.ends_with(&path)).unwrap_or_else(|| panic!("{file}: {listed}"));
        assert!(line.starts_with(mode), "{line}");
    }
    assert!(listed.lines().all(|line| line.contains(" 0/0 ") && line.contains(" 2026-12-01 ")), "{listed}");
    assert!(!listed.contains("/docker/") && !listed.contains("/helm/"), "{listed}");
}

#[test]
fn sums_are_those_of_files() {
    let folder = TempDir::new().unwrap();
    output_of(&mut dist(&folder));
    output_of(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(packed(&folder)));
    let sums = fs::read_to_string(packed(&folder).join("SHA256SUMS")).unwrap();
    assert!(sums.contains(&format!("  {}\n", tarball())), "{sums}");
    assert_eq!(sums.lines().count(), fs::read_dir(packed(&folder)).unwrap().count() - 1, "{sums}");
}

#[test]
fn other_version_is_refused() {
    let folder = TempDir::new().unwrap();
    let output = dist(&folder).args(["--program", "/bin/true"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("Cargo.toml has {VERSION}")));
    assert!(!packed(&folder).exists());
}
