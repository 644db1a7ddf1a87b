//! Builds the Debian package with cargo-deb, unpacks it with dpkg, and checks manual pages and
//! completions.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::deploy::deployed;

const PROGRAM: &str = env!("CARGO_BIN_EXE_odoo-backup");

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("obdeb-").tempdir().unwrap()
}

/// Writes the pages and completions that `deploy/dist` puts into the package.
fn describe(folder: &Path) {
    let output = Command::new(deployed("debian/describe")).arg(PROGRAM).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the output of a system program. `None` if it is not installed.
fn run(command: &mut Command) -> Option<String> {
    let Ok(output) = command.output() else {
        eprintln!("skipped: {} is not installed", command.get_program().display());
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("warning"), "{command:?}: {said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn man_renders_page_of_each_command() {
    let folder = folder();
    describe(folder.path());
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let groups = help.lines().take_while(|line| *line != "Global options:");
    let commands = groups.filter_map(|line| line.strip_prefix("  "));
    let commands: Vec<_> =
        commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(commands.contains(&"restore"), "{help}");
    let mut pages: Vec<_> = commands.iter().map(|name| format!("odoo-backup-{name}.1")).collect();
    pages.push("odoo-backup.1".into());
    for page in pages {
        let page = folder.path().join("man").join(page);
        assert!(page.is_file(), "{}", page.display());
        let Some(text) = run(Command::new("man").args(["--warnings", "--local-file"]).arg(&page)) else { return };
        assert!(text.contains("NAME"), "{text}");
    }
    for shell in ["odoo-backup", "_odoo-backup", "odoo-backup.fish"] {
        assert!(fs::read_to_string(folder.path().join("completions").join(shell)).unwrap().contains("restore"));
    }
}

#[test]
fn package_has_files_and_starts_nothing() {
    if !Command::new("cargo-deb").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: cargo-deb is not installed");
        return;
    }
    let (target, root) = (folder(), folder());
    let release = target.path().join("release");
    fs::create_dir(&release).unwrap();
    describe(&release.join("package"));
    // The package does not depend on the program, and a debug build is large.
    fs::copy("/bin/true", release.join("odoo-backup")).unwrap();
    let made = Command::new("cargo-deb")
        .args(["deb", "--no-build", "--no-strip", "--fast", "--offline", "-p", "odoo-backup", "--output"])
        .arg(root.path().join("made.deb"))
        .current_dir(deployed(".."))
        .env("CARGO_TARGET_DIR", target.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let unpack = |what: &str, into: &str| {
        run(Command::new("dpkg-deb").arg(what).arg(root.path().join("made.deb")).arg(root.path().join(into)))
    };
    if unpack("--extract", "files").is_none() || unpack("--control", "control").is_none() {
        return;
    }
    let files = root.path().join("files");
    for file in [
        "usr/bin/odoo-backup",
        "usr/lib/systemd/system/odoo-backup.service",
        "usr/lib/systemd/system/odoo-backup-daemon.service",
        "usr/lib/systemd/system/odoo-backup.timer",
        "usr/lib/sysusers.d/odoo-backup.conf",
        "usr/lib/tmpfiles.d/odoo-backup.conf",
        "usr/share/man/man1/odoo-backup.1",
        "usr/share/man/man1/odoo-backup-restore.1",
        "usr/share/bash-completion/completions/odoo-backup",
        "usr/share/doc/odoo-backup/examples/upgrade-with-rollback.sh",
        "usr/share/doc/odoo-backup/examples/config.toml",
        "usr/share/doc/odoo-backup/README.md",
        "usr/share/doc/odoo-backup/docs/README.md",
        "usr/share/doc/odoo-backup/copyright",
    ] {
        assert!(files.join(file).is_file(), "{file}");
    }
    let installs = fs::read_to_string(root.path().join("control/postinst")).unwrap();
    assert!(installs.contains("systemd-sysusers") && installs.contains("systemd-tmpfiles"), "{installs}");
    assert!(!installs.contains("deb-systemd-invoke start"), "{installs}");
    let sysusers = format!("--root={}", files.display());
    fs::create_dir_all(files.join("etc")).unwrap();
    if run(Command::new("systemd-sysusers").args([&sysusers, "odoo-backup.conf"])).is_some() {
        assert!(fs::read_to_string(files.join("etc/passwd")).unwrap().starts_with("odoo:"));
    }
}

/// Returns the names of the folders in a folder that hold a file with this extension.
fn folders_with(folder: &Path, extension: &str) -> Vec<String> {
    let holds = |path: &Path| {
        let mut files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        files.any(|file| extension.is_empty() || file.extension().is_some_and(|found| found == extension))
    };
    let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.is_dir() && holds(path));
    folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn package_includes_manual_and_example_folders() {
    let manifest = fs::read_to_string(deployed("../cli/Cargo.toml")).unwrap();
    for folder in folders_with(&deployed("../docs"), "md") {
        assert!(manifest.contains(&format!("\"../docs/{folder}/*.md\"")), "docs/{folder} is not in the package");
    }
    // The manual names these as what the package leaves out.
    let left_out = ["debian", "docker", "helm", "kubernetes"];
    for folder in folders_with(&deployed(""), "").iter().filter(|folder| !left_out.contains(&folder.as_str())) {
        assert!(manifest.contains(&format!("\"../deploy/{folder}/*")), "deploy/{folder} is not in the package");
    }
}
