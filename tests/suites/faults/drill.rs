//! Tests a drill that fails, is stopped or is killed in the middle.

use std::fs;

use harness::project::Project;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::faults::{assert_nothing_restored, children, initialised, replace_tool, until};

#[tokio::test]
async fn differing_copy_fails_drill_with_13() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let psql = project.cluster().bin("psql");
    // The program runs it several times. The first time there is no table yet.
    let delete = "DELETE FROM public.ir_sequence WHERE id = 1";
    let tamper = format!("\"$REAL\" \"$@\" && {{ '{}' -qc '{delete}' 2>/dev/null || true; }}", psql.display());
    replace_tool(&project, "pg_restore", &tamper);
    let run = program.run(["drill"]).await.expect_code(13);
    assert!(run.stderr.contains("public.ir_sequence has 2 rows, and 3 were backed up"), "{}", run.stderr);
    assert_nothing_restored(&project);
    let listed = program.run(["list", "--json"]).await.success().json()["backups"][0].take();
    assert_eq!((&listed["proven"], &listed["proof"]["outcome"]), (&Value::Null, &"failed".into()));

    // An obstacle in the environment says nothing about the backup.
    replace_tool(&project, "pg_restore", "echo 'pg_restore: error: so near' >&2; exit 1");
    program.run(["drill"]).await.expect_code(1);
    assert_nothing_restored(&project);
    let again = program.run(["list", "--json"]).await.success().json()["backups"][0].take();
    assert_eq!(again["proof"], listed["proof"]);
}

#[tokio::test]
async fn interrupted_drill_leaves_nothing_behind() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let waiting = project.path("waiting");
    replace_tool(&project, "pg_restore", &format!("touch '{}'; exec sleep 600", waiting.display()));
    for signal in [Signal::INT, Signal::KILL] {
        let running = program.spawn(["drill"]);
        until("pg_restore has begun", async || waiting.exists()).await;
        fs::remove_file(&waiting).unwrap();
        let orphans = children(running.pid());
        running.signal(signal);
        let run = running.wait().await;
        if signal == Signal::INT {
            run.expect_code(130);
            assert_nothing_restored(&project);
            continue;
        }
        for pid in orphans {
            // It may have ended already.
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
        assert_eq!(project.cluster().databases().len(), 2);
    }
    replace_tool(&project, "pg_restore", "exec \"$REAL\" \"$@\"");
    let next = program.run(["drill"]).await.success();
    assert!(next.stderr.contains("dropped the database \"drill_production_restoring_"), "{}", next.stderr);
    assert_eq!(next.stderr.matches("removed the folder").count(), 2, "the files and the scratch: {}", next.stderr);
    assert_nothing_restored(&project);
}
