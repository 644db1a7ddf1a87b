//! Tests the ways to connect to a database that libpq knows.

use std::fs;

use harness::postgres::ClusterOptions;
use harness::project::{INSTANCE, Project, ProjectOptions};

use crate::main_job::{initialised, program};

/// Replaces the connection settings of odoo.conf.
fn connect_by(project: &Project, settings: &str) {
    let repository = format!("url = \"file://{}\"", project.repository().display());
    let config = format!(
        "[repository]\n{repository}\n\n[instance.{INSTANCE}]\ndatabase = \"{INSTANCE}\"\nfilestore = \"{}\"\n{settings}\n",
        project.filestore().display()
    );
    fs::write(project.config(), config).unwrap();
}

#[tokio::test]
async fn socket_and_environment_settings_connect() {
    let project = Project::start().await;
    let cluster = project.cluster();
    let socket = format!("host = {:?}\nport = {}\nuser = {:?}", cluster.socket_dir(), cluster.port(), cluster.user());
    connect_by(&project, &socket);
    initialised(&project).await.run(["now"]).await.success();

    connect_by(&project, "");
    let by_environment = program(&project)
        .env("PGHOST", cluster.host())
        .env("PGPORT", &cluster.port().to_string())
        .env("PGUSER", cluster.user());
    by_environment.run(["now"]).await.success();
}

#[tokio::test]
async fn password_sources_work_without_leak() {
    let cluster = ClusterOptions { password: true, ..ClusterOptions::default() };
    let project = Project::with(ProjectOptions { cluster, ..ProjectOptions::default() }).await;
    let cluster = project.cluster();
    let tcp = format!("host = {:?}\nport = {}\nuser = {:?}", cluster.host(), cluster.port(), cluster.user());
    let password = cluster.password().unwrap();

    write_private(&project, "password", &format!("{password}\n"));
    connect_by(&project, &format!("{tcp}\npassword_file = \"password\""));
    let program = initialised(&project).await;
    program.run(["now"]).await.success();

    connect_by(&project, &tcp);
    let refused = program.run(["now"]).await.expect_code(1);
    assert!(refused.stderr.contains("password"), "{}", refused.stderr);
    fs::write(
        program.home().join(".pgpass"),
        format!("*:*:*:*:{}\n", password.replace('\\', r"\\").replace(':', r"\:")),
    )
    .unwrap();
    set_mode(&program.home().join(".pgpass"), 0o600);
    program.run(["now"]).await.success();

    connect_by(&project, &format!("{tcp}\npassword = \"wr0ng-s3cret\""));
    set_mode(&project.config(), 0o600);
    let wrong = program.run(["now", "-vv"]).await.expect_code(1);
    assert!(wrong.stderr.contains("password authentication failed"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("hint: check user and password"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("wr0ng-s3cret") && !wrong.stdout.contains("wr0ng-s3cret"), "{}", wrong.stderr);
}

fn write_private(project: &Project, name: &str, content: &str) {
    fs::write(project.path(name), content).unwrap();
    set_mode(&project.path(name), 0o600);
}

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}
