//! Tests downloads of files and backups.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::compare::file_paths;
use harness::http::Client;
use harness::project::INSTANCE;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::schema::Document;
use super::{TOKEN, knowing, refused, serve, until_read, with_token};
use crate::daemon::{Service, wait_for};

/// Prepares a download and returns the answer.
async fn prepare(client: &Client, wanted: &Value) -> Value {
    client.post("/api/v1/downloads", wanted).await.expect(201).json()
}

fn zip_of(backup: &str) -> Value {
    json!({ "what": "zip", "instance": INSTANCE, "backup": backup })
}

/// Returns a service with one backup, and its id.
async fn with_backup(keys: &str) -> (Service, String) {
    let service = with_token(keys, "").await;
    let backup = service.program.run(["now", "--json"]).await.success().json()["backups"][0]["id"].clone();
    (service, backup.as_str().unwrap().to_owned())
}

/// Returns an attachment with a file.
async fn attachment(client: &Client, backup: &str) -> Value {
    let path = format!("/api/v1/instances/{INSTANCE}/backups/{backup}/files");
    let files = client.get(&path).await.expect(200).json();
    let mut files = files["files"].as_array().unwrap().iter();
    files.find(|file| file["path"].is_string() && file["size"].as_u64() > Some(0)).unwrap().clone()
}

