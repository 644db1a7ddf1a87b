//! Tests the hooks of a backup and a restore.

use std::fs;
use std::path::Path;

use harness::project::{INSTANCE, Project, TARGET};
use rustix::process::Signal;

use super::{initialised, program};

/// Returns the line of a hook that runs a script. The script's `$0` is the folder.
fn hook(key: &str, folder: &Path, script: &str) -> String {
    format!("{key} = ['/bin/sh', '-c', '{script}', '{}']\n", folder.display())
}

/// Returns hooks that note when they ran, and for what.
fn noting(folder: &Path) -> String {
    let note = r#"echo "$ODOO_BACKUP_HOOK $ODOO_BACKUP_INSTANCE $ODOO_BACKUP_TARGET $ODOO_BACKUP_BACKUP $ODOO_BACKUP_OUTCOME" >> "$0/notes""#;
    ["before", "after", "failed", "finally"].map(|key| hook(key, folder, note)).concat()
}

/// Returns the notes, and forgets them.
fn notes(project: &Project) -> Vec<String> {
    let path = project.path("notes");
    let notes = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    notes.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn configure(project: &Project, more: &str) {
    project.write_config(&format!("url = \"file://{}\"", project.repository().display()), more);
}

#[tokio::test]
async fn hooks_run_around_backup_and_restore() {
    let project = Project::start().await;
    let hooks = noting(&project.path(""));
    configure(&project, &format!("[instance.{INSTANCE}.hooks]\n{hooks}[target.{TARGET}.hooks]\n{hooks}"));
    let program = initialised(&project).await;
    let now = program.run(["now", "--json"]).await.success().json();
    let id = now["backups"][0]["id"].as_str().unwrap().to_owned();
    let expected = [
        "before production".to_owned(),
        format!("after production {id} done"),
        format!("finally production {id} done"),
    ];
    assert_eq!(notes(&project), expected);
    let dry = program.run(["restore", "--to", TARGET, "--dry-run"]).await.success().stdout;
    assert!(dry.contains("hook     before: /bin/sh would run\nhook     after: /bin/sh would run\n"), "{dry}");
    let dry = program.run(["restore", "--to", TARGET, "--dry-run", "--json"]).await.success().json();
    assert_eq!(dry["hooks"][3], serde_json::json!({ "hook": "finally", "program": "/bin/sh" }));
    assert_eq!(notes(&project), [""; 0], "a dry run runs no hooks");
    program.run(["restore", "--to", TARGET]).await.success();
    let expected = [
        format!("before production {TARGET}"),
        format!("after production {TARGET} {id} done"),
        format!("finally production {TARGET} {id} done"),
    ];
    assert_eq!(notes(&project), expected);
}

#[tokio::test]
async fn failing_before_stops_run() {
    let project = Project::start().await;
    let folder = project.path("");
    let failing = noting(&folder).lines().skip(1).collect::<Vec<_>>().join("\n");
    let failing =
        format!("{}{failing}", hook("before", &folder, "echo first; echo the disk is not mounted >&2; exit 7"));
    configure(&project, &format!("[instance.{INSTANCE}.hooks]\n{failing}\n"));
    let program = initialised(&project).await;
    let run = program.run(["now"]).await.expect_code(1);
    let said = "the hook `before` of [instance.production] failed (exit status: 7): the disk is not mounted";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert_eq!(notes(&project), ["failed production failed", "finally production failed"]);
    assert!(program.run(["list"]).await.success().stdout.contains("no backups yet"));
}

#[tokio::test]
async fn failing_after_is_warning() {
    let project = Project::start().await;
    let after = hook("after", &project.path(""), "echo no answer; exit 1");
    configure(&project, &format!("[instance.{INSTANCE}.hooks]\n{after}"));
    let program = initialised(&project).await;
    let run = program.run(["now", "--json"]).await.expect_code(3).json();
    let warnings = run["backups"][0]["hook_warnings"].as_array().unwrap();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("no answer"), "{run}");
}

#[tokio::test]
async fn hook_of_no_path_is_refused() {
    let project = Project::start().await;
    configure(&project, &format!("[instance.{INSTANCE}.hooks]\nbefore = ['systemctl', 'stop', 'odoo']\n"));
    let run = program(&project).run(["now"]).await.expect_code(2);
    assert!(run.stderr.contains("the program must be a path"), "{}", run.stderr);
}

#[tokio::test]
async fn hooks_mount_repository_for_backup() {
    let project = Project::start().await;
    let [folder, away] = [project.repository(), project.path("away")];
    let (mount, unmount) = (["/bin/mv", "away", "there"], ["/bin/mv", "there", "away"]);
    let line = |key: &str, words: [&str; 3]| {
        let path = |word: &str| match word {
            "away" => away.display().to_string(),
            "there" => folder.display().to_string(),
            other => other.to_owned(),
        };
        format!("{key} = ['{}']\n", words.map(path).join("', '"))
    };
    let hooks = format!("{}{}", line("before", mount), line("finally", unmount));
    configure(&project, &format!("[instance.{INSTANCE}.hooks]\n{hooks}"));
    let program = initialised(&project).await;
    fs::rename(&folder, &away).unwrap();
    // What follows the backup still has the repository.
    let now = program.run(["now", "--prune", "--json"]).await.success().json();
    assert!(now["backups"][0]["pruned"][0]["error"].is_null(), "{now}");
    assert!(!folder.exists());
    fs::rename(&away, &folder).unwrap();
    assert_eq!(program.run(["list", "--json"]).await.success().json()["backups"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn interrupted_backup_runs_finally() {
    let project = Project::start().await;
    let folder = project.path("");
    let slow = hook("before", &folder, "touch \"$0/begun\"; exec sleep 600");
    let others = noting(&folder).lines().skip(1).collect::<Vec<_>>().join("\n");
    configure(&project, &format!("[instance.{INSTANCE}.hooks]\n{slow}{others}\n"));
    let program = initialised(&project).await;
    let running = program.spawn(["now"]);
    while !project.path("begun").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    running.signal(Signal::INT);
    running.wait().await.expect_code(130);
    assert_eq!(notes(&project), ["finally production cancelled"]);
    assert!(program.run(["list"]).await.success().stdout.contains("no backups yet"));
}
