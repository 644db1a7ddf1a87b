//! `now`, and the commands that read backups: `list` to `import`.

use std::fs;

use harness::project::{INSTANCE, TARGET};
use rustix::process::Signal;

use super::super::{Walk, next_second};

pub(in super::super) async fn all(walk: &mut Walk) {
    walk.show("The first backup", &["now"]).await;
    walk.show("A further backup", &["now", INSTANCE]).await;
    walk.show("An unknown instance", &["now", "prodution"]).await;
    locks(walk).await;
    looks(walk).await;
    restores(walk).await;
    files(walk).await;
}

async fn locks(walk: &mut Walk) {
    let held = walk.service.hold_pg_dump().await;
    next_second().await;
    let mut running = walk.service.program.spawn(["now", INSTANCE]);
    walk.service.until_pg_dump_waits(&mut running).await;
    walk.show("Another process backs up", &["now"]).await;
    walk.show("A living owner", &["unlock", "--list"]).await;
    walk.show("A living owner", &["unlock"]).await;
    running.signal(Signal::INT);
    let run = running.wait().await;
    drop(held);
    walk.note("now", "Interrupted", &["now", INSTANCE], &run);

    let held = walk.service.hold_pg_dump().await;
    let mut running = walk.service.program.spawn(["now", INSTANCE]);
    walk.service.until_pg_dump_waits(&mut running).await;
    walk.show("The lock of a living owner is removed", &["unlock", INSTANCE, "--force"]).await;
    running.signal(Signal::INT);
    running.wait().await;
    drop(held);
}

async fn looks(walk: &mut Walk) {
    walk.show("Two backups", &["list"]).await;
    walk.show("The latest", &["show", "latest"]).await;
    walk.show("The one before the latest", &["show", "latest~1"]).await;
    walk.show("Fewer backups than that", &["show", "latest~7"]).await;
    walk.show("No such backup", &["show", "1999"]).await;
    walk.show("No number", &["show", "latest~x"]).await;
    walk.show("Two backups have this beginning", &["show", "20"]).await;
    walk.show("Objects and sizes", &["check"]).await;
    walk.show("All bytes of one", &["check", "latest", "--read-data"]).await;
    walk.show("A sample", &["check", "--read-data=1B"]).await;
    walk.show("A wrong sample", &["check", "--read-data=some"]).await;
    walk.show("No damage", &["repair"]).await;
    walk.show("With a note", &["pin", "latest", "--note", "before the upgrade"]).await;
    walk.show("Pinned", &["show", "latest"]).await;
    walk.show("A pinned backup", &["unpin", "latest"]).await;
    walk.show("It was not pinned", &["unpin", "latest"]).await;
}

async fn restores(walk: &mut Walk) {
    walk.show("Nothing to undo", &["restore", "--undo", "--to", TARGET]).await;
    walk.show("A dry run", &["restore", "--to", TARGET, "--dry-run"]).await;
    walk.show("Into a new database", &["restore", "--to", TARGET]).await;
    walk.show("Over what exists", &["restore", "--to", TARGET, "--jobs", "1", "--verify", "full"]).await;
    walk.show("Undone", &["restore", "--undo", "--to", TARGET]).await;
    walk.show("Without a target", &["restore"]).await;
    walk.show("An unknown target", &["restore", "--to", "stagin"]).await;
    walk.show("An instance in the place of a target", &["restore", "--to", INSTANCE]).await;
    let wrong = ["restore", "--to", INSTANCE, "--force-production", "prod"];
    walk.show("Another database is typed out", &wrong).await;
    walk.show("The target is production", &["restore", "--to", "mistake"]).await;
    walk.show("The target is production, dry run", &["restore", "--to", "mistake", "--dry-run"]).await;
    let report = walk.project().path("restore.md");
    let arguments = ["restore", "--to", TARGET, "--drop-previous", "--jobs", "1", "--report", report.to_str().unwrap()];
    walk.show("With a report", &arguments).await;
    walk.show_file("restore", &report);
    walk.show("The report exists already", &arguments).await;
    walk.show("The latest", &["drill", "--jobs", "1"]).await;
    let report = walk.project().path("drill.md");
    let arguments = ["drill", "--verify", "full", "--jobs", "1", "--report", report.to_str().unwrap()];
    walk.show("All files are read", &arguments).await;
    walk.show_file("drill", &report);
    walk.show("An unknown target", &["drill", "--to", "stagin"]).await;
}

async fn files(walk: &mut Walk) {
    let files = walk.service.program.run(["files", "latest", "--json"]).await.success().json();
    let path = files["attachments"].as_array().unwrap().iter().find_map(|file| file["path"].as_str()).unwrap();
    walk.show("Some attachments", &["files", "latest", "--like", path]).await;
    walk.show("No such attachment", &["files", "latest", "--like", "missing"]).await;
    let file = walk.project().path("logo.png");
    let arguments = ["fetch", "latest", path, "-o", file.to_str().unwrap()];
    walk.show("Usual", &arguments).await;
    walk.show("The file exists already", &arguments).await;
    walk.show("No such attachment", &["fetch", "latest", "99999", "-o", "x"]).await;
    walk.show("A folder that does not exist", &["fetch", "latest", path, "-o", "/srv/missing/logo.png"]).await;
    walk.show("A dry run", &["copy", "--to", "offsite", "--dry-run"]).await;
    walk.show("Usual", &["copy", "--to", "offsite"]).await;
    walk.show("Nothing new", &["copy", "--to", "offsite"]).await;
    walk.show("From and to the same repository", &["copy", "--to", "main"]).await;
    walk.show("An unknown repository", &["copy", "--to", "offsit"]).await;
    let zip = walk.project().path("production.zip");
    let arguments = ["export", "latest", "-o", zip.to_str().unwrap()];
    walk.show("Usual", &arguments).await;
    walk.show("The file exists already", &arguments).await;
    let base = walk.project().path("production");
    walk.show("A dump and a tar", &["export", "latest", "--format", "dump", "-o", base.to_str().unwrap()]).await;
    walk.show("A dump and a tar to stdout", &["export", "latest", "--format", "dump", "-o", "-"]).await;
    walk.show("Usual", &["import", zip.to_str().unwrap(), "--as", "archive", "--on", TARGET]).await;
    walk.show("Several targets", &["import", zip.to_str().unwrap(), "--as", "archive"]).await;
    walk.show("A wrong name", &["import", zip.to_str().unwrap(), "--as", "a b", "--on", TARGET]).await;
    walk.show("No such file", &["import", "/srv/missing.zip", "--as", "archive", "--on", TARGET]).await;
    let odd = walk.project().path("odd.zip");
    fs::write(&odd, "neither a zip nor a dump").unwrap();
    walk.show("Neither a zip nor a dump", &["import", odd.to_str().unwrap(), "--as", "archive", "--on", TARGET]).await;
}
