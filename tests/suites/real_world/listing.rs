//! Tests incomplete listings.

use std::fs;

use harness::odoo_backup;
use harness::project::{INSTANCE, Project, ProjectOptions};
use harness::proxy::Proxy;
use harness::seaweed::SeaweedFs;

use crate::daemon::Service;

const POLICY: &str = "keep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\ngrace = \"1 second\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_manifest_is_found_nothing_removed() {
    let server = SeaweedFs::start();
    let proxy = Proxy::start(server.port).await;
    let repository = format!(
        "url = \"s3://{}/odoo\"\nendpoint = \"http://127.0.0.1:{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"",
        server.bucket, proxy.port, server.access_key, server.secret_key
    );
    let options = ProjectOptions { repository: Some(repository.clone()), ..ProjectOptions::default() };
    let project = Project::with(options).await;
    project.write_config(&repository, &format!("[instance.{INSTANCE}.retention]\n{POLICY}"));
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let now = program.run(["now", "--json"]).await.success().json();
        ids.push(now["backups"][0]["id"].as_str().unwrap().to_owned());
    }
    let hidden = format!("{INSTANCE}/{}/manifest.json", ids[1]);
    proxy.hide(&hidden);
    for arguments in [&["prune"][..], &["forget", &ids[0], "--yes"]] {
        let refused = program.run(arguments).await.expect_code(1);
        let reported = refused.stderr.contains(&hidden) && refused.stderr.contains("nothing was deleted");
        assert!(reported, "{arguments:?}: {}", refused.stderr);
    }
    let list = program.run(["list"]).await.expect_code(1);
    assert!(ids.iter().all(|id| list.stdout.contains(id)) && list.stderr.contains("omitted"), "{list:?}");
    let check = program.run(["check"]).await.expect_code(1).stdout;
    assert!(ids.iter().all(|id| check.contains(id)) && check.contains("MISSING"), "{check}");
    let status = program.run(["status", "--nagios"]).await.expect_code(2).stdout;
    assert!(status.contains("omitted"), "{status}");
    let show = program.run(["show", &format!("{INSTANCE}/latest"), "--json"]).await.success().json();
    assert_eq!(show["id"], ids[1].as_str(), "{show}");
    // Whatever was run, everything of both is still there.
    let whole = repository.replace(&proxy.port.to_string(), &server.port.to_string());
    project.write_config(&whole, &format!("[instance.{INSTANCE}.retention]\n{POLICY}"));
    program.run(["check", "--read-data"]).await.success();
    assert_eq!(program.run(["list", "--json"]).await.success().json()["backups"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn lost_manifest_is_reported_until_forgotten() {
    let project = Project::start().await;
    project.write_config(
        &format!("url = \"file://{}\"", project.repository().display()),
        &format!("[instance.{INSTANCE}.retention]\n{POLICY}"),
    );
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    let now = program.run(["now", "--json"]).await.success().json();
    let id = now["backups"][0]["id"].as_str().unwrap();
    let folder = project.repository().join(INSTANCE).join(id);
    fs::remove_file(folder.join("manifest.json")).unwrap();
    let objects = || fs::read_dir(&folder).map(|entries| entries.count()).unwrap_or(0);
    let before = objects();
    let prune = program.run(["prune"]).await.expect_code(13);
    assert!(prune.stderr.contains(id), "{}", prune.stderr);
    assert_eq!(objects(), before);
    for arguments in [&["list"][..], &["check"]] {
        let run = program.run(arguments).await.expect_code(13);
        assert!(format!("{}{}", run.stdout, run.stderr).contains("manifest.json"), "{run:?}");
    }
    let status = program.run(["status", "--nagios"]).await.expect_code(2).stdout;
    assert!(status.contains(id), "{status}");
    program.run(["forget", id, "--yes"]).await.success();
    // Objects younger than the grace period stay for the next prune.
    assert!(!folder.join("SHA256SUMS").exists() && objects() < before, "{} of {before}", objects());
    program.run(["check"]).await.success();
}

#[tokio::test]
async fn empty_listing_of_backups_is_alarm() {
    let service = Service::with("schedule = \"0 2 * * *\"", "").await;
    service.program.run(["list"]).await.success();
    service.program.run(["check"]).await.success();
    service.pretend_absence();
    let mut daemon = service.start();
    service.ended(&mut daemon, 1).await;
    fs::remove_dir_all(service.project.repository().join(INSTANCE)).unwrap();
    for command in ["list", "check"] {
        let run = service.program.run([command]).await.expect_code(1);
        assert!(format!("{}{}", run.stdout, run.stderr).contains("lists no backup of it"), "{run:?}");
    }
    service.program.run(["status", "--nagios"]).await.expect_code(2);
}
