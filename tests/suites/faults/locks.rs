//! Tests two commands at once on one instance, and a lock whose owner has ended.

use harness::project::Project;
use rustix::process::Signal;

use crate::faults::{
    assert_failed, assert_locked, assert_repository_empty, hold_pg_dump, initialised, until_pg_dump_waits,
};

#[tokio::test]
async fn lock_excludes_only_while_owner_lives() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    assert!(program.run(["unlock", "--list"]).await.success().stdout.contains("no locks"));
    let table = hold_pg_dump(&project).await;
    let first = program.spawn(["now"]);
    until_pg_dump_waits(&project).await;
    assert_locked(program.run(["now"]).await, "production is being backed up by ");
    let lock = &program.run(["unlock", "--list", "--json"]).await.success().json()["locks"][0];
    assert_eq!((&lock["purpose"], &lock["alive"]), (&"backup".into(), &true.into()), "{lock}");
    assert_eq!(lock["pid"], first.pid());
    let kept = program.run(["unlock"]).await.expect_code(3).stdout;
    assert!(kept.contains("owner running") && kept.contains("`--force`"), "{kept}");

    first.signal(Signal::KILL);
    first.wait().await;
    let list = program.run(["unlock", "--list"]).await.success().stdout;
    assert!(list.contains("owner gone"), "{list}");
    drop(table);
    let run = program.run(["now"]).await.success();
    assert!(
        run.stderr.contains("took over a lock whose owner is gone: production is being backed up"),
        "{}",
        run.stderr
    );
    assert!(program.run(["unlock", "--list"]).await.success().stdout.contains("no locks"));
    program.run(["check", "--read-data"]).await.success();
}

#[tokio::test]
async fn backup_without_its_lock_is_discarded() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    let table = hold_pg_dump(&project).await;
    let running = program.spawn(["now"]);
    until_pg_dump_waits(&project).await;
    let forced = program.run(["unlock", "production", "--force"]).await.success().stdout;
    assert!(forced.contains("removed, the owner stops"), "{forced}");
    drop(table);
    assert_failed(running.wait().await, "the lock of production was lost: its object is gone");
    assert_repository_empty(&project);
}
