//! Tests what follows a backup by default, and how several results determine one exit code.

use std::fs;
use std::path::Path;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::daemon::Service;

/// A policy that keeps one backup.
const KEEP_ONE: &str = "keep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\n";

/// Returns the program, with a repository, and with these keys of the instance and more sections in
/// the configuration.
async fn with(project: &Project, keys: &str, more: &str) -> OdooBackup {
    configure(project, keys, more);
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

fn configure(project: &Project, keys: &str, more: &str) {
    project.write_config(&format!("url = \"file://{}\"", project.repository().display()), more);
    let config = fs::read_to_string(project.config()).unwrap();
    let header = format!("[instance.{INSTANCE}]\n");
    assert!(config.contains(&header));
    fs::write(project.config(), config.replace(&header, &format!("{header}{keys}\n"))).unwrap();
}

async fn ids(program: &OdooBackup) -> Vec<String> {
    let list = program.run(["list", "--json"]).await.success().json();
    list["backups"].as_array().unwrap().iter().map(|backup| backup["id"].as_str().unwrap().to_owned()).collect()
}

/// Returns the arguments that the deployed files have after the configuration's path.
fn deployed_arguments() -> Vec<Vec<String>> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let marker = "odoo-backup --config /etc/odoo-backup/config.toml ";
    let files = ["odoo-backup.cron", "systemd/odoo-backup.service", "kubernetes/cronjob/cronjob.yaml"];
    let arguments = files.map(|file| {
        let text = fs::read_to_string(deploy.join(file)).unwrap();
        let line = text.lines().find(|line| line.contains(marker)).unwrap_or_else(|| panic!("{file}"));
        let (_, said) = line.split_once(marker).unwrap();
        let words = said.split_whitespace().take_while(|word| *word != "||");
        words.map(ToOwned::to_owned).collect::<Vec<_>>()
    });
    arguments.into()
}

#[tokio::test]
async fn deployed_commands_prune_by_default_policy() {
    let project = Project::start().await;
    let program = with(&project, "", "").await;
    for arguments in deployed_arguments() {
        assert_eq!(arguments, ["now", "--prune"]);
    }
    let mut made = Vec::new();
    for _ in 0..2 {
        program.run(["now", "--prune"]).await.success();
        made = ids(&program).await;
    }
    assert_eq!(made.len(), 2);
    // Of one day the newest is kept, and the oldest of all while slots are free.
    let third = program.run(["now", "--prune"]).await.success();
    let gone = &made[1];
    let expected = format!("production: removed {gone}: no rule keeps it (7 daily, 4 weekly, 3 monthly");
    assert!(third.stdout.contains(&expected), "{}", third.stdout);
    assert!(third.stdout.contains("production: 1 backup removed"), "{}", third.stdout);
    let left = ids(&program).await;
    assert!(left.len() == 2 && !left.contains(gone), "{left:?}");
}

#[tokio::test]
async fn now_without_prune_removes_nothing() {
    let project = Project::start().await;
    let program = with(&project, "", &format!("[instance.production.retention]\n{KEEP_ONE}")).await;
    for _ in 0..3 {
        program.run(["now"]).await.success();
    }
    assert_eq!(ids(&program).await.len(), 3);
}

#[tokio::test]
async fn prune_false_beats_now_prune() {
    let project = Project::start().await;
    let program = with(&project, "prune = false", &format!("[instance.production.retention]\n{KEEP_ONE}")).await;
    for _ in 0..2 {
        let now = program.run(["now", "--prune", "--json"]).await.success().json();
        assert_eq!(now["backups"][0]["pruned"], json!([]));
    }
    assert_eq!(ids(&program).await.len(), 2);
    program.run(["prune"]).await.success();
    assert_eq!(ids(&program).await.len(), 1, "a prune by hand still prunes");
}

#[tokio::test]
async fn failed_backup_prunes_nothing() {
    let project = Project::start().await;
    let program = with(&project, "", &format!("[instance.production.retention]\n{KEEP_ONE}")).await;
    program.run(["now"]).await.success();
    program.run(["now"]).await.success();
    project.cluster().execute("postgres", "ALTER DATABASE production RENAME TO elsewhere");
    let failed = program.run(["now", "--prune", "--json"]).await.expect_code(1).json();
    assert_eq!((&failed["backups"], failed["errors"].as_array().unwrap().len()), (&json!([]), 1));
    assert_eq!(ids(&program).await.len(), 2);
}

