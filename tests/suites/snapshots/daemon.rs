//! Records what the daemon serves and writes.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use harness::cli::Running;
use harness::http::Client;
use harness::project::{INSTANCE, TARGET};
use harness::receiver::Receiver;
use harness::schema::Described;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::book::{Book, assert_unchanged};
use super::{add_names, document, lines, schemas};
use crate::daemon::Service;
use crate::main_job::damage::flip_a_bit;

/// A daemon that serves, and its answers.
struct Served {
    service: Service,
    daemon: Running,
    client: Client,
    described: Described,
    answers: Book,
}

impl Served {
    /// Sends a request, which must be answered with this status, and records the answer under the
    /// pattern of its address.
    async fn ask(&mut self, method: &str, pattern: &str, names: &[&str], body: Option<Value>, status: u16) -> Value {
        let mut path = pattern.to_owned();
        for name in names {
            let (from, to) = (path.find('{').unwrap(), path.find('}').unwrap());
            path.replace_range(from..=to, name);
        }
        let answer = self.client.send(method, &path, body.as_ref()).await.expect(status);
        self.described.assert_answer(method, pattern, &answer);
        if answer.body.is_empty() {
            self.answers.lines(&format!("{method} {pattern} {status}"), ["no content".to_owned()]);
            return Value::Null;
        }
        let mut value = answer.json();
        if status == 202 && value["live"].is_object() {
            // Whether tasks have started by then depends on the timing.
            (value["live"]["tasks"], value["live"]["phases"]) = (json!([]), json!([]));
        }
        let runs = value.get_mut("runs").and_then(Value::as_array_mut).into_iter().flatten();
        runs.for_each(|run| settle(&mut run["live"]));
        if let Some(live) = value.get_mut("live") {
            settle(live);
        }
        self.answers.add(&format!("{method} {pattern} {status}"), &value);
        value
    }

    async fn get(&mut self, pattern: &str, names: &[&str]) -> Value {
        self.ask("GET", pattern, names, None, 200).await
    }

    /// Starts a run, waits for its end and returns it.
    async fn run(&mut self, pattern: &str, name: &str, wanted: Value) -> Value {
        let begun = self.ask("POST", pattern, &[name], Some(wanted), 202).await;
        self.ended(begun["id"].as_u64().unwrap()).await
    }

    async fn ended(&mut self, run: u64) -> Value {
        let mut events = self.client.events(&format!("/api/v1/runs/{run}/events")).await;
        while events.next().await.is_some() {}
        let run = self.get("/api/v1/runs/{id}", &[&run.to_string()]).await;
        assert!(run["outcome"].is_object() && run["live"].is_null(), "its end was reported: {run:#}");
        run
    }
}

/// Leaves one phase of a running run, as it began: how many there are, and what is known of them,
/// depends on the timing.
fn settle(live: &mut Value) {
    let Some(phases) = live.get_mut("phases").and_then(Value::as_array_mut) else { return };
    phases.truncate(1);
    for phase in phases {
        for volatile in ["ended_at", "total_bytes", "bytes_per_second", "eta_seconds"] {
            phase[volatile] = Value::Null;
        }
    }
}

/// Returns the metrics of an answer: names, labels and types.
fn metrics(text: &str) -> BTreeSet<String> {
    let kind = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")));
        line.unwrap_or_else(|| panic!("{name} has no type")).to_owned()
    };
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
            let labels = rest.strip_prefix('{').map_or("", |rest| rest.split_once('}').unwrap().0);
            let labels = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0));
            format!("{name}{{{}}} {}", labels.collect::<Vec<_>>().join(", "), kind(name))
        })
        .collect()
}

