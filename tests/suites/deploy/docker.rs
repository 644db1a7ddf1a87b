//! Checks the image and the compositions, as far as that is possible without running a container.

use std::fs;
use std::process::Command;

use harness::postgres::{Cluster, SUPERUSER};
use serde_json::Value;
use tempfile::TempDir;

use crate::deploy::{VERSION, deployed, output_of, tool};

mod from_nothing;
mod scripts;

/// Returns a composition as Docker's own program reads it; `None` if the program is not installed.
fn composition(file: &str, environment: &str) -> Option<Value> {
    let mut compose = tool("docker-compose")?;
    let folder = TempDir::new().unwrap();
    let variables = folder.path().join("env");
    fs::write(&variables, environment).unwrap();
    compose.arg("--env-file").arg(&variables).arg("--file").arg(deployed("docker").join(file));
    let printed = output_of(compose.args(["config", "--format", "json"]).env_clear());
    Some(serde_json::from_str(&printed).unwrap())
}

fn from_nothing() -> Option<Value> {
    composition("compose.yml", "")
}

fn existing() -> Option<Value> {
    composition("compose.existing.yml", &fs::read_to_string(deployed("docker/env.example")).unwrap())
}

/// Returns name and definition of each service.
fn services(composition: &Value) -> impl Iterator<Item = (&str, &Value)> {
    composition["services"].as_object().unwrap().iter().map(|(name, service)| (name.as_str(), service))
}

/// Returns the strings of an array, which may be missing.
fn strings(array: &Value) -> Vec<&str> {
    array.as_array().into_iter().flatten().map(|value| value.as_str().unwrap()).collect()
}

/// Returns the names of services that mount a volume.
fn mounting<'a>(composition: &'a Value, volume: &str) -> Vec<&'a str> {
    let mounts = |service: &Value| service["volumes"].as_array().unwrap().iter().any(|mount| mount["source"] == volume);
    services(composition).filter(|(_, service)| mounts(service)).map(|(name, _)| name).collect()
}

#[test]
fn images_are_pinned() {
    for composition in [from_nothing(), existing()].into_iter().flatten() {
        for (name, service) in services(&composition) {
            let image = service["image"].as_str().unwrap();
            assert!(image.contains("@sha256:") || image == format!("odoo-backup:{VERSION}"), "{name}: {image}");
        }
    }
}

/// Checks what `docker inspect` shows.
#[test]
fn no_secret_in_environment() {
    for composition in [from_nothing(), existing()].into_iter().flatten() {
        for (name, service) in services(&composition) {
            for (variable, value) in service["environment"].as_object().into_iter().flatten() {
                let is_secret = ["PASSWORD", "SECRET", "TOKEN", "KEY"].iter().any(|word| variable.contains(word));
                assert!(!is_secret || variable.ends_with("_FILE"), "{name}: {variable}={value}");
            }
        }
    }
}

#[test]
fn ports_are_published_on_loopback() {
    for composition in [from_nothing(), existing()].into_iter().flatten() {
        for (name, service) in services(&composition) {
            for port in service["ports"].as_array().into_iter().flatten() {
                assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port}");
            }
        }
        assert_eq!(composition["services"]["backup"]["ports"][0]["published"], "8479");
    }
}

/// Checks that a service that stays tells whether it works. One that ends tells by its exit code.
#[test]
fn lasting_services_have_health_checks() {
    for composition in [from_nothing(), existing()].into_iter().flatten() {
        for (name, service) in services(&composition) {
            let lasts = service["restart"] == "unless-stopped";
            assert_eq!(lasts, !["prepare", "init"].contains(&name), "{name}");
            let check = &service["healthcheck"];
            assert_eq!(check["test"].is_array() && check["disable"] != true, lasts, "{name}");
        }
    }
}

#[test]
fn services_start_in_order() {
    let Some(composition) = from_nothing() else { return };
    let condition = |service: &str, other: &str| {
        let condition = &composition["services"][service]["depends_on"][other]["condition"];
        condition.as_str().unwrap_or("none").to_owned()
    };
    for (service, other, expected) in [
        ("db", "prepare", "service_completed_successfully"),
        ("web", "prepare", "service_completed_successfully"),
        ("web", "db", "service_healthy"),
        ("init", "prepare", "service_completed_successfully"),
        ("backup", "init", "service_completed_successfully"),
        ("backup", "db", "service_healthy"),
        // Without a cycle.
        ("prepare", "db", "none"),
    ] {
        assert_eq!(condition(service, other), expected, "{service} on {other}");
    }
}

