//! Tries the role of `backup-role.sql` on a real server.

use std::fs;

use harness::postgres::{Cluster, SUPERUSER};
use harness::project::{INSTANCE, Project, TARGET};

use crate::deploy::{deployed, initialised};

const ROLE: &str = "odoo-backup";

fn make_role(cluster: &Cluster) {
    let mut psql = cluster.command("psql", SUPERUSER);
    psql.args(["-X", "--quiet", "-v", "ON_ERROR_STOP=1", "-v", &format!("role={ROLE}"), "-d", INSTANCE, "-f"]);
    let output = psql.arg(deployed("postgresql/backup-role.sql")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn backup_role_can_hold_collector() {
    let project = Project::start().await;
    let cluster = project.cluster();
    make_role(cluster);
    // The second run changes nothing: an operator does not remember where it was run.
    make_role(cluster);
    // Tables that a module adds later are covered.
    cluster.execute(INSTANCE, "CREATE TABLE added_later (id serial); INSERT INTO added_later DEFAULT VALUES");

    let config = fs::read_to_string(project.config()).unwrap();
    let section = format!("[instance.{INSTANCE}]\nuser = \"{ROLE}\"\n");
    let config = config.replace(&format!("[instance.{INSTANCE}]\n"), &section);
    assert!(config.contains(ROLE), "{config}");
    fs::write(project.config(), config).unwrap();
    let program = initialised(&project).await;
    program.run(["doctor"]).await.success();
    program.run(["now"]).await.success();
    let shown = program.run(["show", "latest", "--json"]).await.success().json();
    assert_eq!(shown["filestore"]["collector_held"], true, "{shown:#}");
    program.run(["restore", "--to", TARGET]).await.success();
    assert_eq!(cluster.execute(TARGET, "SELECT count(*) FROM added_later"), "1\n");
}

#[tokio::test]
async fn backup_role_has_single_write_privilege() {
    let project = Project::start().await;
    let cluster = project.cluster();
    make_role(cluster);
    let writable = format!(
        "SELECT c.relname, p FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p
         WHERE c.relkind IN ('r', 'p') AND has_table_privilege('{ROLE}', c.oid, p)"
    );
    assert_eq!(cluster.execute(INSTANCE, &writable), "ir_attachment|INSERT\n");
    for refused in [
        "DELETE FROM ir_attachment",
        "UPDATE res_users SET login = 'thief'",
        "INSERT INTO res_users DEFAULT VALUES",
        "DROP TABLE ir_attachment",
        "CREATE DATABASE stolen",
    ] {
        let mut psql = cluster.command("psql", ROLE);
        let output = psql.args(["-X", "-v", "ON_ERROR_STOP=1", "-d", INSTANCE, "-c", refused]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("permission denied") || said.contains("must be owner"), "{refused}: {said}");
    }
}
