//! Tests what the daemon says of the repositories, and of what the next prune removes.

use std::fs;
use std::time::Duration;

use harness::http::Client;
use harness::project::INSTANCE;
use serde_json::{Value, json};

use super::schema::Document;
use super::{begin, knowing, serve, until_read, watch, with_token};

/// Asks for the repositories until `is_as_expected`.
async fn until(document: &Document, client: &Client, is_as_expected: impl Fn(&Value) -> bool) -> Value {
    let asked = async {
        loop {
            let found = document.ask(client, "GET", "/api/v1/repositories", &[], None).await;
            if is_as_expected(&found["repositories"]) {
                return found["repositories"].clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), asked).await.expect("the repositories are looked at again")
}

#[tokio::test]
async fn repositories_show_content_and_reachability() {
    let service = with_token("", "").await;
    let copy = service.project.path("near");
    let mut config = fs::read_to_string(service.project.config()).unwrap();
    config.push_str(&format!("[repository.near]\nurl = \"file://{}\"\ncopy = \"after_backup\"\n", copy.display()));
    fs::write(service.project.config(), config).unwrap();
    service.program.run(["init"]).await.success();
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let document = Document::new(client.get("/api/v1/openapi.json").await.expect(200).json());
    let empty = until(&document, &client, |all| all[1]["reachable"] == true).await;
    assert_eq!((&empty[0]["name"], &empty[0]["copied"]), (&"main".into(), &Value::Null), "{empty:#}");
    assert_eq!((&empty[1]["name"], &empty[1]["copied"]), (&"near".into(), &"after_backup".into()), "{empty:#}");
    assert_eq!((&empty[0]["content"]["backups"], &empty[0]["last_check"]), (&0.into(), &Value::Null), "{empty:#}");

    let made = watch(&client, &begin(&client, json!({ "job": "backup" })).await).await.0;
    // Nothing but the repository knows of this check.
    service.program.run(["check", "--read-data", "--repository", "near"]).await.success();
    let checked = watch(&client, &begin(&client, json!({ "job": "check" })).await).await.0;
    until(&document, &client, |all| all[1]["content"]["data_read_at"].is_string()).await;
    let repository = service.project.repository();
    let gone = repository.join("gone").join(made["outcome"]["backup"].as_str().unwrap());
    fs::create_dir_all(&gone).unwrap();
    fs::write(gone.join("manifest.json"), "{}").unwrap();
    fs::rename(&copy, service.project.path("unplugged")).unwrap();
    watch(&client, &begin(&client, json!({ "job": "check" })).await).await;
    let found =
        until(&document, &client, |all| all[1]["reachable"] == false && all[0]["content"]["backups"] == 2).await;
    let (main, near) = (&found[0], &found[1]);
    assert!(main["last_check"]["run"].as_u64() > checked["id"].as_u64(), "{found:#}");
    assert_eq!((&main["last_check"]["outcome"]["result"], &near["last_check"]), (&"done".into(), &Value::Null));
    let instances: Vec<_> = main["content"]["instances"].as_array().unwrap().iter().collect();
    let shown: Vec<_> = instances.iter().map(|instance| (&instance["name"], &instance["configured"])).collect();
    assert_eq!(shown, [(&"gone".into(), &false.into()), (&INSTANCE.into(), &true.into())]);
    assert_eq!(instances[1]["newest_backup"], made["outcome"]["backup"]);
    let read = |repository: &Value| repository["content"]["data_read_at"].clone();
    assert_eq!((read(main), &instances[1]["data_read_at"]), (Value::Null, &Value::Null), "{found:#}");
    assert!(read(near).is_string() && read(near) == near["content"]["instances"][0]["data_read_at"], "{near:#}");
    // What it held when it last answered stays, next to the reason.
    assert!(near["error"]["message"].is_string() && near["content"]["backups"].as_u64() <= Some(1), "{near:#}");
}

#[tokio::test]
async fn damage_is_shown_with_its_object() {
    let service = with_token("", "").await;
    service.program.run(["now"]).await.success();
    let folder = fs::read_dir(service.project.repository().join(INSTANCE)).unwrap();
    let backup = folder.map(|entry| entry.unwrap().path()).find(|path| path.join("manifest.json").exists()).unwrap();
    let dump = backup.join("database-0001.zst");
    let mut bytes = fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&dump, bytes).unwrap();
    service.program.run(["check", "--read-data"]).await.expect_code(13);
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let document = Document::new(client.get("/api/v1/openapi.json").await.expect(200).json());
    let found = until(&document, &client, |all| all[0]["reachable"] == true).await;
    let damaged = &found[0]["content"]["damaged"][0];
    assert!(damaged["key"].as_str().unwrap().ends_with("/database-0001.zst"), "{found:#}");
    assert_eq!((&damaged["instance"], &found[0]["content"]["instances"][0]["damaged"]), (&INSTANCE.into(), &1.into()));
}

#[tokio::test]
async fn retention_shows_removals_with_bytes() {
    let keys = "retention = { keep_last = 1, daily = 0, weekly = 0, monthly = 0 }\nprune = false";
    let service = with_token(keys, "").await;
    for _ in 0..2 {
        service.program.run(["now"]).await.success();
    }
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    until_read(&client).await;
    let path = format!("/api/v1/instances/{INSTANCE}/retention");
    let retention = client.get(&path).await.expect(200).json();
    let (newest, oldest) = (&retention["backups"][0], &retention["backups"][1]);
    assert_eq!((&newest["keep"], &newest["reason"]), (&true.into(), &Value::Null), "{retention:#}");
    let reason = "no rule keeps it: before the last 1";
    assert_eq!((&oldest["keep"], &oldest["reason"]), (&false.into(), &reason.into()), "{retention:#}");
    // The volumes stay: the newest backup needs them. The dump goes.
    assert!(oldest["frees_bytes"].as_u64().unwrap() > 0, "{retention:#}");
    assert_eq!((&retention["removes"], &retention["frees_bytes"]), (&1.into(), &oldest["frees_bytes"]));
    assert!(retention["sentence"].as_str().unwrap().starts_with("Keeps the last 1. Days begin"), "{retention:#}");
}