fn damage(object: &Path) {
    let mut bytes = fs::read(object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(object, bytes).unwrap();
}

/// Returns the files in a zip. PostgreSQL writes another random word into each script.
fn content(zip: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = zip.with_extension("content");
    let unpacked = Command::new("unzip").arg("-q").arg(zip).arg("-d").arg(&folder).status().unwrap();
    assert!(unpacked.success());
    let mut files: BTreeMap<_, _> =
        file_paths(&folder).into_iter().map(|path| (path.clone(), fs::read(folder.join(path)).unwrap())).collect();
    let script = files.get_mut(Path::new("dump.sql")).unwrap();
    let lines = script.split(|byte| *byte == b'\n');
    let same = |line: &&[u8]| !line.starts_with(b"\\restrict") && !line.starts_with(b"\\unrestrict");
    *script = lines.filter(same).collect::<Vec<_>>().join(&b'\n');
    files
}

async fn ended(client: &Client, outcome: &str) -> u64 {
    let metrics = client.get("/metrics").await.expect(200).text();
    let name = format!("odoo_backup_downloads_total{{outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn downloads_are_what_commands_write() {
    let (service, backup) = with_backup("").await;
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    until_read(&client).await;
    let document = Document::new(client.get("/api/v1/openapi.json").await.expect(200).json());
    let wanted = attachment(&client, &backup).await;
    let files = format!("/api/v1/instances/{INSTANCE}/backups/{backup}/files");
    let only = client.get(&format!("{files}?attachment={}", wanted["id"])).await.expect(200).json();
    assert_eq!(only["files"], json!([wanted]));
    let none = client.get(&format!("{files}?attachment={}&model=no.such", wanted["id"])).await.expect(200).json();
    assert_eq!(none["count"], 0);

    let id = wanted["id"].to_string();
    let start = json!({ "what": "attachment", "instance": INSTANCE, "backup": backup, "attachment": wanted["id"] });
    let ticket = document.ask(&client, "POST", "/api/v1/downloads", &[], Some(&start)).await;
    let answer = client.get(ticket["url"].as_str().unwrap()).await.expect(200);
    let to = service.project.path("fetched");
    service.program.run(["fetch", "latest", &id, "--output", to.to_str().unwrap()]).await.success();
    assert_eq!(answer.body, fs::read(&to).unwrap());
    assert_eq!(answer.header("content-length").unwrap(), ticket["bytes"].to_string());
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("content-security-policy").unwrap().contains("sandbox"));
    assert!(answer.header("content-disposition").unwrap().starts_with("attachment; filename="));

    let path = json!({ "what": "file", "instance": INSTANCE, "backup": backup, "path": wanted["path"] });
    let ticket = prepare(&client, &path).await;
    assert_eq!(client.get(ticket["url"].as_str().unwrap()).await.expect(200).body, answer.body);

    let ticket = prepare(&client, &zip_of(&backup)).await;
    assert_eq!((&ticket["bytes"], &ticket["name"]), (&Value::Null, &format!("{INSTANCE}-{backup}.zip").into()));
    let answer = client.get(ticket["url"].as_str().unwrap()).await.expect(200);
    assert!(answer.is_whole, "{} bytes", answer.body.len());
    let (downloaded, exported) = (service.project.path("downloaded.zip"), service.project.path("exported.zip"));
    fs::write(&downloaded, &answer.body).unwrap();
    service.program.run(["export", "latest", "--output", exported.to_str().unwrap()]).await.success();
    assert_eq!(content(&downloaded), content(&exported));
    assert_eq!(ended(&client, "done").await, 3);

    for (wanted, status, code) in [
        (json!({ "what": "file", "instance": INSTANCE, "backup": backup, "path": "../secret" }), 404, "not_found"),
        (json!({ "what": "attachment", "instance": INSTANCE, "backup": backup, "attachment": -1 }), 404, "not_found"),
        (json!({ "what": "zip", "instance": "none", "backup": backup }), 404, "not_found"),
        (json!({ "what": "zip", "instance": INSTANCE, "backup": "20200101T000000Z-0000" }), 404, "not_found"),
        (json!({ "what": "everything", "instance": INSTANCE, "backup": backup }), 422, "invalid"),
    ] {
        refused(client.post("/api/v1/downloads", &wanted).await, status, code);
    }
}

#[tokio::test]
async fn ticket_works_once_and_same_site() {
    let (service, backup) = with_backup("").await;
    let (_daemon, stranger) = serve(&service).await;
    let client = knowing(&stranger);
    until_read(&client).await;
    let lured = client.clone().with("sec-fetch-site", "cross-site");
    refused(lured.post("/api/v1/downloads", &zip_of(&backup)).await, 403, "cross_site");
    let ticket = prepare(&client, &zip_of(&backup)).await;
    let url = ticket["url"].as_str().unwrap();
    refused(stranger.get(url).await, 401, "unauthorized");
    refused(lured.get(url).await, 403, "cross_site");
    assert_eq!(client.send("HEAD", url, None).await.status, 405);
    client.get(url).await.expect(200);
    refused(client.get(url).await, 404, "not_found");
    // Tickets cannot fill the memory.
    for _ in 0..64 {
        prepare(&client, &zip_of(&backup)).await;
    }
    refused(client.post("/api/v1/downloads", &zip_of(&backup)).await, 503, "too_many_downloads");
}

#[tokio::test]
async fn damaged_download_never_ends_well() {
    let (service, backup) = with_backup("").await;
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    until_read(&client).await;
    let wanted = attachment(&client, &backup).await;
    let folder = service.project.repository().join(INSTANCE).join(&backup);
    damage(&folder.join("filestore-0001.tar.zst"));
    damage(&folder.join("database-0001.zst"));
    let zip = prepare(&client, &zip_of(&backup)).await;
    let answer = client.get(zip["url"].as_str().unwrap()).await.expect(200);
    assert!(!answer.is_whole, "{} bytes", answer.body.len());
    assert_eq!(ended(&client, "failed").await, 1);
    let start = json!({ "what": "attachment", "instance": INSTANCE, "backup": backup, "attachment": wanted["id"] });
    let ticket = prepare(&client, &start).await;
    let answer = client.get(ticket["url"].as_str().unwrap()).await.expect(200);
    // The byte may be in another file's frame.
    assert!(answer.is_whole == (ended(&client, "failed").await == 1), "{} bytes", answer.body.len());
}

#[tokio::test]
async fn client_that_leaves_ends_download() {
    let (service, backup) = with_backup("").await;
    let (tools, waiting) = (service.project.path("tools"), service.project.path("waiting"));
    fs::create_dir(&tools).unwrap();
    let real = service.project.cluster().bin("pg_restore");
    let script = format!(
        "#!/bin/sh\ncase $1 in --version|--list) exec '{}' \"$@\";; esac\ntouch '{}'\nexec sleep 600\n",
        real.display(),
        waiting.display()
    );
    fs::write(tools.join("pg_restore"), script).unwrap();
    fs::set_permissions(tools.join("pg_restore"), PermissionsExt::from_mode(0o700)).unwrap();
    let config = fs::read_to_string(service.project.config()).unwrap();
    let header = format!("[instance.{INSTANCE}]\n");
    let path = format!("{header}pg_path = \"{}\"\n", tools.display());
    fs::write(service.project.config(), config.replace(&header, &path)).unwrap();
    let (mut daemon, client) = serve(&service).await;
    let client = knowing(&client);
    until_read(&client).await;
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    let mut streams = Vec::new();
    for _ in 0..4 {
        let url = prepare(&client, &zip_of(&backup)).await["url"].clone();
        let mut stream = TcpStream::connect(address.trim()).await.unwrap();
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
            url.as_str().unwrap()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        streams.push(stream);
    }
    wait_for(&mut daemon, || waiting.exists().then_some(())).await;
    let url = prepare(&client, &zip_of(&backup)).await["url"].clone();
    refused(client.get(url.as_str().unwrap()).await, 503, "too_many_downloads");
    assert!(!service.claims().is_empty());
    drop(streams);
    while ended(&client, "cancelled").await < 4 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(service.claims(), Vec::<String>::new());
}
