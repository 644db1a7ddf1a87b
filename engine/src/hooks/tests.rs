use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::progress::{Observer, Progress, Task};

/// Keeps warnings.
#[derive(Debug, Default)]
struct Warned(Mutex<Vec<String>>);

impl Observer for Warned {
    fn began(&self, _: &Task) {}

    fn ended(&self, _: &Task) {}

    fn warned(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

const ABOUT: About<'_> = About { section: "instance.production", instance: Some("production"), target: None };

/// Returns a hook that runs a script. The script's `$0` is the folder.
fn script(folder: &Path, text: &str) -> Option<HookCommand> {
    let arguments = vec!["-c".to_owned(), text.to_owned(), folder.display().to_string()];
    Some(HookCommand { program: "/bin/sh".into(), arguments })
}

/// Returns hooks that each write their variables as a line into a file.
fn noting(folder: &Path) -> Hooks {
    let note =
        "echo \"$ODOO_BACKUP_HOOK $ODOO_BACKUP_INSTANCE $ODOO_BACKUP_BACKUP $ODOO_BACKUP_OUTCOME\" >> \"$0/notes\"";
    let hook = || script(folder, note);
    Hooks { before: hook(), after: hook(), failed: hook(), finally: hook(), ..Hooks::default() }
}

fn notes(folder: &Path) -> Vec<String> {
    let notes = fs::read_to_string(folder.join("notes")).unwrap_or_default();
    notes.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Waits until this holds, at most a minute.
async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.unwrap();
}

const ID: &str = "20261121T105858Z-86e7";

fn ended<E>(result: Result<&u8, &E>) -> Done {
    match result {
        Ok(_) => Done::with("production", Some(ID.parse().unwrap()), true),
        Err(_) => Done::without_backup(Outcome::Failed),
    }
}

async fn around(
    hooks: &Hooks,
    run: &Run,
    work: impl Future<Output = Result<u8, Error>>,
) -> Result<(u8, Vec<String>), Error> {
    hooks.around(ABOUT, run, work, ended).await
}

#[tokio::test]
async fn hooks_know_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = noting(folder.path());
    assert_eq!(around(&hooks, &Run::default(), async { Ok(7) }).await.unwrap(), (7, Vec::new()));
    let expected =
        ["before production".into(), format!("after production {ID} done"), format!("finally production {ID} done")];
    assert_eq!(notes(folder.path()), expected);
}

#[tokio::test]
async fn failed_work_runs_failed_and_finally() {
    let folder = tempfile::tempdir().unwrap();
    let failed = Error::Stalled { seconds: 1 };
    let result = around(&noting(folder.path()), &Run::default(), async { Err(failed) }).await;
    assert!(matches!(result, Err(Error::Stalled { .. })), "{result:?}");
    assert_eq!(notes(folder.path()), ["before production", "failed production failed", "finally production failed"]);
}

#[tokio::test]
async fn failed_before_prevents_work() {
    let folder = tempfile::tempdir().unwrap();
    let before = script(folder.path(), "echo begun; echo 'no room' >&2; exit 4");
    let hooks = Hooks { before, ..noting(folder.path()) };
    let error = around(&hooks, &Run::default(), async { panic!("it must not begin") }).await.unwrap_err();
    let said = "the hook `before` of [instance.production] failed (exit status: 4): no room";
    assert_eq!(error.to_string(), said);
    assert_eq!(notes(folder.path()), ["failed production failed", "finally production failed"]);
    let hooks = Hooks { before: Some(HookCommand { program: "/no/such".into(), arguments: Vec::new() }), ..hooks };
    let error = around(&hooks, &Run::default(), async { panic!("it must not begin") }).await.unwrap_err();
    assert!(error.to_string().starts_with("unable to run the hook `before`"), "{error}");
}

#[tokio::test]
async fn failed_after_is_warning() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = Hooks { after: script(folder.path(), "echo late; exit 1"), ..noting(folder.path()) };
    let (_, warnings) = around(&hooks, &Run::default(), async { Ok(1) }).await.unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("the hook `after`") && warnings[0].contains("late"), "{warnings:?}");
    assert_eq!(notes(folder.path()).len(), 2, "`finally` runs all the same");
}

#[tokio::test]
async fn cancelled_work_runs_finally_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::default();
    let work = async {
        run.cancel.cancel();
        Err(Error::Interrupted)
    };
    around(&noting(folder.path()), &run, work).await.unwrap_err();
    assert_eq!(notes(folder.path()), ["before production", "finally production cancelled"]);
}

#[tokio::test]
async fn cancelled_before_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = Hooks { before: script(folder.path(), "touch \"$0/begun\"; sleep 600"), ..noting(folder.path()) };
    let run = Run::default();
    let cancel = async {
        until(|| folder.path().join("begun").exists()).await;
        run.cancel.cancel();
    };
    let (result, ()) = tokio::join!(around(&hooks, &run, async { Ok(1) }), cancel);
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
    assert_eq!(notes(folder.path()), ["finally production cancelled"]);
}

