//! Tries the policies of a bucket on a real server: one identity backs up and deletes nothing, the
//! other prunes and adds no backup.

use std::fs;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::{Project, ProjectOptions, TARGET};
use harness::seaweed::SeaweedFs;

use crate::deploy::deployed;

/// The repository is below a prefix, as in the manual.
const PREFIX: &str = "company/odoo";

fn policy(name: &str, server: &SeaweedFs) -> String {
    let policy = fs::read_to_string(deployed(&format!("s3/{name}.json"))).unwrap();
    policy.replace("REPOSITORY", &format!("{}/{PREFIX}", server.bucket)).replace("BUCKET", &server.bucket)
}

fn repository(server: &SeaweedFs, user: &str) -> String {
    let (bucket, endpoint) = (&server.bucket, &server.endpoint);
    format!(
        "url = \"s3://{bucket}/{PREFIX}\"\nendpoint = \"{endpoint}\"\naccess_key_id = \"{user}\"\nsecret_access_key = \"s3cret\""
    )
}

async fn ids(program: &OdooBackup) -> Vec<String> {
    let list = program.run(["list", "--json"]).await.success().json();
    list["backups"].as_array().unwrap().iter().map(|backup| backup["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn policies_keep_backup_and_prune_apart() {
    let server = SeaweedFs::start();
    server.keep_versions();
    for name in ["backup-only", "prune"] {
        server.add_user(name, "s3cret", &policy(name, &server));
    }
    let backing_up = repository(&server, "backup-only");
    let project = Project::with(ProjectOptions { repository: Some(backing_up.clone()), ..Default::default() }).await;
    let program = odoo_backup!(project.config());
    let instance = "[instance.production.retention]\nkeep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\n";

    program.run(["init"]).await.success();
    program.run(["doctor"]).await.success();
    program.run(["now"]).await.success();
    // Every file is stored already: the volume that was begun is not needed, and may not be
    // deleted.
    program.run(["now", "--reread"]).await.success();
    program.run(["check", "--read-data"]).await.success();
    program.run(["restore", "--to", TARGET]).await.success();
    let mut made = ids(&program).await;
    assert_eq!(made.len(), 2);
    project.write_config(&backing_up, instance);
    for refused in [vec!["forget", &made[0], "--yes"], vec!["prune"]] {
        let said = program.run(&refused).await.expect_code(1).stderr;
        assert!(said.contains("denied"), "{said}");
    }
    assert_eq!(ids(&program).await, made);
    let said = program.run(["now", "--prune"]).await.expect_code(3).stderr;
    assert!(said.contains("the backup was made, but not pruned"), "{said}");
    assert!(said.contains("set `prune = false` in [instance.production]"), "{said}");
    made = ids(&program).await;
    assert_eq!(made.len(), 3);
    program.run(["check"]).await.success();

    project.write_config(&repository(&server, "prune"), instance);
    let said = program.run(["now"]).await.expect_code(1).stderr;
    assert!(said.contains("denied"), "{said}");
    program.run(["pin", &made[1], "--note", "before the upgrade"]).await.success();
    program.run(["unpin", &made[1]]).await.success();
    program.run(["prune"]).await.success();
    // The newest backup stays, and the newest proven one.
    assert_eq!(ids(&program).await, made[1..]);
    let locks = program.run(["unlock", "--list", "--json"]).await.success().json();
    assert_eq!(locks["locks"].as_array().map(Vec::len), Some(0), "{locks:#}");
    program.run(["check", "--read-data"]).await.success();
}