#[tokio::test]
async fn daemon_keeps_answers_metrics_and_files() {
    let receiver = Receiver::start();
    let more = format!("[[notify]]\nname = 'hook'\nwebhook = '{}'\n", receiver.url("/hook"));
    let service = Service::with("schedule = \"0 2 * * *\"\ntimezone = \"Europe/Brussels\"", &more).await;
    service.project.write_target_keys("");
    let daemon = service.program.spawn(["daemon", "--json", "--log-format", "json"]);
    service.until_reported("READY=1").await;
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    let client = Client::new(address.trim());
    let mut events = client.events("/api/v1/events").await;
    let described = Described::new(client.get("/api/v1/openapi.json").await.expect(200).json());
    let mut it = Served { service, daemon, client, described, answers: Book::new("http") };
    let (documents, mut commands) = (schemas(), Book::new("daemon-commands"));
    let (mut seen, mut reported) = (BTreeSet::new(), BTreeSet::new());

    let runs = "/api/v1/instances/{name}/runs";
    let backup = it.run(runs, INSTANCE, json!({ "job": "backup" })).await;
    let backup = backup["outcome"]["backup"].as_str().unwrap().to_owned();

    // During a run.
    let held = it.service.hold_pg_dump().await;
    let begun = it.ask("POST", runs, &[INSTANCE], Some(json!({ "job": "backup" })), 202).await;
    it.service.until_pg_dump_waits(&mut it.daemon).await;
    let id = begun["id"].to_string();
    while it.client.get(&format!("/api/v1/runs/{id}")).await.json()["live"]["tasks"][0].is_null() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    it.get("/api/v1/runs/{id}", &[&id]).await;
    it.get("/api/v1/status", &[]).await;
    it.ask("POST", runs, &[INSTANCE], Some(json!({ "job": "backup" })), 409).await;
    seen.extend(metrics(&it.client.get("/metrics").await.expect(200).text()));
    for arguments in [["status", "--json"], ["runs", "--json"]] {
        let run = it.service.program.run(arguments).await;
        documents.assert_document(arguments[0], &run.json());
        commands.add(arguments[0], &run.json());
    }
    it.ask("POST", "/api/v1/runs/{id}/cancel", &[&id], None, 202).await;
    drop(held);
    it.ended(id.parse().unwrap()).await;

    it.run("/api/v1/targets/{name}/restores", TARGET, json!({ "backup": "latest" })).await;
    it.run(runs, INSTANCE, json!({ "job": "drill" })).await;
    let proven = loop {
        let text = it.client.get("/metrics").await.expect(200).text();
        if text.contains("newest_proven") {
            break text;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    seen.extend(metrics(&proven));
    let repository = it.service.project.repository();
    flip_a_bit(&repository.join(INSTANCE).join(&backup).join("tables.zst"));
    let checked = it.run(runs, INSTANCE, json!({ "job": "check", "read_data": "100%" })).await;
    assert_eq!(checked["outcome"]["result"], "failed", "{checked:#}");
    let checked = checked["id"].as_u64().unwrap();

    // The repository is read again after each run.
    let mut has_ended = false;
    loop {
        let (name, data) = events.next().await.expect("an event");
        reported.insert(event(&name, &data));
        has_ended |= name == "ended" && data["run"]["id"] == checked;
        if has_ended && name == "repository" {
            break;
        }
    }
    ask_every_operation(&mut it, &backup, &checked.to_string()).await;
    seen.extend(metrics(&it.client.get("/metrics").await.expect(200).text()));
    for arguments in [&["status", "--json"][..], &["runs", "--json"], &["logs", "latest", "--json"]] {
        let document = it.service.program.run(arguments).await.json();
        documents.assert_document(arguments[0], &document);
        commands.add(arguments[0], &document);
    }

    let mut stored = Book::new("daemon-files");
    it.daemon.signal(Signal::TERM);
    while let Some((name, data)) = events.next().await {
        reported.insert(event(&name, &data));
    }
    it.answers.lines("events", reported);
    let run = it.daemon.wait().await.expect_code(0);
    documents.assert_document("daemon", &run.json());
    commands.add("daemon", &run.json());
    for line in run.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let keys = ["timestamp", "level", "target"].map(|key| (key.to_owned(), line[key].clone()));
        stored.add("a line of the log", &Value::Object(keys.into_iter().collect()));
    }
    let state = it.service.state();
    for event in it.service.journal() {
        stored.add(&format!("journal.jsonl, {}", event["event"].as_str().unwrap()), &event);
    }
    stored.add("notify.json", &document(&state.join("notify.json")));
    lines(&state.join(format!("logs/{checked}.jsonl"))).iter().for_each(|line| stored.add("logs/<run>.jsonl", line));
    add_names(&mut stored, "names in the state folder", &state);
    let mut names = Book::new("metrics");
    names.lines("/metrics", seen);
    assert_unchanged(&[it.answers, commands, stored, names]);
}

/// Returns an event's name and keys. Those of a run depend on the timing. `GET /api/v1/runs/{id}`
/// shows them all.
fn event(name: &str, data: &Value) -> String {
    let keys: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    format!("{name}: {}", keys.join(", "))
}

async fn ask_every_operation(it: &mut Served, backup: &str, run: &str) {
    it.get("/readyz", &[]).await;
    it.get("/api/v1/session", &[]).await;
    // Repositories are looked at with a pause between.
    while it.client.get("/api/v1/repositories").await.json()["repositories"][0]["content"]["damaged"][0].is_null() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for pattern in ["status", "overview", "instances", "repositories", "targets", "runs"] {
        it.get(&format!("/api/v1/{pattern}"), &[]).await;
    }
    it.get("/api/v1/targets/{name}", &[TARGET]).await;
    let dry_run = json!({ "backup": "latest", "dry_run": true });
    it.ask("POST", "/api/v1/targets/{name}/restores", &[TARGET], Some(dry_run), 200).await;
    it.ask("POST", "/api/v1/targets/{name}/undo", &[TARGET], Some(json!({ "dry_run": true })), 200).await;
    let zip = json!({ "what": "zip", "instance": INSTANCE, "backup": backup });
    it.ask("POST", "/api/v1/downloads", &[], Some(zip), 201).await;
    for pattern in ["", "/backups", "/retention"] {
        it.get(&format!("/api/v1/instances/{{name}}{pattern}"), &[INSTANCE]).await;
    }
    let one = "/api/v1/instances/{name}/backups/{id}";
    let pin = format!("{one}/pin");
    it.ask("PUT", &pin, &[INSTANCE, backup], Some(json!({ "note": "before the upgrade" })), 200).await;
    it.get(one, &[INSTANCE, backup]).await;
    it.get(&format!("{one}/files"), &[INSTANCE, backup]).await;
    it.ask("DELETE", &pin, &[INSTANCE, backup], None, 200).await;
    it.get("/api/v1/runs/{id}/log", &[run]).await;
    it.ask("POST", "/api/v1/reload", &[], Some(json!({})), 204).await;
    it.ask("GET", "/api/v1/runs/{id}", &["99"], None, 404).await;
    let openapi = it.client.get("/api/v1/openapi.json").await.expect(200).json();
    let operations = openapi["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters");
        methods.map(move |(method, operation)| {
            let answers: Vec<_> = operation["responses"].as_object().unwrap().keys().cloned().collect();
            format!("{} {path}: {}", method.to_uppercase(), answers.join(" "))
        })
    });
    it.answers.lines("operations of openapi.json", operations);
}
