//! Tests an S3 server that becomes unreachable in the middle.

use harness::odoo::OdooShape;
use harness::odoo_backup;
use harness::project::{Project, ProjectOptions, Source};
use harness::proxy::Proxy;
use harness::seaweed::SeaweedFs;

use crate::faults::{assert_failed, hold_pg_dump, initialised, until_pg_dump_waits};

fn repository(server: &SeaweedFs, port: u16) -> String {
    format!(
        "url = \"s3://{}/odoo\"\nendpoint = \"http://127.0.0.1:{port}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"",
        server.bucket, server.access_key, server.secret_key
    )
}

#[tokio::test]
async fn lost_s3_server_fails_backup() {
    let server = SeaweedFs::start();
    let proxy = Proxy::start(server.port).await;
    let repository_by = |port| Some(repository(&server, port));
    let project =
        Project::with(ProjectOptions { repository: repository_by(proxy.port), ..ProjectOptions::default() }).await;
    let program = initialised(&project).await;
    let lock = hold_pg_dump(&project).await;
    let running = program.spawn(["now"]);
    until_pg_dump_waits(&project).await;
    // Open connections are cut, new ones refused.
    drop(proxy);
    drop(lock);
    assert_failed(running.wait().await, "not available");

    project.write_config(&repository(&server, server.port), "");
    let program = odoo_backup!(project.config());
    assert!(program.run(["list"]).await.success().stdout.contains("no backups yet"));
    program.run(["now"]).await.success();
    program.run(["check", "--read-data"]).await.success();
}

#[tokio::test]
async fn lost_s3_server_fails_restore() {
    let mut server = SeaweedFs::start();
    // A dump that is larger than all buffers on the way together.
    let shape = OdooShape { messages: 60_000, ..OdooShape::default() };
    let options = ProjectOptions {
        source: Source::Shape(shape),
        repository: Some(repository(&server, server.port)),
        ..ProjectOptions::default()
    };
    let project = Project::with(options).await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    // pg_restore begins to read, then waits until the server is gone.
    let gone = project.path("gone");
    let script = format!("while ! [ -e '{}' ]; do sleep 0.02; done; exec \"$REAL\" \"$@\"", gone.display());
    crate::faults::replace_tool(&project, "pg_restore", &script);
    let running = program.spawn(["restore", "--to", "staging", "--jobs", "1"]);
    crate::faults::until("the restore has begun", async || project.cluster().databases().len() > 1).await;
    server.kill();
    std::fs::write(gone, "").unwrap();
    assert_failed(running.wait().await, "not available");
    assert_eq!(project.cluster().databases(), ["production"]);
    assert!(!project.target_filestore().exists());
}
