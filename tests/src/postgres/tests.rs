use std::process::Command;

use super::*;

#[tokio::test]
async fn cluster_answers_by_socket_and_tcp() {
    let cluster = Cluster::start();
    cluster.create_database("acme");
    assert_eq!(cluster.databases(), ["acme"]);

    let client = cluster.connect("acme").await;
    let user: String = client.query_one("SELECT current_user::text", &[]).await.unwrap().get(0);
    assert_eq!(user, USER);

    let by_tcp =
        run(cluster.command("psql", USER).env("PGHOST", cluster.host()).args(["-Atd", "acme", "-c", "SELECT 1"]));
    assert_eq!(by_tcp.trim(), "1");
}

#[tokio::test]
async fn wrong_password_is_refused() {
    let cluster = Cluster::with(&ClusterOptions { password: true, ..ClusterOptions::default() });
    cluster.create_database("acme");
    cluster.connect("acme").await;

    let wrong =
        cluster.command("psql", USER).env("PGPASSWORD", "wrong").args(["-d", "acme", "-c", ""]).output().unwrap();
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("password authentication failed"));
}

#[test]
fn parallel_clusters_are_distinct() {
    let [one, other] = [Cluster::start(), Cluster::start()];
    let identifier =
        |cluster: &Cluster| cluster.psql_as(SUPERUSER, "postgres", "SELECT system_identifier FROM pg_control_system()");
    assert_ne!(one.port(), other.port());
    assert_ne!(identifier(&one), identifier(&other));
}

#[test]
fn dropped_cluster_leaves_nothing_behind() {
    let cluster = Cluster::start();
    let (pid, folder) = (cluster.pid(), cluster.socket_dir().to_owned());
    assert!(alive(pid));
    drop(cluster);
    assert!(!alive(pid));
    assert!(!folder.exists());
}

#[test]
fn killed_cluster_restarts_with_its_data() {
    let mut cluster = Cluster::start();
    cluster.create_database("acme");
    cluster.execute("acme", "CREATE TABLE t AS SELECT 1 AS a");
    let port = cluster.port();
    cluster.restart();
    assert_eq!(cluster.port(), port);
    assert_eq!(cluster.execute("acme", "SELECT a FROM t").trim(), "1");
}

fn alive(pid: u32) -> bool {
    Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap().status.success()
}

#[test]
fn each_installed_major_creates_cluster() {
    for major in Binaries::majors() {
        let cluster = Cluster::with(&ClusterOptions { version: Some(major), ..ClusterOptions::default() });
        let version = cluster.psql_as(SUPERUSER, "postgres", "SHOW server_version_num");
        assert!(version.starts_with(&major.to_string()), "{version}");
        cluster.create_database("acme");
        cluster.execute("acme", "CREATE EXTENSION pg_trgm");
    }
}