#[tokio::test]
async fn held_prune_is_only_a_warning() {
    let project = Project::start().await;
    let program = with(&project, "", &format!("[instance.production.retention]\n{KEEP_ONE}")).await;
    program.run(["now"]).await.success();
    let first = ids(&program).await.remove(0);
    let manifest = project.repository().join(INSTANCE).join(&first).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, &text[..text.len() / 2]).unwrap();
    let now = program.run(["now", "--prune"]).await.expect_code(3);
    assert!(now.stdout.contains("production: backup "), "{}", now.stdout);
    assert!(now.stderr.contains("production: nothing is removed: unable to tell which objects"), "{}", now.stderr);
    assert!(manifest.exists());
}

#[tokio::test]
async fn now_prune_also_prunes_copies() {
    let project = Project::start().await;
    let offsite = project.path("offsite");
    let section = format!(
        "[repository.offsite]\nurl = \"file://{}\"\ncopy = \"after_backup\"\n[repository.offsite.retention]\n{KEEP_ONE}",
        offsite.display()
    );
    let program = with(&project, "", &section).await;
    program.run(["now", "--prune"]).await.success();
    let now = program.run(["now", "--prune", "--json"]).await.success().json();
    let pruned = now["backups"][0]["pruned"].as_array().unwrap();
    let of = |place: &Value| (place["repository"].as_str().unwrap().to_owned(), place["removed"]["backups"].clone());
    let first = ids(&program).await.pop().unwrap();
    assert_eq!(ids(&program).await.len(), 2);
    let oldest = ids(&program).await.into_iter().min().unwrap();
    assert_ne!(first, oldest, "listed from the oldest to the newest");
    assert_eq!(of(&pruned[0]), ("main".to_owned(), json!([])));
    assert_eq!(of(&pruned[1]), ("offsite".to_owned(), json!([oldest])));
}

#[tokio::test]
async fn daemon_prunes_by_default_with_log() {
    let service = Service::with("schedule = \"0 2 * * *\"", "").await;
    service.program.run(["now"]).await.success();
    service.program.run(["now"]).await.success();
    let gone = ids(&service.program).await.into_iter().max().unwrap();
    let mut daemon = service.start();
    service.until_reported("READY=1").await;
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    let client = harness::http::Client::new(address.trim());
    client.send("POST", "/api/v1/instances/production/runs", Some(&json!({ "job": "backup" }))).await;
    let outcomes = service.ended(&mut daemon, 1).await;
    assert_eq!((&outcomes[0]["result"], &outcomes[0]["figures"]["removed_backups"]), (&json!("done"), &json!(1)));
    let logs = service.program.run(["logs", "latest"]).await.success().stdout;
    assert!(logs.contains(&format!("removed backup production/{gone}: no rule keeps it (7 daily")), "{logs}");
    let left = ids(&service.program).await;
    assert!(left.len() == 2 && !left.contains(&gone), "{left:?}");
    let shown = client.send("GET", "/api/v1/instances/production/retention", None).await.json();
    assert_eq!(shown["prunes"], true);
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
}

/// Lets one instance fail, and the copy of the other's backup fail, in both orders.
#[tokio::test]
async fn failed_instance_outranks_failed_copy() {
    let project = Project::start().await;
    for broken in ["a-broken", "z-broken"] {
        let offsite = project.path(&format!("offsite-of-{broken}"));
        let conf = project.odoo_conf(INSTANCE);
        let more = format!(
            "[instance.{broken}]\nodoo_conf = \"{}\"\ndatabase = \"nowhere\"\n\
             [repository.offsite]\nurl = \"file://{}\"\ncopy = \"after_backup\"\n",
            conf.display(),
            offsite.display()
        );
        let program = with(&project, "", &more).await;
        fs::remove_dir_all(&offsite).unwrap();
        let now = program.run(["now", "--json"]).await.expect_code(1).json();
        assert_eq!(now["errors"][0]["instance"], broken);
        assert!(now["backups"][0]["copies"][0]["error"]["message"].is_string(), "{now:#}");
    }
}
