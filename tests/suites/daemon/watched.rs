//! Tests what the commands report about a running daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::project::INSTANCE;
use rustix::process::Signal;

use crate::daemon::Service;

#[tokio::test]
async fn commands_report_with_and_without_daemon() {
    let keys = "schedule = \"0 2 * * *\"\ntimezone = \"Europe/Brussels\"\nsplay = \"10 minutes\"";
    let check = format!("[instance.{INSTANCE}.check]\nschedule = \"30 4 * * 0\"\n");
    let service = Service::with(keys, &check).await;
    let program = &service.program;
    let nothing = program.run(["runs"]).await.success();
    assert!(nothing.stdout.contains("no runs"), "{}", nothing.stdout);
    let status = program.run(["status"]).await.expect_code(1);
    for expected in ["daemon: not running\n", "critical: production: there is no backup\n", "next backup"] {
        assert!(status.stdout.contains(expected), "{expected}: {}", status.stdout);
    }

    let coming = program.run(["schedule", "--count", "2", "--json"]).await.success().json();
    let runs = coming["runs"].as_array().unwrap();
    assert_eq!(runs.iter().filter(|run| run["job"] == "backup").count(), 2, "{coming:#}");
    assert_eq!(runs.iter().filter(|run| run["job"] == "check").count(), 2, "{coming:#}");
    assert!(runs.iter().all(|run| run["begins"].as_str() >= run["slot"].as_str()), "{coming:#}");
    assert!(program.run(["schedule"]).await.success().stdout.contains("Europe/Brussels"));

    service.pretend_absence();
    let held = service.hold_pg_dump().await;
    let mut daemon = service.start();
    service.until_pg_dump_waits(&mut daemon).await;
    let status = program.run(["status", "--json"]).await.json();
    assert_eq!((&status["daemon"]["running"], &status["running"][0]["id"]), (&true.into(), &1.into()), "{status:#}");
    drop(held);
    service.ended(&mut daemon, 1).await;

    let status = program.run(["status"]).await.success();
    assert!(
        status.stdout.starts_with("daemon: running\n") && status.stdout.ends_with("no problems found\n"),
        "{}",
        status.stdout
    );
    let nagios = program.run(["status", "--nagios"]).await.success();
    assert_eq!(nagios.stdout, "ODOO-BACKUP OK - 1 instance, no problems found\n");

    let runs = program.run(["runs", "--json"]).await.success().json();
    let run = &runs["runs"][0];
    assert_eq!((&run["id"], &run["trigger"]["late"]), (&1.into(), &true.into()), "{runs:#}");
    let logs = program.run(["logs", "latest", "--json"]).await.success().json();
    let lines: Vec<_> =
        logs["lines"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert!(lines.iter().any(|line| line.starts_with("snapshot taken")), "{lines:?}");
    let backup = run["outcome"]["backup"].as_str().unwrap();
    assert!(lines.last().unwrap().starts_with("done") && lines.last().unwrap().contains(backup), "{lines:?}");
    assert!(program.run(["logs", "1"]).await.success().stdout.contains("snapshot taken"));
    let mode = |name: &str| fs::metadata(service.state().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("logs"), mode("logs/1.jsonl"), mode("journal.lock")), (0o700, 0o600, 0o600));
    let unknown = program.run(["logs", "99"]).await.expect_code(1);
    assert!(unknown.stderr.contains("`odoo-backup runs`"), "{}", unknown.stderr);

    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
    let status = program.run(["status"]).await.expect_code(3);
    assert!(status.stdout.contains("warning: the daemon is not running, but there are schedules"), "{}", status.stdout);
}
