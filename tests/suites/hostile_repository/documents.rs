//! Tests documents: JSON and text files of a repository.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use engine::stream::Fingerprint;
use harness::project::INSTANCE;
use serde_json::{Value, json};

use super::forge::{Forge, GIB, MIB, compressed};

const LIST: &[&str] = &["list"];
const SHOW: &[&str] = &["show", "latest"];
const CHECK: &[&str] = &["check"];
const READ: &[&str] = &["check", "--read-data"];
const STATUS: &[&str] = &["status"];
const PRUNE: &[&str] = &["prune", "--dry-run"];
const REPAIR: &[&str] = &["repair", "--dry-run"];
const NOW: &[&str] = &["now"];
const RESTORE: &[&str] = &["restore", "--to", "staging"];
const LOCKS: &[&str] = &["unlock", "--list"];
const PIN: &[&str] = &["pin", "latest"];

/// The ways to forge a document that do not depend on its content.
enum Form {
    /// A gigabyte of zeros, which uses no disk space.
    Huge,
    /// Brackets, nested a million times.
    Deep,
    /// JSON of another type, and text that is not JSON.
    Text(&'static str),
    Bytes(&'static [u8]),
    /// A folder, a pipe, or a link in its place.
    Folder,
    Pipe,
    Link(&'static str),
}

const FORMS: [(&str, Form); 13] = [
    ("huge", Form::Huge),
    ("deep", Form::Deep),
    ("a list", Form::Text("[1, 2, 3]")),
    ("null", Form::Text("null")),
    ("an empty object", Form::Text("{}")),
    ("twice the same key", Form::Text(r#"{"format": 1, "format": 1, "id": "x", "id": "y"}"#)),
    ("numbers beyond all bounds", Form::Text(r#"{"format": 99999999999999999999999, "objects": 1e400}"#)),
    ("nothing", Form::Text("")),
    ("no text", Form::Bytes(b"\xff\xfe\x00\x1b[2J")),
    ("a folder", Form::Folder),
    ("a pipe", Form::Pipe),
    ("a link to a device", Form::Link("/dev/zero")),
    ("a link to itself", Form::Link("manifest.json")),
];

/// Stores a document of this form.
fn put(forge: &Forge, key: &str, form: &Form) {
    let path = forge.path(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(&path);
    match form {
        Form::Huge => File::create(&path).unwrap().set_len(GIB).unwrap(),
        Form::Deep => fs::write(&path, "[".repeat(1_000_000)).unwrap(),
        Form::Text(text) => fs::write(&path, text).unwrap(),
        Form::Bytes(bytes) => fs::write(&path, bytes).unwrap(),
        Form::Folder => fs::create_dir(&path).unwrap(),
        Form::Pipe => {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }
        Form::Link(to) => symlink(to, &path).unwrap(),
    }
}

/// Replaces one document with each form, and runs the commands that read it. If `fails`, the first
/// of them cannot work without it.
async fn every_form(key: impl Fn(&Forge) -> String, fails: bool, commands: &[&[&str]]) {
    let forge = Forge::start().await;
    let key = key(&forge);
    for (name, form) in FORMS {
        forge.renew();
        put(&forge, &key, &form);
        let case = format!("{key} is {name}");
        for (number, arguments) in commands.iter().enumerate() {
            let run = forge.run(&case, arguments).await;
            // If the manifest is not a file, there is no backup that could fail.
            let is_file = !matches!(form, Form::Folder | Form::Pipe | Form::Link(_));
            if number == 0 && fails && is_file {
                assert!(run.code != Some(0), "{case}: {arguments:?} passes\n{}", run.stdout);
                let said = format!("{}{}", run.stdout, run.stderr);
                assert!(
                    said.contains(key.rsplit('/').next().unwrap()),
                    "{case}: {arguments:?} does not name it: {said}"
                );
            }
        }
    }
}

#[tokio::test]
async fn forged_repository_json_fails() {
    every_form(|_| "repository.json".into(), true, &[LIST, NOW, RESTORE]).await;
}

#[tokio::test]
async fn forged_manifest_fails() {
    every_form(|forge| forge.key("manifest.json"), true, &[CHECK, LIST, SHOW, STATUS, PRUNE, REPAIR, RESTORE]).await;
}

#[tokio::test]
async fn forged_checksums_fail() {
    every_form(|forge| forge.key("SHA256SUMS"), true, &[CHECK, LIST, PRUNE, REPAIR, RESTORE]).await;
}

#[tokio::test]
async fn forged_quarantined_manifest_is_survived() {
    every_form(|forge| forge.key("set-aside.json"), false, &[CHECK, LIST, PRUNE, REPAIR]).await;
}

#[tokio::test]
async fn forged_readings_are_survived() {
    every_form(|_| format!("{INSTANCE}/check.json"), false, &[READ, LIST, STATUS]).await;
}

#[tokio::test]
async fn forged_pin_is_survived() {
    every_form(|forge| format!("{INSTANCE}/pins/{}.json", forge.id), false, &[SHOW, LIST, PRUNE, PIN]).await;
}

#[tokio::test]
async fn forged_proof_is_survived() {
    let key = |forge: &Forge| format!("{INSTANCE}/proofs/{}/20261121T020003Z-3f9c-quick-passed.json", forge.id);
    every_form(key, false, &[SHOW, LIST, STATUS]).await;
}

#[tokio::test]
async fn forged_accepted_figures_are_survived() {
    every_form(|_| format!("{INSTANCE}/accepted.json"), false, &[PRUNE, STATUS, LIST]).await;
}

#[tokio::test]
async fn forged_claim_is_survived() {
    every_form(|_| format!("locks/{INSTANCE}/read-0123456789abcdef.json"), false, &[LOCKS, LIST, PRUNE]).await;
}

#[tokio::test]
async fn foreign_objects_are_ignored() {
    let forge = Forge::start().await;
    forge.renew();
    for key in ["stranger/manifest.json", "production/notes/todo.txt", "locks/x", "proofs/y/z.json", "a/b/c/d/e/f/g"] {
        forge.put(key, b"\x1b[31mboo");
    }
    forge.put(&format!("{INSTANCE}/99991231T235959Z-ffff/database.dump.zst"), b"x");
    for commands in [LIST, CHECK, STATUS, PRUNE, NOW, LOCKS] {
        let run = forge.run("foreign objects", commands).await;
        assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'), "{commands:?}");
    }
}

#[tokio::test]
async fn manifest_with_many_names_is_refused() {
    let forge = Forge::start().await;
    for (list, name) in [("missing", "a"), ("unreadable", ""), ("rescued", "ab/abcdef")] {
        forge.renew();
        // Thirty megabytes.
        let names: Vec<&str> = vec![name; 30_000_000 / (name.len() + 3)];
        let mut manifest = forge.manifest();
        manifest["filestore"]["findings"] = json!({"unreferenced": 7777});
        let text = serde_json::to_string(&manifest).unwrap();
        let names = serde_json::to_string(&names).unwrap();
        let text = text.replace(r#""unreferenced":7777"#, &format!(r#""unreferenced":0,"{list}":{names}"#));
        forge.put_manifest_bytes(text.as_bytes());
        let commands = [CHECK, LIST, SHOW, STATUS, NOW, PRUNE, RESTORE];
        forge.try_case(&format!("30 MB of {list}"), "a list of names is longer than it can be", &commands).await;
    }
}

#[tokio::test]
async fn manifest_beyond_its_limit_is_refused() {
    let forge = Forge::start().await;
    forge.renew();
    let mut text = serde_json::to_string(&forge.manifest()).unwrap();
    text.push_str(&" ".repeat(33 * MIB as usize));
    forge.put_manifest_bytes(text.as_bytes());
    let commands = [CHECK, LIST, SHOW, STATUS, NOW, PRUNE, REPAIR, RESTORE];
    forge.try_case("a manifest of 33 MiB", "it is larger than 32 MiB", &commands).await;
}

#[tokio::test]
async fn manifest_with_impossible_figures_is_refused() {
    let forge = Forge::start().await;
    for pointer in [
        "/database/dump/size",
        "/database/map/plain/size",
        "/database/volumes/0/object/plain/size",
        "/database/volumes/0/object/stored/size",
        "/database/volumes/0/index/plain/size",
        "/filestore/bytes",
        "/filestore/volumes/0/bytes",
        "/filestore/volumes/0/files",
        "/filestore/volumes/0/list/plain/size",
        "/database/rows/rows",
    ] {
        for value in [u64::MAX, 1 << 60] {
            forge.renew();
            forge.change(|manifest| *manifest.pointer_mut(pointer).unwrap() = json!(value));
            let commands = [CHECK, LIST, SHOW, STATUS, NOW, PRUNE, RESTORE];
            forge.try_case(&format!("{pointer} is {value}"), "larger than any backup", &commands).await;
        }
        for value in [json!(-1), json!(0.5), json!("7"), json!([])] {
            forge.renew();
            forge.change(|manifest| *manifest.pointer_mut(pointer).unwrap() = value.clone());
            forge.try_case(&format!("{pointer} is {value}"), "manifest.json", &[CHECK]).await;
        }
    }
}

#[tokio::test]
async fn manifest_with_foreign_paths_is_refused() {
    let forge = Forge::start().await;
    for key in
        ["../../../etc/passwd", "/etc/passwd", "production/../escaped", "production/.hidden/x", "", "other/x/y.zst"]
    {
        for pointer in [
            "/database/map/key",
            "/database/volumes/0/object/key",
            "/database/volumes/0/index/key",
            "/filestore/volumes/0/object/key",
            "/filestore/volumes/0/list/key",
        ] {
            forge.renew();
            forge.change(|manifest| *manifest.pointer_mut(pointer).unwrap() = json!(key));
            forge.try_case(&format!("{pointer} is {key:?}"), "manifest.json", &[CHECK, LIST, NOW, PRUNE]).await;
        }
    }
    for (pointer, value) in [
        ("/instance", "../escaped"),
        ("/instance", "other"),
        ("/id", "99991231T235959Z-ffff"),
        ("/id", "../../escaped"),
        ("/created_at", "not a time"),
        ("/created_at", "99999-01-01T00:00:00Z"),
    ] {
        forge.renew();
        forge.change(|manifest| *manifest.pointer_mut(pointer).unwrap() = json!(value));
        forge.try_case(&format!("{pointer} is {value:?}"), "manifest.json", &[CHECK, LIST, SHOW, RESTORE]).await;
    }
}

#[tokio::test]
async fn manifest_with_extreme_date_is_survived() {
    let forge = Forge::start().await;
    for time in ["9999-12-30T22:00:00Z", "-009999-01-02T01:59:59Z", "1970-01-01T00:00:00Z"] {
        forge.renew();
        forge.change(|manifest| {
            manifest["created_at"] = json!(time);
            manifest["finished_at"] = json!(time);
        });
        for arguments in [LIST, SHOW, STATUS, CHECK, PRUNE, NOW] {
            forge.run(&format!("created at {time}"), arguments).await;
        }
    }
}

#[tokio::test]
async fn volume_named_repeatedly_is_refused() {
    let forge = Forge::start().await;
    forge.renew();
    forge.change(|manifest| {
        let volumes = manifest["filestore"]["volumes"].as_array_mut().unwrap();
        *volumes = vec![volumes[0].clone(); 20_000];
    });
    forge.try_case("20,000 times one volume", "twice", &[CHECK, NOW, PRUNE, RESTORE, READ, REPAIR]).await;
}

#[tokio::test]
async fn thousands_of_small_documents_are_survived() {
    let forge = Forge::start().await;
    forge.renew();
    for number in 0..2000 {
        forge.put(&format!("locks/{INSTANCE}/read-{number:016x}.json"), b"[[[[");
        forge.put(&format!("{INSTANCE}/pins/20261121T020003Z-{number:04x}.json"), b"{\"pinned_at\": 7}");
        let name = format!("{INSTANCE}/proofs/{}/20261121T020003Z-{number:04x}-quick-passed.json", forge.id);
        forge.put(&name, b"{}");
    }
    for arguments in [LIST, SHOW, STATUS, PRUNE, LOCKS, NOW] {
        forge.run("thousands of small documents", arguments).await;
    }
}

/// Replaces the list of findings, and how many of them the manifest states.
async fn put_findings(forge: &Forge, findings: &[(&str, &str)], counts: Value) {
    let lines: String =
        findings.iter().map(|(kind, name)| format!("{}\n", json!({"finding": kind, "name": name}))).collect();
    forge.put_object("/filestore/found/list", &compressed(lines.as_bytes()).await, Fingerprint::of(lines.as_bytes()));
    forge.change(|manifest| manifest["filestore"]["found"]["counts"] = counts);
}

#[tokio::test]
async fn lying_lists_of_findings_are_named() {
    let forge = Forge::start().await;
    let long = "x".repeat(70_000);
    for (case, findings, counts, said) in [
        (
            "more",
            &[("damaged", "ab/abc"); 2][..],
            json!({"damaged": 1}),
            "it lists more files than the manifest states",
        ),
        (
            "fewer",
            &[("damaged", "ab/ab0123456789012345678901234567890123456789")],
            json!({"damaged": 2}),
            "it lists fewer files than the manifest states",
        ),
        (
            "another kind",
            &[("missing", "ab/abc")],
            json!({"damaged": 1}),
            "it lists more files than the manifest states",
        ),
        ("an unknown kind", &[("eaten", "ab/abc")], json!({}), "unknown variant `eaten`"),
        ("a long line", &[("damaged", long.as_str())], json!({"damaged": 1}), "longer than"),
    ] {
        forge.renew();
        put_findings(&forge, findings, counts).await;
        let shown = forge.run(case, SHOW).await;
        assert!(shown.code == Some(0) && shown.stderr.contains(said), "{case}: {shown:?}");
        let made = forge.run(case, NOW).await;
        assert!(made.code == Some(3) && made.stderr.contains(said), "{case}: {made:?}");
    }
    forge.renew();
    forge.change(|manifest| manifest["filestore"]["found"]["counts"]["damaged"] = json!(1 << 30));
    forge.try_case("more findings than its list has bytes", "do not fit", &[CHECK, SHOW, NOW]).await;
    forge.renew();
    forge.change(|manifest| manifest["filestore"]["findings"] = json!({"unreferenced": 0}));
    forge.try_case("findings of both formats", "is not of format 2", &[CHECK, SHOW, NOW]).await;
}

#[tokio::test]
async fn hostile_text_is_escaped() {
    let forge = Forge::start().await;
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\nODOO-BACKUP OK - no problems found\r\u{9b}31m\u{202e}";
    for pointer in
        ["/database/name", "/database/pg_dump", "/program", "/server/version", "/odoo/series", "/odoo/database_uuid"]
    {
        forge.renew();
        forge.change(|manifest| {
            *manifest.pointer_mut(pointer).unwrap() = json!(hostile);
            manifest["warnings"] = json!([hostile]);
            manifest["imported"] = json!({"file": hostile, "imported_at": "2026-11-21T02:00:03Z", "odoo": hostile});
        });
        put_findings(&forge, &[("unreadable", hostile)], json!({"unreadable": 1})).await;
        let pin = json!({"note": hostile, "pinned_at": "2026-11-21T02:00:03Z"}).to_string();
        forge.put(&format!("{INSTANCE}/pins/{}.json", forge.id), pin.as_bytes());
        let commands = [LIST, SHOW, CHECK, STATUS, PRUNE, NOW, &["-v", "restore", "--to", "staging", "--dry-run"]];
        for arguments in commands.into_iter().chain([&["show", "latest", "--json"][..], &["status", "--nagios"]]) {
            let run = forge.run(pointer, arguments).await;
            for text in [&run.stdout, &run.stderr] {
                let obeyed = ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\r'];
                assert!(!text.contains(obeyed), "{pointer}: {arguments:?}: {text:?}");
                assert!(
                    !text.lines().any(|line| line.starts_with("ODOO-BACKUP OK - no problems found")),
                    "{arguments:?}: {text}"
                );
            }
        }
    }
}
