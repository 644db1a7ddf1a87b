//! Tests what the daemon serves: to which clients, which answers, and under which load.

mod downloads;
mod repositories;
mod restores;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use harness::cli::Running;
use harness::exposition::Exposition;
use harness::http::{Answer, Client};
use harness::project::{INSTANCE, Project};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use self::schema::Document;
use crate::daemon::{Service, wait_for};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Returns a project whose daemon requires the token, with these keys of the instance and more
/// sections.
async fn with_token(keys: &str, more: &str) -> Service {
    let service = Service::of(Project::start().await);
    let file = service.project.path("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    service.configure(keys, &format!("token_file = \"{}\"\n{more}", file.display()));
    service.program.run(["init"]).await.success();
    service
}

/// Starts a daemon that serves. Returns it and a client without credentials.
async fn serve(service: &Service) -> (Running, Client) {
    let daemon = service.start();
    service.until_reported("READY=1").await;
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    (daemon, Client::new(address.trim()))
}

fn knowing(client: &Client) -> Client {
    client.clone().with("authorization", &format!("Bearer {TOKEN}"))
}

/// Waits until the daemon has read the repository.
async fn until_read(client: &Client) {
    loop {
        let status = client.get("/api/v1/status").await.expect(200).json();
        if !status["repository"]["refreshed_at"].is_null() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Starts a run and returns its address.
async fn begin(client: &Client, wanted: Value) -> String {
    let answer = client.post(&format!("/api/v1/instances/{INSTANCE}/runs"), &wanted).await.expect(202);
    let (location, run) = (answer.header("location").unwrap().to_owned(), answer.json());
    assert_eq!((location.clone(), &run["instance"]), (format!("/api/v1/runs/{}", run["id"]), &INSTANCE.into()));
    location
}

/// Watches a run until it ends. Returns it and the names of all events.
async fn watch(client: &Client, run: &str) -> (Value, Vec<String>) {
    let mut events = client.events(&format!("{run}/events")).await;
    let (mut names, mut last) = (Vec::new(), Value::Null);
    while let Some((name, data)) = events.next().await {
        names.push(name);
        last = data;
    }
    assert_eq!(names.last().unwrap(), "ended", "{names:?}");
    (last["run"].clone(), names)
}

#[track_caller]
fn refused(answer: Answer, status: u16, code: &str) -> Value {
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{problem:#}");
    problem
}

#[tokio::test]
async fn requests_need_token_or_sign_in() {
    let service = with_token("", "").await;
    let (daemon, stranger) = serve(&service).await;
    let friend = knowing(&stranger);
    assert_eq!(stranger.get("/healthz").await.expect(200).text(), "ok\n");
    assert!(stranger.get("/readyz").await.expect(200).json().get("checks").is_none());
    let checks = friend.get("/readyz").await.expect(200).json()["checks"].clone();
    assert_eq!(checks.as_array().unwrap().len(), 2, "{checks:#}");
    let page = stranger.get("/").await.expect(200);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self'"));
    let tag = page.header("etag").unwrap();
    assert_eq!(stranger.clone().with("if-none-match", tag).get("/").await.expect(304).body, b"");

    let document = Document::new(friend.get("/api/v1/openapi.json").await.expect(200).json());
    for (method, path) in document.operations().filter(|(_, path)| !path.contains("session") && !path.ends_with('z')) {
        let path = path.replace("{name}", INSTANCE).replace("{id}", "1");
        refused(stranger.send(&method, &path, None).await, 401, "unauthorized");
        let wrong = stranger.clone().with("authorization", &format!("Bearer {}x", &TOKEN[1..]));
        refused(wrong.send(&method, &path, None).await, 401, "unauthorized");
    }

    let session = |client: Client| async move { client.get("/api/v1/session").await.expect(200).json() };
    assert_eq!(session(stranger.clone()).await, json!({ "required": true, "valid": false }));
    refused(stranger.post("/api/v1/session", &json!({ "token": "x" })).await, 401, "unauthorized");
    let proxied = stranger.clone().with("x-forwarded-proto", "https");
    let signed_in = proxied.post("/api/v1/session", &json!({ "token": TOKEN })).await.expect(204);
    assert!(signed_in.header("set-cookie").unwrap().ends_with("; Secure"), "{signed_in:?}");
    let signed_in = stranger.post("/api/v1/session", &json!({ "token": TOKEN })).await.expect(204);
    let cookie = signed_in.header("set-cookie").unwrap().to_owned();
    assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
    let browser = stranger.clone().with("cookie", cookie.split(';').next().unwrap());
    assert_eq!(session(browser.clone()).await, json!({ "required": true, "valid": true }));
    browser.get("/api/v1/instances").await.expect(200);

    // A page of another site may cause requests of the browser, but none that changes anything.
    for (header, value) in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
        let lured = browser.clone().with(header, value);
        refused(lured.post("/api/v1/reload", &json!({})).await, 403, "cross_site");
        refused(lured.send("DELETE", "/api/v1/session", None).await, 403, "cross_site");
    }
    browser.clone().with("sec-fetch-site", "same-origin").post("/api/v1/reload", &json!({})).await.expect(204);
    browser.send("DELETE", "/api/v1/session", None).await.expect(204);
    refused(browser.get("/api/v1/instances").await, 401, "unauthorized");

    daemon.signal(Signal::TERM);
    let run = daemon.wait().await.success();
    assert!(!run.stderr.contains(TOKEN), "{}", run.stderr);
    assert!(!service.state().join("address").exists());
}

#[tokio::test]
async fn tokenless_daemon_answers_this_machine_only() {
    let service = Service::with("", "").await;
    let (daemon, client) = serve(&service).await;
    for host in ["localhost", "127.0.0.1:8479", "[::1]:8479"] {
        client.clone().with("host", host).get("/api/v1/instances").await.expect(200);
    }
    refused(client.clone().with("host", "evil.example").get("/api/v1/instances").await, 403, "foreign_host");
    refused(
        client.clone().with("sec-fetch-site", "cross-site").post("/api/v1/reload", &json!({})).await,
        403,
        "cross_site",
    );
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();

    let config = fs::read_to_string(service.project.config()).unwrap();
    let listening_on = |address: &str, more: &str| {
        let listen = format!("listen = \"{address}\"\n{more}");
        fs::write(service.project.config(), config.replace("listen = \"127.0.0.1:0\"\n", &listen)).unwrap();
    };
    listening_on("0.0.0.0:0", "");
    let run = service.program.run(["daemon"]).await.expect_code(2);
    assert!(run.stderr.contains("token_file"), "{}", run.stderr);
    let token = service.project.path("token");
    fs::write(&token, "short\n").unwrap();
    listening_on("0.0.0.0:0", &format!("token_file = \"{}\"\n", token.display()));
    let run = service.program.run(["daemon"]).await.expect_code(2);
    assert!(run.stderr.contains("contains no valid token") && run.stderr.contains("openssl rand"), "{}", run.stderr);

    let _taken = tokio::net::TcpListener::bind(address.trim()).await.unwrap();
    listening_on(address.trim(), "");
    let run = service.program.run(["daemon"]).await.expect_code(1);
    assert!(
        run.stderr.contains("unable to listen on 127.0.0.1:") && run.stderr.contains("another port"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn backup_over_http_matches_openapi_document() {
    let service = with_token("schedule = \"0 2 * * *\"\ntimezone = \"Europe/Brussels\"", "").await;
    let (daemon, client) = serve(&service).await;
    let client = knowing(&client);
    until_read(&client).await;
    let document = Document::new(client.get("/api/v1/openapi.json").await.expect(200).json());
    let empty = document.ask(&client, "GET", "/api/v1/instances/{name}", &[INSTANCE], None).await;
    assert_eq!((&empty["state"], &empty["backups"]), (&"empty".into(), &0.into()), "{empty:#}");

    let mut news = client.events("/api/v1/events").await;
    let wanted = json!({ "job": "backup", "reread": true });
    let run = document.ask(&client, "POST", "/api/v1/instances/{name}/runs", &[INSTANCE], Some(&wanted)).await;
    let id = run["id"].to_string();
    let (run, names) = watch(&client, &format!("/api/v1/runs/{id}")).await;
    assert_eq!((&run["outcome"]["result"], &run["trigger"]["by"]), (&"done".into(), &"request".into()), "{run:#}");
    assert!(names.contains(&"log".to_owned()) || names.len() == 1, "{names:?}");
    let backup = run["outcome"]["backup"].as_str().unwrap();
    // After the run has ended, the lists are read again, and that is reported.
    let mut reported = Vec::new();
    loop {
        let (name, data) = news.next().await.unwrap();
        reported.push(name.clone());
        if name == "repository" && reported.contains(&"ended".to_owned()) {
            assert!(data["refreshed_at"].is_string());
            break;
        }
    }
    assert_eq!(reported.iter().find(|name| **name != "repository").unwrap(), "began", "{reported:?}");

    let ask = async |path: &str, names: &[&str]| document.ask(&client, "GET", path, names, None).await;
    let instance = ask("/api/v1/instances/{name}", &[INSTANCE]).await;
    assert_eq!((&instance["state"], &instance["newest_backup"]["id"]), (&"ok".into(), &backup.into()), "{instance:#}");
    assert!(instance["stored_bytes"].as_u64() > instance["newest_backup"]["stored_bytes"].as_u64());
    assert_eq!(instance["jobs"][0]["next"]["time"].as_str().unwrap()[14..].trim_end_matches('Z'), "00:00");
    ask("/api/v1/instances", &[]).await;
    let status = ask("/api/v1/status", &[]).await;
    assert_eq!((&status["repository"]["backups"], &status["repository"]["error"]), (&1.into(), &Value::Null));
    ask("/api/v1/targets", &[]).await;
    ask("/api/v1/repositories", &[]).await;
    let overview = ask("/api/v1/overview", &[]).await;
    let (row, totals) = (&overview["instances"][0], &overview["totals"]);
    assert_eq!((&row["newest_backup"]["id"], &row["latest"]["result"]), (&backup.into(), &"done".into()));
    assert_eq!((&totals["states"]["ok"], &totals["last_day"]["done"]), (&1.into(), &1.into()), "{totals:#}");
    assert_eq!(totals["next"]["begins"], instance["jobs"][0]["next"]["begins"]);
    ask("/readyz", &[]).await;
    let listed = ask("/api/v1/instances/{name}/backups", &[INSTANCE]).await;
    assert_eq!((&listed["backups"][0]["keep"], &listed["next"]), (&true.into(), &Value::Null));
    assert_eq!(listed["backups"][0]["kept_by"][0], "newest", "{listed:#}");
    let retention = ask("/api/v1/instances/{name}/retention", &[INSTANCE]).await;
    assert_eq!(retention["backups"][0]["kept_by"][0], "newest");
    assert_eq!((&retention["removes"], &retention["backups"][0]["frees_bytes"]), (&0.into(), &Value::Null));
    let shown = ask("/api/v1/instances/{name}/backups/{id}", &[INSTANCE, backup]).await;
    assert!(shown["objects"].as_array().unwrap().len() > 2 && shown["pin"].is_null(), "{shown:#}");
    let files = ask("/api/v1/instances/{name}/backups/{id}/files", &[INSTANCE, backup]).await;
    assert!(files["count"].as_u64().unwrap() > 2, "{files:#}");
    let path = format!("/api/v1/instances/{INSTANCE}/backups/{backup}/files");
    let second = client.get(&format!("{path}?offset=1&limit=1")).await.expect(200).json();
    assert_eq!((&second["files"], &second["next"]), (&json!([files["files"][1]]), &2.into()));
    let name = files["files"][1]["name"].as_str().unwrap().to_uppercase();
    let like = client.get(&format!("{path}?like={}", name.replace(' ', "%20"))).await.expect(200).json();
    assert!(like["files"].as_array().unwrap().contains(&files["files"][1]), "{like:#}");
    ask("/api/v1/runs", &[]).await;
    ask("/api/v1/runs/{id}", &[&id]).await;
    let log = ask("/api/v1/runs/{id}/log", &[&id]).await;
    let said: Vec<_> = log["lines"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert!(said.iter().any(|line| line.contains("done")), "{said:?}");

    let pin = "/api/v1/instances/{name}/backups/{id}/pin";
    let note = json!({ "note": "before the upgrade" });
    document.ask(&client, "PUT", pin, &[INSTANCE, backup], Some(&note)).await;
    let shown = ask("/api/v1/instances/{name}/backups/{id}", &[INSTANCE, backup]).await;
    assert_eq!((&shown["pinned"], &shown["pin"]["note"]), (&true.into(), &note["note"]));
    assert!(shown["kept_by"].as_array().unwrap().contains(&"pinned".into()), "{shown:#}");
    document.ask(&client, "DELETE", pin, &[INSTANCE, backup], None).await;
    assert!(!service.backups().await[0]["pinned"].as_bool().unwrap());

    assert_metrics_are_valid(&client.get("/metrics").await.expect(200), backup).await;
    document.ask(&client, "GET", "/api/v1/session", &[], None).await;
    let checked = begin(&client, json!({ "job": "check", "read_data": "100%" })).await;
    let (run, _) = watch(&client, &checked).await;
    assert!(run["outcome"]["figures"]["read_bytes"].as_u64().unwrap() > 0, "{run:#}");
    let newest = client.get("/api/v1/runs?limit=1&job=check").await.expect(200).json();
    assert_eq!((&newest["runs"][0]["id"], &newest["next"]), (&run["id"], &Value::Null));
    let first = client.get("/api/v1/runs?limit=1").await.expect(200).json();
    let older = client.get(&format!("/api/v1/runs?before={}", first["next"])).await.expect(200).json();
    assert_eq!(older["runs"][0]["job"], "backup");
    let wanted = json!({ "job": "drill" });
    let drill = document.ask(&client, "POST", "/api/v1/instances/{name}/runs", &[INSTANCE], Some(&wanted)).await;
    let (drilled, _) = watch(&client, &format!("/api/v1/runs/{}", drill["id"])).await;
    assert_eq!((&drilled["outcome"]["result"], &drilled["outcome"]["backup"]), (&"done".into(), &backup.into()));
    let missing: BTreeSet<_> = document.unchecked().into_iter().collect();
    let elsewhere = [
        "DELETE /api/v1/session",
        "POST /api/v1/reload",
        "POST /api/v1/runs/{id}/cancel",
        "POST /api/v1/session",
        "GET /api/v1/downloads/{ticket}",
        "GET /api/v1/targets/{name}",
        "POST /api/v1/downloads",
        "POST /api/v1/targets/{name}/restores",
        "POST /api/v1/targets/{name}/undo",
    ];
    assert_eq!(missing, elsewhere.map(str::to_owned).into());

    // Watching clients receive an event about the end, and the stream is closed.
    daemon.signal(Signal::TERM);
    let mut reported = Vec::new();
    while let Some((name, _)) = news.next().await {
        reported.push(name);
    }
    // The daemon may be reading the drill's changes from the repository at that moment, and report
    // them afterwards.
    assert!(reported.iter().any(|name| name == "stopping"), "{reported:?}");
    daemon.wait().await.success();
}

async fn assert_metrics_are_valid(answer: &Answer, backup: &str) {
    let text = answer.text();
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for expected in [
        "odoo_backup_runs_total{odoo_instance=\"production\",kind=\"backup\",outcome=\"done\"} 1\n",
        "odoo_backup_instance_condition{odoo_instance=\"production\"} 0\n",
        "odoo_backup_backups{odoo_instance=\"production\"} 1\n",
        "odoo_backup_repository_readable{repository=\"main\"} 1\n",
        "odoo_backup_newest_backup_files_missing{odoo_instance=\"production\"} 0\n",
        "odoo_backup_last_success_timestamp_seconds{odoo_instance=\"production\",kind=\"backup\"} ",
        "odoo_backup_next_run_timestamp_seconds{odoo_instance=\"production\",kind=\"backup\"} ",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    Exposition::of(&text);
    assert!(!text.contains(backup), "an id in a label grows without bound");
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("promtool is not installed: the metrics were not checked against its rules");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = promtool.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn runs_stop_and_refuse_invalid_starts() {
    let service = with_token("", "").await;
    let (mut daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let held = service.hold_pg_dump().await;
    let run = begin(&client, json!({ "job": "backup" })).await;
    service.until_pg_dump_waits(&mut daemon).await;
    let runs = format!("/api/v1/instances/{INSTANCE}/runs");
    let again = refused(client.post(&runs, &json!({ "job": "backup" })).await, 409, "already_running");
    assert_eq!(format!("/api/v1/runs/{}", again["run"]), run);
    refused(client.post("/api/v1/instances/none/runs", &json!({ "job": "backup" })).await, 404, "not_found");
    for wrong in
        [json!({ "job": "drop" }), json!({ "job": "check", "read_data": "half" }), json!({ "job": "backup", "x": 1 })]
    {
        refused(client.post(&runs, &wrong).await, 422, "invalid");
    }
    let live = client.get(&run).await.expect(200).json();
    assert_eq!((&live["live"]["phase"], &live["live"]["stopping"]), (&"working".into(), &false.into()), "{live:#}");
    let mut events = client.events(&format!("{run}/events")).await;
    assert_eq!(events.next().await.unwrap().0, "progress");
    client.post(&format!("{run}/cancel"), &json!({})).await.expect(202);
    drop(held);
    let (ended, _) = watch(&client, &run).await;
    assert_eq!(ended["outcome"]["result"], "cancelled", "{ended:#}");
    refused(client.post(&format!("{run}/cancel"), &json!({})).await, 409, "already_ended");
    for path in
        ["/api/v1/runs/99", "/api/v1/runs/99/events", "/api/v1/runs/x", "/api/v1/nothing", "/api/v1/instances/none"]
    {
        refused(client.get(path).await, 404, "not_found");
    }
    refused(client.send("PUT", "/api/v1/runs", Some(&json!({}))).await, 405, "method_not_allowed");
    assert!(service.backups().await.is_empty());
}

#[tokio::test]
async fn invalid_configuration_is_not_loaded() {
    let service = with_token("schedule = \"0 2 * * *\"", "").await;
    let (_daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let schedule = async || {
        let instance = client.get(&format!("/api/v1/instances/{INSTANCE}")).await.expect(200).json();
        instance["jobs"][0]["schedule"].as_str().unwrap().to_owned()
    };
    let config = fs::read_to_string(service.project.config()).unwrap();
    fs::write(service.project.config(), config.replace("0 2 * * *", "0 25 * * *")).unwrap();
    let problem = refused(client.post("/api/v1/reload", &json!({})).await, 422, "configuration");
    assert!(problem["detail"].as_str().unwrap().contains("schedule"), "{problem:#}");
    assert_eq!(schedule().await, "0 2 * * *");
    fs::write(service.project.config(), config.replace("0 2 * * *", "0 3 * * *")).unwrap();
    client.post("/api/v1/reload", &json!({})).await.expect(204);
    assert_eq!(schedule().await, "0 3 * * *");
}

#[tokio::test]
async fn oversized_and_slow_requests_are_dropped() {
    let service = with_token("", "").await;
    let (_daemon, stranger) = serve(&service).await;
    let client = knowing(&stranger);
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    let mut slow = Vec::new();
    for begun in ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Sl"] {
        let mut stream = TcpStream::connect(address.trim()).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    refused(client.post("/api/v1/session", &json!({ "token": "x".repeat(100_000) })).await, 413, "too_large");
    let text = client.clone().with("content-type", "text/plain");
    refused(text.post("/api/v1/session", &json!({ "token": TOKEN })).await, 415, "unsupported_media_type");
    refused(client.post("/api/v1/session", &json!({ "token": 1 })).await, 422, "invalid");
    refused(client.get("/api/v1/runs?limit=501").await, 422, "invalid");
    refused(client.get("/api/v1/runs?limti=1").await, 422, "invalid");
    // More than the head of any request may have: the connection ends, with or without an answer.
    let mut stream = TcpStream::connect(address.trim()).await.unwrap();
    let _ =
        stream.write_all(format!("GET /healthz HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20)).as_bytes()).await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    stranger.get("/healthz").await.expect(200);
    for mut stream in slow {
        let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "a client that sends nothing holds its connection for ever");
    }
}

#[tokio::test]
async fn thousand_parallel_requests_are_answered() {
    // Each request has its own connection.
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let service = with_token("", "").await;
    let (mut daemon, client) = serve(&service).await;
    let client = knowing(&client);
    let asked: Vec<_> = (0..1000)
        .map(|number| {
            let client = client.clone();
            let path = ["/api/v1/instances", "/metrics", "/readyz", "/api/v1/runs"][number % 4];
            tokio::spawn(async move { client.get(path).await.expect(200) })
        })
        .collect();
    for answer in asked {
        answer.await.unwrap();
    }
    // The journal is unchanged, and the daemon keeps working.
    let run = begin(&client, json!({ "job": "backup" })).await;
    assert_eq!(watch(&client, &run).await.0["outcome"]["result"], "done");
    wait_for(&mut daemon, || (service.outcomes().len() == 1).then_some(())).await;
}
