//! Tests the main job end to end with the program itself: init, now, list, show, check, restore,
//! with a folder and with S3.

mod anonymous;
mod command_pages;
mod commands;
mod connections;
pub(crate) mod damage;
mod drill;
mod guard;
mod hooks;
mod manual;
mod neutral;
mod proofs;
mod pruning;
mod repacking;
mod repairing;
mod round_trip;
mod walkthrough;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::Project;

/// Returns the program with the project's configuration.
fn program(project: &Project) -> OdooBackup {
    odoo_backup!(project.config())
}

/// Returns the program, with a new repository.
async fn initialised(project: &Project) -> OdooBackup {
    let program = program(project);
    program.run(["init"]).await.success();
    program
}
