//! Tries the files of `deploy/`, as far as that is possible without the systems that they are for.

mod dist;
mod docker;
mod kubernetes;
mod nginx;
mod package;
mod postgresql;
mod prometheus;
mod s3;
mod systemd;
mod upgrade;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use config::Config;
use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::Project;

/// Returns the path of a file or folder of `deploy/`.
fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name).canonicalize().unwrap()
}

/// Is the version that all files name.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns a program or file that `make tools` puts into `.tools`; `None` if it is not there.
fn tool_path(name: &str) -> Option<PathBuf> {
    let path = deployed("..").join(".tools").join(name);
    if !path.exists() {
        eprintln!("skipped: {name} is not in .tools: run `make tools`");
        return None;
    }
    Some(path)
}

/// Returns a program of [`tool_path`].
fn tool(name: &str) -> Option<Command> {
    tool_path(name).map(Command::new)
}

/// Returns what a command prints, and panics if it fails.
#[track_caller]
fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// Returns the program with the project's configuration, and creates the repository.
async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Panics unless an example configuration loads, where its secrets are.
fn assert_loads(name: &str) {
    let text = fs::read_to_string(deployed(name)).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, secret)) = line.split_once("_file = \"/") else { continue };
        let secret = folder.path().join(secret.split_once('"').unwrap().0);
        fs::create_dir_all(secret.parent().unwrap()).unwrap();
        fs::write(&secret, "secret").unwrap();
    }
    let text = text.replace("_file = \"/", &format!("_file = \"{}/", folder.path().display()));
    // The test's environment lacks the variables.
    let text = text.replace("${", "$${");
    let config = Config::parse(Path::new("config.toml"), &text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(config.instances.contains_key("production"), "{name}");
}

#[test]
fn example_configurations_load() {
    for name in
        ["odoo-backup.toml", "docker/odoo-backup.toml", "kubernetes/base/config.toml", "kubernetes/daemon/config.toml"]
    {
        assert_loads(name);
    }
}

/// Checks that each suite named in `docs/security.md` as evidence for a claim exists.
#[test]
fn security_page_names_existing_suites() {
    let page = fs::read_to_string(deployed("../docs/security.md")).unwrap();
    let suites = deployed("../tests/suites");
    let named: Vec<_> = page.split('`').skip(1).step_by(2).filter(|code| code.contains("::")).collect();
    for suite in &named {
        let file = suites.join(format!("{}.rs", suite.replace("::", "/")));
        assert!(file.is_file(), "{suite}: {} does not exist", file.display());
    }
    assert!(named.len() > 5, "{named:?}");
}

/// Adds the scripts of this folder, known by their first line.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            scripts(&path, found);
        } else if fs::read(&path).is_ok_and(|text| text.starts_with(b"#!/bin/")) {
            found.push(path);
        }
    }
}

#[test]
fn shellcheck_accepts_scripts() {
    let Some(mut shellcheck) = tool("shellcheck") else { return };
    let mut found = Vec::new();
    scripts(&deployed(""), &mut found);
    assert!(found.len() > 5, "{found:?}");
    output_of(shellcheck.args(["--severity", "warning"]).args(found));
}

/// Uses shellcheck where it is installed, for the scripts in the workflow.
#[test]
fn actionlint_accepts_release_workflow() {
    let Some(mut actionlint) = tool("actionlint") else { return };
    if let Some(shellcheck) = tool_path("shellcheck") {
        actionlint.arg("-shellcheck").arg(shellcheck);
    }
    output_of(actionlint.arg(deployed("../.github/workflows/release.yml")));
}

/// Checks that actions are named by commit: a tag can be moved to other code.
#[test]
fn release_workflow_pins_actions_by_commit() {
    let workflow = fs::read_to_string(deployed("../.github/workflows/release.yml")).unwrap();
    let uses: Vec<_> = workflow.lines().filter_map(|line| line.trim().strip_prefix("- uses: ")).collect();
    assert!(uses.len() > 2, "{uses:?}");
    for action in uses {
        let (commit, version) = action.split_once('@').unwrap().1.split_once(" # v").unwrap();
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
        assert_eq!(version.split('.').count(), 3, "{action}");
    }
}

/// Checks that the compiler of `Cargo.toml` makes the image and the release.
#[test]
fn image_and_release_use_projects_compiler() {
    let image = fs::read_to_string(deployed("docker/Dockerfile")).unwrap();
    let version = image.lines().find_map(|line| line.strip_prefix("ARG RUST=")).unwrap();
    assert!(version.starts_with(env!("CARGO_PKG_RUST_VERSION")), "{version}");
    let workflow = fs::read_to_string(deployed("../.github/workflows/release.yml")).unwrap();
    assert!(workflow.contains(&format!("container: rust:{version}-bookworm\n")));
    assert!(workflow.contains(&format!("RUSTUP_TOOLCHAIN: {version}\n")));
}
