//! Tests restores into targets over HTTP.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use harness::project::{INSTANCE, Project, TARGET};
use serde_json::{Value, json};

use super::schema::Document;
use super::{knowing, refused, serve, watch, with_token};
use crate::daemon::wait_for;

/// Returns the databases, and the folders of filestores.
fn state(project: &Project) -> (Vec<String>, Vec<PathBuf>) {
    let folders = fs::read_dir(project.data_dir().join("filestore")).unwrap();
    let mut folders: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    (project.cluster().databases(), folders)
}

#[tokio::test]
async fn restore_over_http_needs_known_target() {
    let service = with_token("", "").await;
    service.project.write_target_keys("");
    let backup = service.program.run(["now", "--json"]).await.success().json()["backups"][0]["id"].clone();
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let document = Document::new(client.get("/api/v1/openapi.json").await.expect(200).json());
    let path = "/api/v1/targets/{name}/restores";
    let restore = async |wanted: Value| {
        let run = document.ask(&client, "POST", path, &[TARGET], Some(&wanted)).await;
        assert_eq!(
            (&run["job"], &run["target"], &run["instance"]),
            (&"restore".into(), &TARGET.into(), &INSTANCE.into())
        );
        let (run, _) = watch(&client, &format!("/api/v1/runs/{}", run["id"])).await;
        assert_eq!((&run["outcome"]["result"], &run["outcome"]["backup"]), (&"done".into(), &backup), "{run:#}");
        assert!(run["outcome"]["figures"]["restored_files"].as_u64().unwrap() > 0, "{run:#}");
        document.ask(&client, "GET", "/api/v1/runs/{id}/log", &[&run["id"].to_string()], None).await.to_string()
    };
    restore(json!({ "backup": "latest" })).await;
    assert!(service.project.cluster().has_database(TARGET) && service.project.target_filestore().is_dir());
    assert!(!service.backups().await[0]["proven"].is_null());
    let neutral = "SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'";
    assert_eq!(service.project.cluster().execute(TARGET, neutral).trim(), "true");
    let log = restore(json!({ "instance": INSTANCE, "backup": backup })).await;
    assert!(log.contains("odoo-backup.toml restore --undo --to staging"), "{log}");

    let runs = document.ask(&client, "GET", "/api/v1/runs", &[], None).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    assert!(service.program.run(["runs"]).await.success().stdout.contains("restore to staging"));
    // A restore is not a job of the instance that a schedule could have missed.
    let instance = document.ask(&client, "GET", "/api/v1/instances/{name}", &[INSTANCE], None).await;
    assert_eq!(instance["jobs"].as_array().unwrap().len(), 1, "{instance:#}");

    let before = state(&service.project);
    let latest = json!({ "backup": "latest" });
    let to = |target: &str| format!("/api/v1/targets/{target}/restores");
    // An instance is not a target in this API: only an operator at the command line can replace
    // production.
    for target in ["nowhere", INSTANCE] {
        refused(client.post(&to(target), &latest).await, 404, "not_found");
    }
    for wanted in [json!({ "backup": "20200101T000000Z-0000" }), json!({ "instance": "none", "backup": "latest" })] {
        refused(client.post(&to(TARGET), &wanted).await, 404, "not_found");
    }
    for wrong in
        [json!({}), json!({ "backup": "production/latest" }), json!({ "backup": "latest", "force_production": TARGET })]
    {
        refused(client.post(&to(TARGET), &wrong).await, 422, "invalid");
    }
    assert_eq!(state(&service.project), before);
}

