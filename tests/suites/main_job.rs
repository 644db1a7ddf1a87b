//! The main job, end to end, by the program itself: init, now, list, show, check, restore; on a folder and on S3.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "main_job/anonymous.rs"]
mod anonymous;
#[path = "main_job/commands.rs"]
mod commands;
#[path = "main_job/connections.rs"]
mod connections;
#[path = "main_job/damage.rs"]
mod damage;
#[path = "main_job/drill.rs"]
mod drill;
#[path = "main_job/guard.rs"]
mod guard;
#[path = "main_job/manual.rs"]
mod manual;
#[path = "main_job/neutral.rs"]
mod neutral;
#[path = "main_job/proofs.rs"]
mod proofs;
#[path = "main_job/pruning.rs"]
mod pruning;
#[path = "main_job/repacking.rs"]
mod repacking;
#[path = "main_job/repairing.rs"]
mod repairing;
#[path = "main_job/round_trip.rs"]
mod round_trip;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::Project;

/// The program with the project's configuration.
fn program(project: &Project) -> OdooBackup {
    odoo_backup!(project.config())
}

/// The program, with the repository made.
async fn initialised(project: &Project) -> OdooBackup {
    let program = program(project);
    program.run(["init"]).await.success();
    program
}