#[tokio::test]
async fn slow_hook_is_ended_with_children() {
    let folder = tempfile::tempdir().unwrap();
    let text = "sleep 600 & echo $! > \"$0/child\"; echo waiting; wait";
    let hooks = Hooks { before: script(folder.path(), text), timeout: Duration::from_secs(1), ..Hooks::default() };
    let error = around(&hooks, &Run::default(), async { Ok(1) }).await.unwrap_err();
    let said = "the hook `before` of [instance.production] was ended after 1 second: waiting";
    assert_eq!(error.to_string(), said);
    let child = fs::read_to_string(folder.path().join("child")).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    // Its new parent may not have reaped it yet: then it is a zombie.
    let is_running = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z"));
    until(|| !is_running()).await;
}

#[tokio::test]
async fn background_process_outlives_hook() {
    let folder = tempfile::tempdir().unwrap();
    let text = "(while [ ! -e \"$0/go\" ]; do sleep 0.02; done; touch \"$0/went\") &";
    let hooks = Hooks { before: script(folder.path(), text), ..Hooks::default() };
    // It does not wait for the end of the output, which the process holds open.
    around(&hooks, &Run::default(), async { Ok(1) }).await.unwrap();
    fs::write(folder.path().join("go"), "").unwrap();
    until(|| folder.path().join("went").exists()).await;
}

#[tokio::test]
async fn hook_gets_no_other_variables() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = Hooks { before: script(folder.path(), "env > \"$0/env\""), ..Hooks::default() };
    around(&hooks, &Run::default(), async { Ok(1) }).await.unwrap();
    let text = fs::read_to_string(folder.path().join("env")).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    // Cargo sets these for every test.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(names.contains(&"ODOO_BACKUP_HOOK") && !names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
}

#[tokio::test]
async fn endless_output_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let text = "head -c 20000000 /dev/zero | tr '\\0' x; echo; seq 1 100000; exit 1";
    let hooks = Hooks { before: script(folder.path(), text), ..Hooks::default() };
    let error = around(&hooks, &Run::default(), async { Ok(1) }).await.unwrap_err().to_string();
    assert!(error.ends_with(": 100000"), "{error}");
}

#[tokio::test]
async fn outcome_names_instance_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let (hooks, run) = (noting(folder.path()), Run::default());
    let about = About { instance: None, ..ABOUT };
    let elsewhere = |_: Result<&u8, &Error>| Done::without_backup(Outcome::Elsewhere);
    hooks.around(about, &run, async { Err(Error::Stalled { seconds: 1 }) }, elsewhere).await.unwrap_err();
    hooks.around(about, &run, async { Ok::<_, Error>(1) }, ended).await.unwrap();
    let expected = [
        "before".to_owned(),
        "finally elsewhere".to_owned(),
        "before".to_owned(),
        format!("after production {ID} done"),
        format!("finally production {ID} done"),
    ];
    assert_eq!(notes(folder.path()), expected);
}

#[tokio::test]
async fn cancelled_run_calls_no_hook() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::default();
    run.cancel.cancel();
    let result = around(&noting(folder.path()), &run, async { panic!("it must not begin") }).await;
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
    assert_eq!(notes(folder.path()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn finally_is_ended_after_cancellation() {
    let folder = tempfile::tempdir().unwrap();
    let warned = Arc::new(Warned::default());
    let run = Run { progress: Progress::new(warned.clone()), ..Run::default() };
    let hooks = Hooks { finally: script(folder.path(), "sleep 600"), ..Hooks::default() };
    let work = async {
        run.cancel.cancel();
        Err(Error::Interrupted)
    };
    around(&hooks, &run, work).await.unwrap_err();
    let warnings = warned.0.lock().unwrap().clone();
    let said = "the hook `finally` of [instance.production] was ended after 60 seconds: it wrote nothing";
    assert!(warnings.len() == 1 && warnings[0].starts_with(said), "{warnings:?}");
    assert!(!warnings[0].contains("`timeout`"), "{warnings:?}");
}

#[tokio::test]
async fn outputs_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        let text = format!("for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo $i >&2; done; echo last-{number}; exit 1");
        let hooks = Hooks { before: script(folder.path(), &text), ..Hooks::default() };
        let error = around(&hooks, &Run::default(), async { Ok(1) }).await.unwrap_err().to_string();
        assert!(error.ends_with(&format!("failed (exit status: 1): last-{number}")), "{error}");
    }
}

#[tokio::test]
async fn output_cannot_manipulate_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let text = "printf '10%%\\r\\033[2Jno\\000 room\\r'; exit 1";
    let hooks = Hooks { before: script(folder.path(), text), ..Hooks::default() };
    let error = around(&hooks, &Run::default(), async { Ok(1) }).await.unwrap_err().to_string();
    assert!(error.ends_with(": \\u{1b}[2Jno\\u{0} room"), "{error}");
}

#[tokio::test]
async fn hook_runs_in_root_folder() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = Hooks { before: script(folder.path(), "pwd; exit 1"), ..Hooks::default() };
    let error = around(&hooks, &Run::default(), async { Ok(1) }).await.unwrap_err().to_string();
    assert!(error.ends_with(": /"), "{error}");
}