#[test]
fn services_are_confined() {
    for composition in [from_nothing(), existing()].into_iter().flatten() {
        for (name, service) in services(&composition) {
            assert_eq!(strings(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
            if ["prepare", "init", "backup"].contains(&name) {
                assert_eq!(service["read_only"], true, "{name}");
                assert_eq!(strings(&service["cap_drop"]), ["ALL"], "{name}");
            }
        }
        for name in ["init", "backup"] {
            assert_eq!(strings(&composition["services"][name]["cap_add"]), ["SETUID", "SETGID"]);
        }
        assert_eq!(composition["services"]["prepare"]["network_mode"], "none");
    }
}

/// Checks that each secret is in a volume that only its readers mount. `prepare` makes them.
#[test]
fn secrets_are_mounted_where_needed() {
    let Some(composition) = from_nothing() else { return };
    assert_eq!(mounting(&composition, "db-secrets"), ["db", "prepare"]);
    assert_eq!(mounting(&composition, "web-secrets"), ["prepare", "web"]);
    assert_eq!(mounting(&composition, "backup-secrets"), ["backup", "init", "prepare"]);
}

/// Checks which images give an empty volume its owner: that of the folder in the image.
#[test]
fn filestore_gets_owner_of_odoos_image() {
    let Some(composition) = from_nothing() else { return };
    let images: Vec<_> = services(&composition)
        .flat_map(|(_, service)| {
            let mounts = service["volumes"].as_array().unwrap().iter();
            let filestore =
                mounts.filter(|mount| mount["target"] == "/var/lib/odoo" && mount["volume"]["nocopy"] != true);
            filestore.map(|_| service["image"].as_str().unwrap())
        })
        .collect();
    assert_eq!(images.len(), 2, "{images:?}");
    assert!(images.iter().all(|image| image.starts_with("odoo:18.0-")), "{images:?}");
}

#[test]
fn existing_odoo_is_joined_by_names() {
    let Some(composition) = existing() else { return };
    assert_eq!(composition["networks"]["odoo"]["external"], true);
    assert_eq!(composition["networks"]["odoo"]["name"], "shop_default");
    assert_eq!(composition["volumes"]["odoo-web-data"]["external"], true);
    assert_eq!(composition["volumes"]["odoo-web-data"]["name"], "shop_odoo-web-data");
    assert!(services(&composition).all(|(name, _)| ["prepare", "init", "backup"].contains(&name)));
}

#[test]
fn existing_odoo_must_be_named() {
    let Some(mut compose) = tool("docker-compose") else { return };
    compose.args(["--env-file", "/dev/null", "--file"]).arg(deployed("docker/compose.existing.yml"));
    let output = compose.args(["config", "--quiet"]).env_clear().output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && message.contains("ODOO_") && message.contains("must be set in .env"),
        "{message}"
    );
}

/// Checks that the service has each variable that its configuration names.
#[test]
fn configuration_names_set_variables() {
    let Some(composition) = from_nothing() else { return };
    let text = fs::read_to_string(deployed("docker/odoo-backup.toml")).unwrap();
    let named: Vec<_> = text.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0).collect();
    assert!(named.len() > 3, "{named:?}");
    for name in named {
        assert!(composition["services"]["backup"]["environment"][name].is_string(), "{name}");
    }
}

/// Checks this because a restore refuses superusers, and PostgreSQL's image makes its own user one.
#[test]
fn composition_role_is_no_superuser() {
    let cluster = Cluster::start();
    let folder = TempDir::new().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "it's secret\n").unwrap();
    let mut script = Command::new(deployed("docker/create-role.sh"));
    cluster.set_environment(&mut script, SUPERUSER);
    let programs = cluster.bin("psql");
    let path = format!("{}:{}", programs.parent().unwrap().display(), std::env::var("PATH").unwrap());
    output_of(script.env("PATH", path).env("ODOO_DB_USER", "shop").env("ODOO_DB_PASSWORD_FILE", password));
    let role = "SELECT rolsuper, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = 'shop'";
    assert_eq!(cluster.psql_as(SUPERUSER, SUPERUSER, role), "f|t|t\n");
    let has_password = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'shop'";
    assert_eq!(cluster.psql_as(SUPERUSER, SUPERUSER, has_password), "t\n");
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
    let lets_in = |path: &str| ignore.lines().any(|line| line.strip_prefix('!') == Some(path));
    let workspace = fs::read_to_string(deployed("../Cargo.toml")).unwrap();
    let members = workspace.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
    for member in members.trim_end_matches(']').split(", ") {
        assert!(lets_in(member.trim_matches('"')), "{member}");
    }
    // What the image has of this folder.
    let dockerfile = fs::read_to_string(deployed("docker/Dockerfile")).unwrap();
    let copied = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY --chmod=755 "));
    let copied: Vec<_> = copied.map(|copy| copy.split_once(' ').unwrap().0).collect();
    assert_eq!(copied.len(), 2);
    assert!(copied.iter().all(|path| lets_in(path) && deployed("..").join(path).is_file()), "{copied:?}");
}

#[test]
fn hadolint_accepts_dockerfile() {
    let Some(mut hadolint) = tool("hadolint") else { return };
    output_of(hadolint.args(["--failure-threshold", "info"]).arg(deployed("docker/Dockerfile")));
}
