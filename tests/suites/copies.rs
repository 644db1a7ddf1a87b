//! Tests more than one repository: copies of backups, and restores that use the intact one.

mod choice;
mod copying;
mod repairing;

use std::fs;
use std::path::{Path, PathBuf};

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::Project;

/// Returns a project with a second repository in a folder, with these lines in its section.
async fn with_offsite(more: &str) -> (Project, OdooBackup) {
    let project = Project::start().await;
    let section = format!("[repository.offsite]\nurl = \"file://{}\"\n{more}\n", offsite(&project).display());
    project.write_config(&format!("url = \"file://{}\"", project.repository().display()), &section);
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    (project, program)
}

/// Returns the folder of the second repository.
fn offsite(project: &Project) -> PathBuf {
    project.path("offsite")
}

/// Copies a folder and its content over an existing one.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}
