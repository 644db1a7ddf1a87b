//! Tries the files of `deploy/`, as far as that is possible without the systems that they are for.

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

use config::Config;
use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::Project;

/// Returns the path of a file or folder of `deploy/`.
fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name).canonicalize().unwrap()
}

/// Returns the program with the project's configuration, and creates the repository.
async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Panics unless an example configuration loads.
fn assert_loads(name: &str) {
    let text = fs::read_to_string(deployed(name)).unwrap();
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