#[tokio::test]
async fn undo_over_http_restores_previous_state() {
    let service = with_token("", "").await;
    service.project.write_target_keys("");
    let backup = service.program.run(["now", "--json"]).await.success().json()["backups"][0]["id"].clone();
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let document = Document::new(client.get("/api/v1/openapi.json").await.expect(200).json());
    let held = async || document.ask(&client, "GET", "/api/v1/targets/{name}", &[TARGET], None).await["state"].clone();
    let post = async |what: &str, wanted: Value| {
        let path = format!("/api/v1/targets/{{name}}/{what}");
        document.ask(&client, "POST", &path, &[TARGET], Some(&wanted)).await
    };
    let done = async |what: &str, wanted: Value| {
        let begun = post(what, wanted).await;
        let (run, _) = watch(&client, &format!("/api/v1/runs/{}", begun["id"])).await;
        assert_eq!(run["outcome"]["result"], "done", "{run:#}");
        run
    };
    let empty = held().await;
    let nothing = ["error", "database", "filestore", "copy", "former"].map(|name| empty[name].is_null());
    assert_eq!(nothing, [true; 5], "{empty:#}");

    let before = state(&service.project);
    let plan = post("undo", json!({ "dry_run": true })).await;
    assert_eq!((&plan["would_start"], &plan["obstacles"][0]["check"]), (&false.into(), &"former".into()), "{plan:#}");
    let plan = post("restores", json!({ "backup": "latest", "dry_run": true })).await;
    assert_eq!((&plan["would_start"], &plan["backup"]), (&true.into(), &backup), "{plan:#}");
    assert!(plan["needs"]["database_bytes"].as_u64().unwrap() > 0 && plan["neutralize"] == true, "{plan:#}");
    assert_eq!(state(&service.project), before);

    done("restores", json!({ "backup": "latest" })).await;
    let first = held().await;
    let copy = &first["copy"];
    assert_eq!((&copy["backup"], &copy["neutralized"]), (&backup, &true.into()), "{first:#}");
    assert!(first["database"]["bytes"].as_u64().unwrap() > 0 && first["former"].is_null(), "{first:#}");
    service.project.cluster().execute(TARGET, "CREATE TABLE was_here ()");
    done("restores", json!({ "backup": "latest" })).await;
    let second = held().await;
    let former = &second["former"];
    assert_eq!((&former["copy"], former["kept_at"].is_string()), (copy, true), "{second:#}");
    assert_ne!(&second["copy"], copy);

    let plan = post("undo", json!({ "dry_run": true })).await;
    assert_eq!((&plan["would_start"], &plan["state"]["former"]), (&true.into(), former), "{plan:#}");
    let run = done("undo", json!({})).await;
    assert_eq!((&run["job"], &run["target"]), (&"undo".into(), &TARGET.into()));
    service.project.cluster().execute(TARGET, "SELECT FROM was_here");
    let third = held().await;
    assert_eq!((&third["copy"], &third["former"]["copy"]), (copy, &second["copy"]));
    // The list is from memory, and is read again once the run has ended.
    let listed = async || {
        document.ask(&client, "GET", "/api/v1/targets", &[], None).await["targets"][0]["state"]["copy"].clone()
    };
    while listed().await != *copy {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for wrong in [json!({ "dry_run": 1 }), json!({ "force_production": TARGET })] {
        refused(client.post(&format!("/api/v1/targets/{TARGET}/undo"), &wrong).await, 422, "invalid");
    }
    refused(client.post("/api/v1/targets/nowhere/undo", &json!({})).await, 404, "not_found");
}

#[tokio::test]
async fn unreachable_target_is_not_called_empty() {
    let service = with_token("", "").await;
    service.project.write_target_keys("host = \"127.0.0.1\"\nport = 1");
    service.program.run(["now"]).await.success();
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let target = client.get(&format!("/api/v1/targets/{TARGET}")).await.expect(200).json();
    assert!(target["state"]["error"]["message"].is_string(), "{target:#}");
    for (what, wanted) in
        [("restores", json!({ "backup": "latest", "dry_run": true })), ("undo", json!({ "dry_run": true }))]
    {
        refused(client.post(&format!("/api/v1/targets/{TARGET}/{what}"), &wanted).await, 502, "target");
    }
}

#[tokio::test]
async fn production_target_is_refused_over_http() {
    let service = with_token("", "").await;
    let mut config = fs::read_to_string(service.project.config()).unwrap();
    let (conf, folder) = (service.project.odoo_conf(INSTANCE), service.project.path("elsewhere"));
    config.push_str(&format!(
        "[target.mistake]\nodoo_conf = \"{}\"\ndatabase = \"{INSTANCE}\"\nfilestore = \"{}\"\n",
        conf.display(),
        folder.display()
    ));
    fs::write(service.project.config(), config).unwrap();
    service.program.run(["now"]).await.success();
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let oid =
        || service.project.cluster().execute("postgres", "SELECT oid FROM pg_database WHERE datname = 'production'");
    let before = (state(&service.project), oid());
    let begun =
        client.post("/api/v1/targets/mistake/restores", &json!({ "backup": "latest" })).await.expect(202).json();
    let (run, _) = watch(&client, &format!("/api/v1/runs/{}", begun["id"])).await;
    let outcome = &run["outcome"];
    assert_eq!((&outcome["result"], &outcome["attempts"]), (&"failed".into(), &1.into()), "{run:#}");
    let typed = service.program.run(["restore", "--to", "mistake", "--json"]).await.expect_code(1).json();
    let said = |error: &Value| ["message", "causes", "obstacles"].map(|name| error[name].clone());
    assert_eq!(said(&outcome["error"]), said(&typed["error"]));
    assert!(outcome["error"].to_string().contains("is that of the instance production"), "{run:#}");
    let dry = json!({ "backup": "latest", "dry_run": true });
    let plan = client.post("/api/v1/targets/mistake/restores", &dry).await.expect(200).json();
    assert_eq!((&plan["would_start"], &plan["obstacles"]), (&false.into(), &typed["error"]["obstacles"]));
    let plan = client.post("/api/v1/targets/mistake/undo", &json!({ "dry_run": true })).await.expect(200).json();
    assert!(plan["obstacles"].to_string().contains("is that of the instance production"), "{plan:#}");
    assert_eq!((state(&service.project), oid()), before);
    assert!(!folder.exists());
}

#[tokio::test]
async fn cancelled_restore_leaves_target_unchanged() {
    let service = with_token("", "").await;
    let (tools, waiting) = (service.project.path("tools"), service.project.path("waiting"));
    fs::create_dir(&tools).unwrap();
    let real = service.project.cluster().bin("pg_restore");
    let pg_restore = |work: &str| {
        let real = real.display();
        let text = format!("#!/bin/sh\ncase $1 in --version|--list) exec '{real}' \"$@\";; esac\n{work}\n");
        let text = text.replace("$REAL", &real.to_string());
        fs::write(tools.join("pg_restore"), text).unwrap();
        fs::set_permissions(tools.join("pg_restore"), PermissionsExt::from_mode(0o700)).unwrap();
    };
    service.project.write_target_keys(&format!("pg_path = \"{}\"", tools.display()));
    pg_restore("exec '$REAL' \"$@\"");
    service.program.run(["now"]).await.success();
    service.program.run(["restore", "--to", TARGET]).await.success();
    service.project.cluster().execute(TARGET, "CREATE TABLE was_here ()");
    let before = state(&service.project);

    pg_restore(&format!("touch '{}'; exec sleep 600", waiting.display()));
    let (mut daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let restores = format!("/api/v1/targets/{TARGET}/restores");
    let run = client.post(&restores, &json!({ "backup": "latest" })).await.expect(202).json();
    wait_for(&mut daemon, || waiting.exists().then_some(())).await;
    let again = refused(client.post(&restores, &json!({ "backup": "latest" })).await, 409, "already_running");
    assert_eq!(again["run"], run["id"]);
    let metrics = client.get("/metrics").await.expect(200).text();
    assert!(metrics.contains("active_run_bytes{odoo_instance=\"production\",kind=\"restore\"}"), "{metrics}");

    let run = format!("/api/v1/runs/{}", run["id"]);
    client.post(&format!("{run}/cancel"), &json!({})).await.expect(202);
    let (ended, _) = watch(&client, &run).await;
    assert_eq!(ended["outcome"]["result"], "cancelled", "{ended:#}");
    assert_eq!(state(&service.project), before);
    service.project.cluster().execute(TARGET, "SELECT FROM was_here");
}

#[tokio::test]
async fn restore_reads_copy_without_first_repository() {
    let service = with_token("", "").await;
    let copy = service.project.path("near");
    service.project.write_target_keys("");
    let mut config = fs::read_to_string(service.project.config()).unwrap();
    config.push_str(&format!("[repository.near]\nurl = \"file://{}\"\ncopy = \"after_backup\"\n", copy.display()));
    fs::write(service.project.config(), config).unwrap();
    service.program.run(["init"]).await.success();
    let backup = service.program.run(["now", "--json"]).await.success().json()["backups"][0]["id"].clone();
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let (repository, unplugged) = (service.project.repository(), service.project.path("unplugged"));
    fs::rename(&repository, &unplugged).unwrap();
    let path = format!("/api/v1/targets/{TARGET}/restores");
    let begun = client.post(&path, &json!({ "backup": "latest" })).await.expect(202).json();
    let (run, _) = watch(&client, &format!("/api/v1/runs/{}", begun["id"])).await;
    let outcome = &run["outcome"];
    assert_eq!((&outcome["result"], &outcome["backup"]), (&"done".into(), &backup), "{run:#}");
    let warning = outcome["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("skipped the repository main: "), "{run:#}");
    assert!(service.project.cluster().has_database(TARGET));
}
