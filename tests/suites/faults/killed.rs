//! Kills the program at many moments of a backup: its leftovers are neither used nor an obstacle.

use std::fs;
use std::time::Instant;

use harness::compare::{assert_same_database, assert_same_tree};
use harness::project::{INSTANCE, Project, TARGET};
use rustix::process::Signal;

use crate::faults::initialised;

/// From the first moment of a run until after its last.
const MOMENTS: u32 = 12;

#[tokio::test]
async fn killed_backup_is_intact_or_invisible() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let started = Instant::now();
    program.run(["now"]).await.success();
    let whole_run = started.elapsed();
    let mut killed = 0;
    for moment in 0..MOMENTS {
        // Something to store in each run.
        fs::write(project.filestore().join(format!("new-{moment}")), vec![moment as u8; 300_000]).unwrap();
        let running = program.spawn(["now"]);
        // Whatever moment it hits, all of this must be true.
        tokio::time::sleep(whole_run * moment / MOMENTS).await;
        running.signal(Signal::KILL);
        killed += u32::from(running.wait().await.code.is_none());
        program.run(["list"]).await.success();
        if moment % 4 == 3 {
            program.run(["now"]).await.success();
            program.run(["check", "--read-data"]).await.success();
        }
    }
    assert!(killed > 0, "every run was faster than its killer");
    program.run(["restore", &format!("{INSTANCE}/latest"), "--to", TARGET]).await.success();
    assert_same_database(project.database(), project.target_database()).await;
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
}
