//! Checks the image and the composition, as far as that is possible without running a container.

use std::fs;
use std::process::Command;

use harness::postgres::{Cluster, SUPERUSER};

use crate::deploy::deployed;

#[test]
fn composition_is_valid() {
    let output = Command::new("docker")
        .args(["compose", "--file"])
        .arg(deployed("docker/compose.yml"))
        .args(["config", "--quiet"])
        .env("ODOO_DB_PASSWORD", "secret")
        .env("POSTGRES_PASSWORD", "secret")
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("unknown") => {
            eprintln!("skipped: docker has no `compose` here");
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => eprintln!("skipped: docker is not installed"),
    }
}

/// Checks this because a restore refuses superusers, and PostgreSQL's image makes its own user one.
#[test]
fn composition_role_is_no_superuser() {
    let cluster = Cluster::start();
    let mut script = Command::new(deployed("docker/create-role.sh"));
    cluster.set_environment(&mut script, SUPERUSER);
    let programs = cluster.bin("psql");
    let path = format!("{}:{}", programs.parent().unwrap().display(), std::env::var("PATH").unwrap());
    script.env("PATH", path).envs([("ODOO_DB_USER", "shop"), ("ODOO_DB_PASSWORD", "it's secret")]);
    let output = script.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let role = "SELECT rolsuper, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = 'shop'";
    assert_eq!(cluster.psql_as(SUPERUSER, SUPERUSER, role), "f|t|t\n");
}

#[test]
fn image_has_clients_of_tested_majors() {
    let dockerfile = fs::read_to_string(deployed("docker/Dockerfile")).unwrap();
    let majors = dockerfile.lines().find_map(|line| line.strip_prefix("ARG PG_MAJORS=")).unwrap();
    assert_eq!(majors, "\"14 15 16 17 18\"");
    let installed = fs::read_to_string(deployed("../tests/install-postgres-majors.sh")).unwrap();
    for major in majors.trim_matches('"').split(' ') {
        assert!(installed.contains(&format!("{major}.")), "{major}");
    }
}

#[test]
fn build_context_has_every_member() {
    let ignore = fs::read_to_string(deployed("docker/Dockerfile.dockerignore")).unwrap();
    let workspace = fs::read_to_string(deployed("../Cargo.toml")).unwrap();
    let members = workspace.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
    for member in members.trim_end_matches(']').split(", ") {
        let line = format!("!{}", member.trim_matches('"'));
        assert!(ignore.lines().any(|let_in| let_in == line), "{line}");
    }
}
